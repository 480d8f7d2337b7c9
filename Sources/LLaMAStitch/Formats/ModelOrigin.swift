import Foundation
import Support

/// `origin.json` in a model directory that was packed from a file: what it was made of.
public struct ModelOrigin: Sendable, Equatable, Codable {
  /// For people: `SmolLM2-135M-Instruct`.
  public var name: String
  /// The file it was packed from, where it was then.
  public var file: String
  /// SHA-256 of that file; where it is in parts, of their digests one after another.
  public var sha256: String

  public init(name: String, file: String, sha256: String) {
    self.name = name
    self.file = file
    self.sha256 = sha256
  }

  public static let fileName = "origin.json"
  private static let largestFile = 1 << 16

  /// - Returns: `nil` where the directory was not packed from a file.
  /// - Throws: `FileError`, `CheckpointError.configuration`.
  public static func read(in directory: URL) throws -> ModelOrigin? {
    let url = directory.appendingPathComponent(fileName)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    let file = try MappedFile(url)
    func damaged() -> CheckpointError {
      .configuration(
        file: url.path, cause: "it does not say what the model was made of", remedy: "pack the model again")
    }
    guard file.count <= largestFile else { throw damaged() }
    let origin: ModelOrigin
    do { origin = try JSONDecoder().decode(ModelOrigin.self, from: file.bytes.data) } catch { throw damaged() }
    guard origin.sha256.count == 64, origin.sha256.allSatisfy(\.isHexDigit), !origin.name.isEmpty else {
      throw damaged()
    }
    return origin
  }

  /// The text of the file.
  public var json: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self) + Data("\n".utf8)
    }
  }
}

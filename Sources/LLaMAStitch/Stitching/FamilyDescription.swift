import Foundation
import Support

/// `family.json`: what a family directory holds. A model directory, which has none, is a family of one: see `ofModel`.
public struct FamilyDescription: Sendable, Equatable, Codable {
  /// What is written now: routes are chains of segments. Format 1, in which they have one segment or two, is read, too.
  public static let currentFormat = 2

  public struct Anchor: Sendable, Equatable, Codable {
    /// Stable and printable: `small`.
    public var name: String
    /// Its model directory, relative to the family.
    public var directory: String
    /// SHA-256 of its weights.
    public var sha256: String
    /// The model file it was packed from, where it was: a family that is kept without weights finds them by it.
    public var model: Model?
  }

  /// A model file, whoever has it.
  public struct Model: Sendable, Equatable, Codable {
    /// For people: `SmolLM2-135M-Instruct`.
    public var name: String
    /// SHA-256 of the file; where it is in parts, of their digests one after another.
    public var sha256: String

    public init(name: String, sha256: String) {
      self.name = name
      self.sha256 = sha256
    }

    package init(_ origin: ModelOrigin) { self.init(name: origin.name, sha256: origin.sha256) }
  }

  public var format: Int
  public var name: String
  /// Cheapest first.
  public var anchors: [Anchor]
  public var routes: [Route]
  /// How base weights are stored: `f32`, `f16`, `bf16`, `q8_0`, `q4_0`, `q4_1` or `mixed`.
  public var quantization: String
  /// The chat template, as whoever encodes text describes it: the name of a built-in one, or the model's own. Absent in a
  /// family of one, whose model directory has it.
  public var chatTemplate: JSONValue?
  /// SHA-256 of the tokenizer's files, one after another in order of their names.
  public var tokenizerSHA256: String
  /// The names of the tokenizer's files; absent in format 1.
  public var tokenizerFiles: [String]?
  /// SHA-256 of `stitches.safetensors`.
  public var stitchesSHA256: String
  /// SHA-256 of `healing.safetensors`; absent where the stitches were not healed.
  public var healingSHA256: String?
  /// SHA-256 of `esta.safetensors`, the family's own adapter; absent where there is none, and in families of before.
  public var adapterSHA256: String?
  /// The slider's stops, by stitch id, cheapest first; all stitches where it is absent.
  public var stops: [String]?
  /// The share of held-out positions where a stitch's most likely token is that of the anchor whole, by stitch id, as the
  /// search for routes within one anchor measured it.
  public var agreement: [String: Double]?

  /// Names the base weights: an adapter belongs to exactly one identity.
  public var identity: String {
    let parts = anchors.map(\.sha256) + [stitchesSHA256] + [healingSHA256].compactMap { $0 }
    return SHA256.hexadecimal(of: Array(parts.joined(separator: "\n").utf8))
  }

  public static let fileName = "family.json"
  static let stitchesName = "stitches.safetensors"
  public static let adapterName = "esta.safetensors"
  public static let healingName = "healing.safetensors"
  /// Conversations of the family's own adaptation, mixed into later lessons.
  public static let rehearsalName = "rehearsal.jsonl"
  public static let frontierName = "frontier.json"
  /// The files of a family, besides anchors and tokenizer.
  static let parts = [fileName, stitchesName, healingName, adapterName, rehearsalName, frontierName]

  /// Whether it is a model directory.
  public var isModel: Bool { anchors.count == 1 && anchors[0].directory == Self.itself }
  private static let itself = "."
  /// How the names of those files of a model begin that are about text.
  private static let textFiles = ["tokenizer", "chat_template", "special_tokens_map", "generation_config"]

  /// Whether a directory holds a family, or a model, which is a family of one.
  public static func isFamily(_ directory: URL) -> Bool {
    [fileName, ModelDirectory.configurationName].contains {
      FileManager.default.fileExists(atPath: directory.appendingPathComponent($0).path)
    }
  }

  /// What a model directory is as a family: one anchor, one stitch. Its weights are hashed the first time.
  /// - Throws: `FileError`, `CheckpointError.noWeights`.
  private static func ofModel(_ directory: URL) throws -> FamilyDescription {
    let origin = try ModelOrigin.read(in: directory)
    let name = origin?.name ?? directory.standardizedFileURL.lastPathComponent
    let digest =
      if let origin { origin.sha256 } else {
        SHA256.hexadecimal(
          of: try ModelDirectory.files(in: directory).flatMap { Array(try ContentDigest.sha256(of: $0).utf8) })
      }
    return FamilyDescription(
      format: currentFormat, name: name,
      anchors: [
        Anchor(name: anchorName(from: name), directory: itself, sha256: digest, model: origin.map { Model($0) })
      ],
      routes: [Route([Route.Segment(anchor: 0, blocks: 0..<Int.max)])], quantization: "", tokenizerSHA256: "",
      tokenizerFiles: try names(in: directory).filter { name in textFiles.contains { name.hasPrefix($0) } },
      stitchesSHA256: "")
  }

  /// Reads and checks `family.json`, and nothing else.
  /// - Throws: `FamilyError`, in a model directory `FileError` and `CheckpointError`.
  public static func read(in directory: URL) throws -> FamilyDescription {
    let file = directory.appendingPathComponent(fileName)
    if !FileManager.default.fileExists(atPath: file.path), isFamily(directory) { return try ofModel(directory) }
    guard let data = try? Data(contentsOf: file) else {
      let exists = FileManager.default.fileExists(atPath: directory.path)
      throw FamilyError.notAFamily(
        path: directory.path, cause: exists ? "it has no readable family.json" : "there is no such directory")
    }
    try checkInside(fileName, of: directory)
    func damaged(_ cause: String) -> FamilyError { .damaged(file: file.path, cause: cause) }
    struct Version: Decodable { var format: Int }
    guard let version = try? JSONDecoder().decode(Version.self, from: data) else {
      throw damaged("it is not JSON with a “format”")
    }
    guard (1...currentFormat).contains(version.format) else {
      throw damaged("it has format \(version.format), this program reads up to \(currentFormat)")
    }
    guard let description = try? JSONDecoder().decode(FamilyDescription.self, from: data) else {
      throw damaged("a field is missing or has the wrong kind")
    }
    guard !description.anchors.isEmpty else { throw damaged("it names no anchors") }
    guard Set(description.anchors.map(\.name)).count == description.anchors.count,
      description.anchors.allSatisfy({ isGoodName($0.name) })
    else { throw damaged("anchors need different names of letters, digits, “_” and “.”") }
    for anchor in description.anchors { try checkInside(anchor.directory, of: directory) }
    return description
  }

  /// A name for an anchor, of the name of a directory or a file: what ids cannot hold becomes `_`.
  public static func anchorName(from name: String) -> String {
    var result = String(
      name.unicodeScalars.prefix(40).map { isNameCharacter($0) ? Character($0) : "_" })
    if result.isEmpty || result.first == "." { result = "_" + result.dropFirst() }
    return result
  }

  /// The same for several anchors: of equal ones all but the first have a number.
  public static func anchorNames(from names: [String]) -> [String] {
    var taken: Set<String> = []
    return names.map { name in
      let plain = anchorName(from: name)
      var number = 1
      var result = plain
      while !taken.insert(result).inserted {
        number += 1
        let ending = "_\(number)"
        result = plain.prefix(40 - ending.count) + ending
      }
      return result
    }
  }

  private static func isNameCharacter(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII
      && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || "_.".unicodeScalars.contains(scalar))
  }

  static func isGoodName(_ name: String) -> Bool {
    !name.isEmpty && name.count <= 40 && name.unicodeScalars.allSatisfy(isNameCharacter) && name.first != "."
  }

  /// A relative path without `..`, which no symbolic link leads out of the directory.
  static func checkInside(_ path: String, of directory: URL) throws {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.isEmpty, !path.hasPrefix("/"), !parts.contains(".."), !path.contains("\0") else {
      throw FamilyError.outside(path: path, family: directory.path)
    }
    // Links above what is not there are not resolved: the directory's own are, first.
    let root = directory.resolvingSymlinksInPath().standardizedFileURL
    let target = root.appendingPathComponent(path).resolvingSymlinksInPath().standardizedFileURL.path
    guard target.hasPrefix(root.path + "/") else {
      throw FamilyError.outside(path: path, family: directory.path)
    }
  }

  /// A part of a family, which must be there and inside it.
  static func part(_ name: String, of directory: URL) throws -> URL {
    try checkInside(name, of: directory)
    let file = directory.appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FamilyError.missingPart(file: file.path, family: directory.path)
    }
    return file
  }

  /// The names of the tokenizer's files. Format 1 does not say them: they are what the family does not know as its own.
  func tokenizerFiles(in directory: URL) throws -> [String] {
    if let tokenizerFiles { return tokenizerFiles }
    return try Self.names(in: directory).filter { name in
      !Self.parts.contains(name) && !name.hasPrefix(".") && !directory.appendingPathComponent(name).isDirectory
    }
  }

  /// What a directory holds; nothing if it is none.
  static func names(in directory: URL) throws -> [String] {
    do { return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() } catch {
      throw FamilyError.damaged(file: directory.path, cause: "it is not a readable directory")
    }
  }

  func write(in directory: URL) throws {
    var current = self
    current.format = Self.currentFormat
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(current) + Data("\n".utf8), to: directory.appendingPathComponent(Self.fileName))
  }
}

extension URL {
  fileprivate var isDirectory: Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}

import ChatEngine
import Conversations
import Foundation
import Support

extension Script {
  /// Larger files are no scripts.
  static let largestFile = 16 << 20
  static let mostSteps = 100_000

  /// Reads a YAML or JSON Lines file.
  ///
  /// YAML: a group with `steps` and, if wanted, `family`, `adapter`, `seed`, `stitch`, `system`, `screen` and `set`; or just the
  /// list of steps. JSON Lines: a step a line; the first line may be the header. Paths in it are relative to its folder.
  /// The file of a saved conversation is a script too.
  /// - Throws: `DocumentError` for what is wrong in it, with its place; `FileError` if it cannot be read.
  public init(contentsOf url: URL, name: String? = nil) throws {
    let name = name ?? url.relativePath
    let file = try MappedFile(url)
    guard file.count <= Self.largestFile else {
      throw DocumentError(file: name, "it has \(file.count >> 20) MB; a script has at most \(Self.largestFile >> 20)")
    }
    guard let text = String(validating: file.bytes.data, as: UTF8.self) else {
      throw DocumentError(file: name, "it is not UTF-8 text; write the script as YAML or JSON Lines")
    }
    if Self.isConversation(text) {
      self.init(try SavedConversation(contentsOf: url), file: name)
      format = .savedConversation
    } else {
      try self.init(text, file: name, folder: url.deletingLastPathComponent())
    }
  }

  /// - Parameters:
  ///   - file: its name, for messages; its extension, or else the first character, says which format it is.
  ///   - folder: what paths in it are relative to.
  package init(_ text: String, file: String, folder: URL) throws(DocumentError) {
    let text = text.hasPrefix("\u{FEFF}") ? String(text.unicodeScalars.dropFirst()) : text
    let end = file.split(separator: ".").last.map { $0.lowercased() } ?? ""
    let isJSON =
      ["jsonl", "ndjson"].contains(end) || (!["yaml", "yml"].contains(end) && text.first { !$0.isWhitespace } == "{")
    var header: DocumentNode?
    var steps: [DocumentNode]
    if isJSON {
      steps = try JSONLinesDocument.read(text, file: file)
      // A first line with `stitch`, `system`, `screen` or `set` alone means the same as a step.
      if let first = steps.first, case .fields(let fields) = first.value,
        fields.contains(where: { ["family", "adapter", "seed"].contains($0.name) })
      {
        header = steps.removeFirst()
      }
    } else {
      guard let root = try YAMLDocument.read(text, file: file) else {
        throw DocumentError(file: file, "it is empty; write steps such as “- user: Hello”")
      }
      switch root.value {
      case .list(let list): steps = list
      case .fields(let fields):
        header = root
        header?.value = .fields(fields.filter { $0.name != "steps" })
        let given = fields.filter { $0.name == "steps" }
        guard let node = given.first?.value, case .list(let list) = node.value else {
          // A misspelt name says more than that “steps” is missing.
          _ = try FieldReader(root, known: Self.headerNames + ["steps"], kind: "field")
          throw (given.first?.value ?? root).error("“steps” must be a list, such as “- user: Hello”")
        }
        steps = list
      default: throw root.error("a group with “steps”, or a list of steps, expected, not \(root.kind)")
      }
    }
    if steps.count > Self.mostSteps {
      throw DocumentError(file: file, "it has \(steps.count) steps; \(Self.mostSteps) are allowed")
    }
    self.init(file: file, settings: [], steps: [])
    format = isJSON ? .jsonLines : .yaml
    if let header { try read(header: header, folder: folder) }
    for node in steps { self.steps.append(try StepReader(folder: folder).step(node)) }
  }

  private static let headerNames = ["family", "adapter", "seed", "stitch", "system", "screen", "set"]

  private mutating func read(header: DocumentNode, folder: URL) throws(DocumentError) {
    let fields = try FieldReader(header, known: Self.headerNames, kind: "field")
    family = try fields.text("family").map { resolvePath($0, in: folder) }
    if let name = try fields.text("adapter") {
      do { _ = try AdapterChoice(name) } catch { throw fields["adapter"]!.error("\(error)") }
      adapter = name
    }
    if let text = try fields.text("seed") {
      guard let value = UInt64(text) else { throw fields["seed"]!.error("seed is a whole number from 0") }
      seed = value
    }
    stitch = try fields.text("stitch")
    system = try fields.text("system")
    if let node = fields["screen"] { screen = try StepReader.screen(node) }
    if let node = fields["set"] { settings = try StepReader.settings(node) }
  }
}

/// A path as a file in `folder` means it: `~` is the home directory, and what is not absolute is relative to the folder.
package func resolvePath(_ path: String, in folder: URL) -> String {
  if path == "~" || path.hasPrefix("~/") { return NSHomeDirectory() + path.dropFirst(1) }
  return path.hasPrefix("/") ? path : folder.appendingPathComponent(path).standardizedFileURL.path
}

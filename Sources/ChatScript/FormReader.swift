import ChatEngine
import Forms
import Foundation
import Support

/// Reads `schema` and `grammar` of an expectation, and makes sure that a reply can keep them: what is wrong with a form is
/// said before anything is asked.
struct FormReader {
  /// What paths are relative to.
  var folder: URL

  /// - Throws: `DocumentError` at the field.
  func form(_ fields: FieldReader) throws(DocumentError) -> FormExpectation? {
    let found: FormExpectation
    switch (fields["schema"], fields["grammar"]) {
    case (nil, nil): return nil
    case (.some, let grammar?): throw grammar.error("“schema” and “grammar” exclude one another; leave one out")
    case (let node?, nil): found = try schema(node)
    case (nil, let node?): found = try grammar(node)
    }
    let node = fields[found.kind.rawValue]!
    // What a path leads to is named, too.
    let isFile = found.kind == .grammar ? !isText(node) : node.isScalar && !isText(node)
    do throws(FormError) {
      // Text that nobody wrote shows whether the grammar can be read at all.
      _ = try found.source.grammar().matches("")
    } catch { throw node.error((isFile ? "\(found.spelling): " : "") + "\(error)") }
    return found
  }

  /// A group of fields is the schema itself, a text its file, or its JSON where it begins with a brace.
  private func schema(_ node: DocumentNode) throws(DocumentError) -> FormExpectation {
    switch node.value {
    case .fields:
      let text = try Self.json(node).text
      return FormExpectation(kind: .schema, source: .schema(text), spelling: text)
    case .scalar(let text) where isText(node):
      return FormExpectation(kind: .schema, source: .schema(text), spelling: text.doubleQuoted)
    case .scalar(let path):
      return FormExpectation(kind: .schema, source: .schema(try read(path, node)), spelling: path.doubleQuoted)
    case .null, .list: throw node.error("schema is a JSON schema, or the path of its file, not \(node.kind)")
    }
  }

  /// A text of several lines, or with a rule, is the grammar itself, another its file.
  private func grammar(_ node: DocumentNode) throws(DocumentError) -> FormExpectation {
    let text = try node.text("grammar")
    let source = isText(node) ? text : try read(text, node)
    return FormExpectation(kind: .grammar, source: .grammar(source), spelling: text.doubleQuoted)
  }

  /// Whether a scalar is a form rather than the path of one.
  private func isText(_ node: DocumentNode) -> Bool {
    guard case .scalar(let text) = node.value else { return false }
    return text.first { !$0.isWhitespace } == "{" || text.contains("::=")
  }

  private func read(_ path: String, _ node: DocumentNode) throws(DocumentError) -> String {
    do throws(TextFile.ReadingError) {
      return try TextFile.read(resolvePath(path, in: folder), atMost: FormSource.longest).text
    } catch { throw node.error("\(error)") }
  }

  /// A group of fields as JSON, in its order. What is written without quotation marks may be a number or a truth value.
  static func json(_ node: DocumentNode) throws(DocumentError) -> OrderedJSON {
    switch node.value {
    case .null: return .null
    case .scalar(let text): return node.isPlain ? plain(text) : .string(text)
    case .list(let nodes):
      var list: [OrderedJSON] = []
      for node in nodes { list.append(try json(node)) }
      return .array(list)
    case .fields(let fields):
      var members: [(key: String, value: OrderedJSON)] = []
      for field in fields { members.append((field.name, try json(field.value))) }
      do { return try .object(members: members) } catch { throw node.error("“\(error.name)” is given twice") }
    }
  }

  /// As YAML's core schema has it.
  private static func plain(_ text: String) -> OrderedJSON {
    switch text {
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default:
      guard text.first?.isNumber == true || text.first == "-" || text.first == "+" else { return .string(text) }
      if let value = Int(text) { return .integer(value) }
      return Double(text).map { $0.isFinite ? .number($0) : .string(text) } ?? .string(text)
    }
  }
}

extension FormExpectation {
  /// A form that no file is known of.
  package init?(_ source: ReplyFormSource?) {
    switch source {
    case .schema(let text): self.init(kind: .schema, source: .schema(text), spelling: text.doubleQuoted)
    case .grammar(let text): self.init(kind: .grammar, source: .grammar(text), spelling: text.doubleQuoted)
    case .jsonObject, nil: return nil
    }
  }
}

extension DocumentNode {
  fileprivate var isScalar: Bool { if case .scalar = value { true } else { false } }
}

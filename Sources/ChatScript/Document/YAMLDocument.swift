import Yams

/// Reads YAML with the place of every value.
///
/// A file may come from anywhere, so what can grow while it is read is refused: aliases (a few lines of them stand for
/// billions of values) and deep nesting.
package enum YAMLDocument {
  /// - Returns: `nil` if there is nothing but comments.
  package static func read(_ text: String, file: String) throws(DocumentError) -> DocumentNode? {
    if mayExplode(text) { throw DocumentError(file: file, noAliases) }
    let parser: Parser
    let root: Node?
    do {
      parser = try Parser(yaml: text, encoding: .utf8)
      root = try parser.singleRoot()
    } catch let error as YamlError {
      throw explain(error, file: file)
    } catch {
      throw DocumentError(file: file, "it is not valid YAML")
    }
    // Nodes know their anchors only as long as their parser lives.
    defer { withExtendedLifetime(parser) {} }
    guard let root else { return nil }
    let node = try convert(root, file: file, depth: 0)
    return node.value == .null ? nil : node
  }

  private static let noAliases = "anchors and aliases (&name, *name) are not supported; write the values out"

  private static func convert(_ node: Node, file: String, depth: Int) throws(DocumentError) -> DocumentNode {
    let place = Place(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    if node.anchor != nil { throw DocumentError(place, noAliases) }
    if depth > DocumentNode.deepest { throw DocumentError(place, "nested too deeply") }
    switch node {
    case .scalar(let scalar):
      let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
      return DocumentNode(
        value: isNull ? .null : .scalar(scalar.string), place: place, isPlain: scalar.style == .plain)
    case .sequence(let sequence):
      var list: [DocumentNode] = []
      for child in sequence { list.append(try convert(child, file: file, depth: depth + 1)) }
      return DocumentNode(value: .list(list), place: place)
    case .mapping(let mapping):
      var fields: [DocumentNode.Field] = []
      for (key, child) in mapping {
        let name = try convert(key, file: file, depth: depth + 1)
        guard case .scalar(let text) = name.value else { throw name.error("a name must be a text, not \(name.kind)") }
        fields.append(.init(name: text, place: name.place, value: try convert(child, file: file, depth: depth + 1)))
      }
      return DocumentNode(value: .fields(fields), place: place)
    case .alias: throw DocumentError(place, noAliases)
    }
  }

  /// Whether the text has so many aliases of anchors that reading it, which hashes the names of fields, could take for
  /// ever. Few are harmless; they are refused with their place afterwards.
  private static func mayExplode(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let marks = (anchor: UInt8(ascii: "&"), alias: UInt8(ascii: "*"))
    guard bytes.contains(marks.anchor), bytes.contains(marks.alias) else { return false }
    var anchors: Set<[UInt8]> = []
    var aliases = 0
    for (index, byte) in bytes.enumerated() where byte == marks.anchor || byte == marks.alias {
      let isStart = index == 0 || " \t\r\n[{,:-?".utf8.contains(bytes[index - 1])
      let name = Array(bytes[(index + 1)...].prefix(64).prefix { Self.isName($0) })
      if !isStart || name.isEmpty { continue }
      if byte == marks.anchor { anchors.insert(name) } else if anchors.contains(name) { aliases += 1 }
    }
    return aliases > 16
  }

  private static func isName(_ byte: UInt8) -> Bool { !" \t\r\n[]{},".utf8.contains(byte) }

  private static func explain(_ error: YamlError, file: String) -> DocumentError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return DocumentError(Place(file: file, line: mark.line, column: mark.column), "not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let names, let context):
      let place = Place(file: file, line: context.mark.line, column: context.mark.column)
      return DocumentError(place, "\((names.first ?? "a name").quoted) is given twice")
    case .reader(let problem, let offset, _, let yaml):
      let before = yaml.prefix(offset ?? 0)
      let line = before.count(where: \.isNewline) + 1
      let column =
        (before.lastIndex(where: \.isNewline).map { before.distance(from: $0, to: before.endIndex) } ?? before.count + 1)
      return DocumentError(Place(file: file, line: line, column: column), "not valid YAML: \(problem)")
    default: return DocumentError(file: file, "it is not valid YAML")
    }
  }
}

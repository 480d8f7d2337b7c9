import Forms
import Support

/// Reads JSON Lines with the place of every value: one object a line, empty lines left out. Fields stay in their order.
package enum JSONLinesDocument {
  package static func read(_ text: String, file: String) throws(DocumentError) -> [DocumentNode] {
    var nodes: [DocumentNode] = []
    for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      let place = Place(file: file, line: index + 1, column: 1)
      let value: OrderedJSON
      do { value = try OrderedJSON(utf8: line) } catch {
        throw DocumentError(
          Place(file: file, line: index + 1, column: error.offset + 1), "not valid JSON: \(error.reason)")
      }
      let column =
        line.distance(from: line.startIndex, to: line.firstIndex { $0 != 0x20 && $0 != 0x09 } ?? line.startIndex) + 1
      nodes.append(
        try convert(
          value, in: String(Substring(line)), at: Place(file: file, line: place.line, column: column), depth: 0))
    }
    return nodes
  }

  /// Values stand where the name of their field does: near enough to find them in a line.
  private static func convert(
    _ json: OrderedJSON, in line: String, at place: Place, depth: Int
  ) throws(DocumentError) -> DocumentNode {
    if depth > DocumentNode.deepest { throw DocumentError(place, "nested too deeply") }
    switch json {
    case .null: return DocumentNode(value: .null, place: place)
    case .bool(let value): return DocumentNode(value: .scalar(String(value)), place: place, isPlain: true)
    case .integer(let value): return DocumentNode(value: .scalar(String(value)), place: place, isPlain: true)
    case .number(let value): return DocumentNode(value: .scalar(String(value)), place: place, isPlain: true)
    case .string(let value): return DocumentNode(value: .scalar(value), place: place)
    case .array(let values):
      var list: [DocumentNode] = []
      for value in values { list.append(try convert(value, in: line, at: place, depth: depth + 1)) }
      return DocumentNode(value: .list(list), place: place)
    case .object(let members):
      var fields: [DocumentNode.Field] = []
      for (name, value) in members {
        // No group of fields that means something is large; looking for each of many would take long.
        let found = members.count <= 32 ? line.firstRange(of: "\"\(name)\"") : nil
        let column = found.map { line.distance(from: line.startIndex, to: $0.lowerBound) + 1 }
        let place = Place(file: place.file, line: place.line, column: column ?? place.column)
        fields.append(.init(name: name, place: place, value: try convert(value, in: line, at: place, depth: depth + 1)))
      }
      return DocumentNode(value: .fields(fields), place: place)
    }
  }
}

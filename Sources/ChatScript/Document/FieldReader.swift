import ChatEngine
import Support

/// Reads the fields of a group, each at most once, and knows which there are.
package struct FieldReader {
  private let node: DocumentNode
  private var fields: [String: DocumentNode.Field] = [:]

  /// - Parameters:
  ///   - known: all names that may occur.
  ///   - kind: what a name is called in messages: “setting”, “step”.
  /// - Throws: `DocumentError` for a name that is not known, with the nearest that is, or one that is there twice.
  package init(_ node: DocumentNode, known: [String], kind: String) throws(DocumentError) {
    guard case .fields(let list) = node.value else {
      throw node.error("fields such as “\(known.first ?? "name"): …” expected, not \(node.kind)")
    }
    self.node = node
    for field in list {
      guard known.contains(field.name) else {
        let nearest = nearestName(to: field.name, among: known).map { "; did you mean “\($0)”?" } ?? ""
        throw DocumentError(field.place, "unknown \(kind) \(field.name.quoted)\(nearest)")
      }
      guard fields.updateValue(field, forKey: field.name) == nil else {
        throw DocumentError(field.place, "\(field.name.quoted) is given twice")
      }
    }
  }

  package subscript(_ name: String) -> DocumentNode? { fields[name]?.value }
  package func place(of name: String) -> Place? { fields[name]?.place }
  package var place: Place { node.place }
  /// Those that are there, in the order of the file.
  package var names: [String] {
    guard case .fields(let list) = node.value else { return [] }
    return list.map(\.name)
  }
}

extension FieldReader {
  /// The text of a field that is there.
  package func text(_ name: String) throws(DocumentError) -> String? {
    guard let node = self[name] else { return nil }
    return try node.text(name)
  }

  package func bool(_ name: String) throws(DocumentError) -> Bool? {
    guard let node = self[name] else { return nil }
    switch try node.text(name).lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: throw node.error("\(name) is true or false")
    }
  }

  package func integer(_ name: String, in range: ClosedRange<Int>) throws(DocumentError) -> Int? {
    guard let node = self[name] else { return nil }
    guard let value = Int(try node.text(name)), range.contains(value) else {
      let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
      throw node.error("\(name) is a whole number from \(range.lowerBound)\(upper)")
    }
    return value
  }

  /// A finite number above zero.
  package func positive(_ name: String) throws(DocumentError) -> Double? {
    guard let node = self[name] else { return nil }
    guard let value = Double(try node.text(name)), value > 0, value.isFinite else {
      throw node.error("\(name) is a number above 0")
    }
    return value
  }

  /// One of a few words.
  package func word<Word: RawRepresentable>(_ name: String, among words: [Word]) throws(DocumentError) -> Word?
  where Word.RawValue == String {
    guard let node = self[name] else { return nil }
    let text = try node.text(name)
    guard let word = words.first(where: { $0.rawValue == text }) else {
      throw node.error("\(name) is \(words.map(\.rawValue).joined(separator: ", ")), not \(text.quoted)")
    }
    return word
  }

  /// A text, or a list of them; empty if the field is not there.
  package func texts(_ name: String) throws(DocumentError) -> [String] {
    guard let node = self[name] else { return [] }
    return try node.texts(name)
  }
}

extension DocumentNode {
  package func text(_ name: String) throws(DocumentError) -> String {
    guard case .scalar(let text) = value else { throw error("\(name) needs a text, not \(kind)") }
    return text
  }

  package func texts(_ name: String) throws(DocumentError) -> [String] {
    guard case .list(let nodes) = value else { return [try text(name)] }
    var texts: [String] = []
    for node in nodes { texts.append(try node.text(name)) }
    return texts
  }
}

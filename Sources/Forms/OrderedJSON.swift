import Support

/// A JSON document whose objects keep the order of their names: a schema's properties are written in it.
public enum OrderedJSON: JSONDocument, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([OrderedJSON])
  case object([(key: String, value: OrderedJSON)])

  public static func object(
    members: [(key: String, value: OrderedJSON)]
  ) throws(JSONDuplicateName) -> OrderedJSON {
    var names: Set<String> = []
    for (key, _) in members where !names.insert(key).inserted { throw JSONDuplicateName(name: key) }
    return .object(members)
  }

  /// The member of this name; `nil` where there is none, or where this is no object.
  public subscript(name: String) -> OrderedJSON? { object?.first { $0.key == name }?.value }

  var object: [(key: String, value: OrderedJSON)]? { if case .object(let members) = self { members } else { nil } }
  var array: [OrderedJSON]? { if case .array(let elements) = self { elements } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  var integer: Int? { double.flatMap { Int(exactly: $0) } }

  /// The document as it is written, without spaces.
  public var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): Self.quoted(value)
    case .array(let elements): "[" + elements.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.key) + ":" + $0.value.text }.joined(separator: ",") + "}"
    }
  }

  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

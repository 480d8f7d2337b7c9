/// A JSON document, read strictly: duplicate keys, trailing text, bad UTF-8 and deep nesting are errors.
///
/// Foundation's readers keep the last of two equal keys, so a safetensors header or an index could say two things;
/// hence this one.
public enum JSONValue: JSONDocument, Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number written without fraction or exponent that fits.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// What is wrong with a text that is not JSON, and at which byte.
  public struct SyntaxError: Error, CustomStringConvertible, Sendable {
    public let reason: String
    public let offset: Int
    public var description: String { "invalid JSON at byte \(offset): \(reason)" }
  }

  /// Keeps no order of names.
  public static func object(members: [(key: String, value: JSONValue)]) throws(JSONDuplicateName) -> JSONValue {
    var object: [String: JSONValue] = [:]
    object.reserveCapacity(members.count)
    for (key, value) in members where object.updateValue(value, forKey: key) != nil {
      throw JSONDuplicateName(name: key)
    }
    return .object(object)
  }

  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  public var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var integer: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// What kind of value this is, for messages.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

/// What a JSON document can be read into.
public protocol JSONDocument {
  static var null: Self { get }
  static func bool(_ value: Bool) -> Self
  static func integer(_ value: Int) -> Self
  static func number(_ value: Double) -> Self
  static func string(_ value: String) -> Self
  static func array(_ elements: [Self]) -> Self
  /// - Parameter members: in the order of the text.
  static func object(members: [(key: String, value: Self)]) throws(JSONDuplicateName) -> Self
}

extension JSONDocument {
  /// Reads one document from UTF-8 bytes.
  public init(utf8 bytes: some Collection<UInt8>) throws(JSONValue.SyntaxError) {
    var reader = JSONReader(Array(bytes))
    self = try reader.document()
  }
}

/// A name that stands twice in one object.
public struct JSONDuplicateName: Error, Sendable {
  public let name: String

  public init(name: String) { self.name = name }
}

extension JSONValue: ExpressibleByStringLiteral {
  public init(stringLiteral value: String) { self = .string(value) }
}

/// As part of another document, read and written by Foundation.
extension JSONValue: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

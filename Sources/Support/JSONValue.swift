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
    var reader = JSONReader<Self>(Array(bytes))
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

/// A recursive-descent reader of RFC 8259.
private struct JSONReader<Document: JSONDocument> {
  let bytes: [UInt8]
  var position = 0
  private let deepest = 64

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func failure(_ reason: String) -> JSONValue.SyntaxError { .init(reason: reason, offset: position) }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func document() throws(JSONValue.SyntaxError) -> Document {
    let result = try value(depth: 0)
    skipSpace()
    if position < bytes.count { throw failure("text after the document") }
    return result
  }

  mutating func value(depth: Int) throws(JSONValue.SyntaxError) -> Document {
    if depth > deepest { throw failure("nested too deeply") }
    skipSpace()
    guard let byte = next else { throw failure("it ends too early") }
    switch byte {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ text: String, _ value: Document) throws(JSONValue.SyntaxError) -> Document {
    let expected = Array(text.utf8)
    guard bytes.count - position >= expected.count,
      Array(bytes[position..<position + expected.count]) == expected
    else { throw failure("unknown word") }
    position += expected.count
    return value
  }

  mutating func object(depth: Int) throws(JSONValue.SyntaxError) -> Document {
    position += 1
    var members: [(key: String, value: Document)] = []
    skipSpace()
    if next == UInt8(ascii: "}") {
      position += 1
      return try object(of: members)
    }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a key must be a string") }
      let key = try string()
      skipSpace()
      guard next == UInt8(ascii: ":") else { throw failure("“:” expected after a key") }
      position += 1
      members.append((key, try value(depth: depth + 1)))
      skipSpace()
      switch next {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"):
        position += 1
        return try object(of: members)
      default: throw failure("“,” or “}” expected")
      }
    }
  }

  func object(of members: [(key: String, value: Document)]) throws(JSONValue.SyntaxError) -> Document {
    do { return try Document.object(members: members) } catch { throw failure("duplicate name “\(error.name)”") }
  }

  mutating func array(depth: Int) throws(JSONValue.SyntaxError) -> Document {
    position += 1
    var result: [Document] = []
    skipSpace()
    if next == UInt8(ascii: "]") {
      position += 1
      return .array(result)
    }
    while true {
      result.append(try value(depth: depth + 1))
      skipSpace()
      switch next {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"):
        position += 1
        return .array(result)
      default: throw failure("“,” or “]” expected")
      }
    }
  }

  mutating func string() throws(JSONValue.SyntaxError) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else { throw failure("invalid UTF-8") }
        return result
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw failure("control character in a string")
      default: text.append(byte)
      }
    }
    throw failure("a string does not end")
  }

  mutating func escape(into text: inout [UInt8]) throws(JSONValue.SyntaxError) {
    guard let byte = next else { throw failure("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code) {
        guard next == UInt8(ascii: "\\"), position + 1 < bytes.count,
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("half a surrogate pair") }
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw failure("unknown escape")
    }
  }

  mutating func hexadecimal() throws(JSONValue.SyntaxError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("four hexadecimal digits expected")
      }
      position += 1
      code = code << 4 | UInt32(digit)
    }
    return code
  }

  mutating func number() throws(JSONValue.SyntaxError) -> Document {
    let start = position
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
    if next == UInt8(ascii: "-") { position += 1 }
    guard isDigit(next) else { throw failure("a value expected") }
    if next == UInt8(ascii: "0") {
      position += 1
    } else {
      while isDigit(next) { position += 1 }
    }
    var isInteger = true
    if next == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      guard isDigit(next) else { throw failure("a digit expected") }
      while isDigit(next) { position += 1 }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      guard isDigit(next) else { throw failure("a digit expected") }
      while isDigit(next) { position += 1 }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw failure("not a number") }
    return .number(value)
  }
}

/// A recursive-descent reader of RFC 8259, for every `JSONDocument` and for documents whose large parts go elsewhere than into one.
package struct JSONReader {
  private let bytes: [UInt8]
  /// Of all bytes: then strings need not be looked at one by one.
  private let isValidUTF8: Bool
  private var position = 0
  private static let deepest = 64

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    isValidUTF8 = String(validating: bytes, as: UTF8.self) != nil
  }

  package func failure(_ reason: String) -> JSONValue.SyntaxError { .init(reason: reason, offset: position) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  package mutating func document<Document: JSONDocument>() throws(JSONValue.SyntaxError) -> Document {
    let result: Document = try value()
    try end()
    return result
  }

  /// Nothing but white space may follow.
  package mutating func end() throws(JSONValue.SyntaxError) {
    skipSpace()
    if position < bytes.count { throw failure("text after the document") }
  }

  package mutating func value<Document: JSONDocument>(depth: Int = 0) throws(JSONValue.SyntaxError) -> Document {
    if depth > Self.deepest { throw failure("nested too deeply") }
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

  private mutating func word<Document: JSONDocument>(
    _ text: String, _ value: Document
  ) throws(JSONValue.SyntaxError) -> Document {
    let expected = Array(text.utf8)
    guard bytes.count - position >= expected.count,
      Array(bytes[position..<position + expected.count]) == expected
    else { throw failure("unknown word") }
    position += expected.count
    return value
  }

  private mutating func object<Document: JSONDocument>(depth: Int) throws(JSONValue.SyntaxError) -> Document {
    var found: [(key: String, value: Document)] = []
    try members { reader, key throws(JSONValue.SyntaxError) in
      found.append((key, try reader.value(depth: depth + 1)))
    }
    do { return try Document.object(members: found) } catch { throw failure("duplicate name “\(error.name)”") }
  }

  private mutating func array<Document: JSONDocument>(depth: Int) throws(JSONValue.SyntaxError) -> Document {
    var result: [Document] = []
    try elements { reader throws(JSONValue.SyntaxError) in result.append(try reader.value(depth: depth + 1)) }
    return .array(result)
  }

  /// Reads an object; `body` reads the value of each name.
  package mutating func members(
    _ body: (inout JSONReader, String) throws(JSONValue.SyntaxError) -> Void
  ) throws(JSONValue.SyntaxError) {
    try entries { reader throws(JSONValue.SyntaxError) in
      let name = try reader.string()
      try reader.colon()
      try body(&reader, name)
    }
  }

  /// The same for an object of very many names: `body` reads each with its colon and value.
  package mutating func entries(
    _ body: (inout JSONReader) throws(JSONValue.SyntaxError) -> Void
  ) throws(JSONValue.SyntaxError) {
    skipSpace()
    guard next == UInt8(ascii: "{") else { throw failure("an object expected") }
    position += 1
    skipSpace()
    if next == UInt8(ascii: "}") {
      position += 1
      return
    }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a key must be a string") }
      try body(&self)
      skipSpace()
      switch next {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"):
        position += 1
        return
      default: throw failure("“,” or “}” expected")
      }
    }
  }

  /// What stands between a name and its value.
  package mutating func colon() throws(JSONValue.SyntaxError) {
    skipSpace()
    guard next == UInt8(ascii: ":") else { throw failure("“:” expected after a key") }
    position += 1
  }

  /// Reads a list; `body` reads each of its values.
  package mutating func elements(
    _ body: (inout JSONReader) throws(JSONValue.SyntaxError) -> Void
  ) throws(JSONValue.SyntaxError) {
    skipSpace()
    guard next == UInt8(ascii: "[") else { throw failure("a list expected") }
    position += 1
    skipSpace()
    if next == UInt8(ascii: "]") {
      position += 1
      return
    }
    while true {
      try body(&self)
      skipSpace()
      switch next {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"):
        position += 1
        return
      default: throw failure("“,” or “]” expected")
      }
    }
  }

  /// What the next value begins with; `nil` at the end.
  package mutating func peek() -> UInt8? {
    skipSpace()
    return next
  }

  /// Reads a string of valid UTF-8 in which there is nothing to replace, as most are.
  /// - Returns: where it lies in the document. `nil` where there is none, and nothing was read.
  package mutating func plainString() -> Range<Int>? {
    skipSpace()
    guard isValidUTF8, next == UInt8(ascii: "\"") else { return nil }
    let start = position + 1
    var place = start
    while place < bytes.count, case let byte = bytes[place], byte >= 0x20, byte != UInt8(ascii: "\""),
      byte != UInt8(ascii: "\\")
    {
      place += 1
    }
    guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
    position = place + 1
    return start..<place
  }

  /// Reads a string.
  package mutating func string() throws(JSONValue.SyntaxError) -> String {
    if let place = plainString() { return String(decoding: bytes[place], as: UTF8.self) }
    guard next == UInt8(ascii: "\"") else { throw failure("a string expected") }
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: text, as: UTF8.self) else { throw failure("invalid UTF-8") }
        return text
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw failure("control character in a string")
      default: text.append(byte)
      }
    }
    throw failure("a string does not end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONValue.SyntaxError) {
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

  private mutating func hexadecimal() throws(JSONValue.SyntaxError) -> UInt32 {
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

  /// Reads a whole number; `nil` if what is there is something else, which is read all the same.
  package mutating func integer() throws(JSONValue.SyntaxError) -> Int? {
    skipSpace()
    // Mostly there are a few digits, without a sign.
    var place = position
    var value = 0
    while place < bytes.count, place - position < 18, bytes[place] &- 0x30 < 10 {
      value = 10 * value + Int(bytes[place] - 0x30)
      place += 1
    }
    let isPlain = place > position && (place == position + 1 || bytes[position] != 0x30)
    if isPlain, place < bytes.count, Self.endsNumber(bytes[place]) {
      position = place
      return value
    }
    let other: JSONValue = try self.value()
    return other.integer
  }

  /// It can stand right behind a number, and is none of its characters.
  private static func endsNumber(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || byte <= 0x20
  }

  private mutating func number<Document: JSONDocument>() throws(JSONValue.SyntaxError) -> Document {
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

// Values as text: Python's repr() and json.dumps().

extension Value {
  static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    // Python changes to exponents from 1e16 on, as Swift does.
    return "\(value)"
  }
}

/// Writes values as Python's `repr()` does.
struct Representation {
  let limits: TemplateLimits
  private(set) var text = MarkedString([])
  /// The namespaces that are being written: one may hold itself.
  private var open: [ObjectIdentifier] = []

  init(limits: TemplateLimits) { self.limits = limits }

  /// - Throws: `Failure` for what is too long or too deep.
  mutating func write(_ value: Value, level: Int = 0) throws {
    if level > limits.depth { throw Failure("nested too deeply") }
    switch value {
    case .undefined: try add("Undefined")
    case .none: try add("None")
    case .bool(let value): try add(value ? "True" : "False")
    case .integer(let value): try add(MarkedString(String(value)))
    case .float(let value): try add(MarkedString(Value.text(of: value)))
    case .string(let text):
      if text.isMarkup { try add("Markup(") }
      try add(text.represented)
      if text.isMarkup { try add(")") }
    case .list(let items): try write(items, "[", "]", level)
    case .tuple(let items): try write(items, "(", items.count == 1 ? ",)" : ")", level)
    case .dict(let dict): try write(dict, level)
    case .namespace(let space):
      try add("<Namespace ")
      if open.contains(ObjectIdentifier(space)) {
        try add("{...}")
      } else {
        open.append(ObjectIdentifier(space))
        try write(space.attributes, level)
        open.removeLast()
      }
      try add(">")
    case .loop(let loop): try add(MarkedString("<LoopContext \(loop.index + 1)/\(loop.items.count)>"))
    case .macro(let macro): try add(MarkedString("<Macro '\(macro.definition.name)'>"))
    case .function(let name): try add(MarkedString("<function \(name)>"))
    case .method(_, let name): try add(MarkedString("<built-in method \(name)>"))
    case .iterable(let iterable):
      switch iterable.kind {
      case .generator: try add("<generator object>")
      case .view(let name): try write(Array(iterable.rest), MarkedString("\(name)(["), "])", level)
      case .range(let bounds): try add(MarkedString("range(\(bounds.map(String.init).joined(separator: ", ")))"))
      }
    }
  }

  private mutating func add(_ part: MarkedString) throws {
    text += part
    if text.count > limits.length { throw Failure("it makes too much text") }
  }

  private mutating func write(_ items: [Value], _ open: MarkedString, _ close: MarkedString, _ level: Int) throws {
    try add(open)
    for (index, item) in items.enumerated() {
      if index > 0 { try add(", ") }
      try write(item, level: level + 1)
    }
    try add(close)
  }

  private mutating func write(_ dict: OrderedDict, _ level: Int) throws {
    try add("{")
    for (index, item) in dict.items.enumerated() {
      if index > 0 { try add(", ") }
      try write(item.key, level: level + 1)
      try add(": ")
      try write(item.value, level: level + 1)
    }
    try add("}")
  }
}

extension MarkedString {
  /// A character spelled otherwise is still its author's.
  fileprivate mutating func append(_ text: String, for unit: Unit) {
    for scalar in text.unicodeScalars { units.append(scalar.value | unit & ~Self.codeMask) }
  }

  fileprivate static func hexadecimal(_ code: Unit, width: Int) -> String {
    let digits = String(code, radix: 16)
    return String(repeating: "0", count: width - digits.count) + digits
  }

  /// Python's `repr()` of a string.
  var represented: MarkedString {
    let hasSingle = units.contains { Self.code($0) == 0x27 }
    let hasDouble = units.contains { Self.code($0) == 0x22 }
    let quote: MarkedString = hasSingle && !hasDouble ? "\"" : "'"
    var result = quote
    for unit in units {
      let code = Self.code(unit)
      switch code {
      case 0x5C: result.append("\\\\", for: unit)
      case 0x0A: result.append("\\n", for: unit)
      case 0x0D: result.append("\\r", for: unit)
      case 0x09: result.append("\\t", for: unit)
      case 0x27 where hasDouble: result.append("\\'", for: unit)
      case 0x20...0x7E: result.units.append(unit)
      case 0..<0x100 where !Self.isPrintable(unit):
        result.append("\\x" + Self.hexadecimal(code, width: 2), for: unit)
      case 0..<0x1_0000 where !Self.isPrintable(unit):
        result.append("\\u" + Self.hexadecimal(code, width: 4), for: unit)
      default:
        if Self.isPrintable(unit) {
          result.units.append(unit)
        } else {
          result.append("\\U" + Self.hexadecimal(code, width: 8), for: unit)
        }
      }
    }
    result += quote
    return result
  }

  /// As Python's `isprintable` has it.
  private static func isPrintable(_ unit: Unit) -> Bool {
    guard let scalar = Unicode.Scalar(code(unit)) else { return false }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
    case .spaceSeparator: return scalar == " "
    default: return true
    }
  }
}

/// Writes values as `json.dumps` does.
struct JSONWriter {
  /// What a level is indented by; `nil` for one line.
  var indent: MarkedString?
  /// How keys are ordered; `nil` for as they are.
  var precedes: ((Value, Value) throws -> Bool)?
  var escapesNonASCII = false
  var separators: (item: MarkedString, key: MarkedString)
  /// The longest text, in characters.
  let limit: Int
  private(set) var output = MarkedString([])

  init(indent: MarkedString?, limit: Int) {
    self.indent = indent
    self.limit = limit
    separators = indent == nil ? (", ", ": ") : (",", ": ")
  }

  /// - Throws: `Failure` for what JSON does not have, and for what is too long.
  mutating func write(_ value: Value, level: Int = 0) throws {
    if level > 200 { throw Failure("nested too deeply for JSON") }
    switch value {
    case .none: try add("null")
    case .bool(let value): try add(value ? "true" : "false")
    case .integer(let value): try add(MarkedString(String(value)))
    case .float(let value): try add(Self.text(of: value))
    case .string(let text): try add(quoted(text))
    case .list(let items), .tuple(let items):
      try writeBlock(items, "[", "]", level) { writer, item in try writer.write(item, level: level + 1) }
    case .dict(let dict):
      var items = dict.items
      if let precedes { try items.sort { try precedes($0.key, $1.key) } }
      try writeBlock(items, "{", "}", level) { writer, item in
        try writer.add(writer.quoted(try Self.name(item.key)))
        try writer.add(writer.separators.key)
        try writer.write(item.value, level: level + 1)
      }
    default: throw Failure("a \(value.typeName) cannot be written as JSON")
    }
  }

  private mutating func add(_ text: MarkedString) throws {
    output += text
    if output.count > limit { throw Failure("it makes too much text") }
  }

  private mutating func writeBlock<Item>(
    _ items: [Item], _ open: MarkedString, _ close: MarkedString, _ level: Int,
    _ write: (inout JSONWriter, Item) throws -> Void
  ) throws {
    try add(open)
    for (index, item) in items.enumerated() {
      if index > 0 { try add(separators.item) }
      try addLine(level + 1)
      try write(&self, item)
    }
    if !items.isEmpty { try addLine(level) }
    try add(close)
  }

  private mutating func addLine(_ level: Int) throws {
    guard let indent else { return }
    try add("\n")
    for _ in 0..<level { try add(indent) }
  }

  private static func text(of value: Double) -> MarkedString {
    MarkedString(
      value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : Value.text(of: value))
  }

  private static func name(_ key: Value) throws -> MarkedString {
    switch key {
    case .string(let text): return text
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return MarkedString(String(value))
    case .float(let value): return text(of: value)
    default: throw Failure("a \(key.typeName) cannot be a name in JSON")
    }
  }

  private func quoted(_ text: MarkedString) -> MarkedString {
    var result: MarkedString = "\""
    for unit in text.units {
      let code = MarkedString.code(unit)
      let escape: String? =
        switch code {
        case 0x22: "\\\""
        case 0x5C: "\\\\"
        case 0x0A: "\\n"
        case 0x0D: "\\r"
        case 0x09: "\\t"
        case 0x08: "\\b"
        case 0x0C: "\\f"
        case 0..<0x20: Self.escape(code)
        case 0x7F... where escapesNonASCII:
          // Beyond 16 bits in two halves, as UTF-16 has it.
          code < 0x1_0000
            ? Self.escape(code)
            : Self.escape(0xD800 + (code - 0x1_0000) >> 10) + Self.escape(0xDC00 + (code - 0x1_0000) & 0x3FF)
        default: nil
        }
      if let escape {
        result.append(escape, for: unit)
      } else {
        result.units.append(unit)
      }
    }
    result += "\""
    return result
  }

  private static func escape(_ code: UInt32) -> String { "\\u" + MarkedString.hexadecimal(code, width: 4) }
}

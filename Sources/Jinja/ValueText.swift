// Values as text: Python's str(), repr() and json.dumps().

extension Value {
  /// Python's `str()`; what is undefined is nothing.
  var printed: MarkedString {
    switch self {
    case .undefined: ""
    case .string(let text): text
    default: represented
    }
  }

  /// Python's `repr()`.
  var represented: MarkedString {
    func joined(_ parts: [MarkedString], _ open: MarkedString, _ close: MarkedString) -> MarkedString {
      var text = open
      for (index, part) in parts.enumerated() {
        if index > 0 { text += ", " }
        text += part
      }
      text += close
      return text
    }
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return MarkedString(String(value))
    case .float(let value): return MarkedString(Self.text(of: value))
    case .string(let text): return text.isMarkup ? joined([text.represented], "Markup(", ")") : text.represented
    case .list(let items): return joined(items.map(\.represented), "[", "]")
    case .tuple(let items):
      return joined(items.map(\.represented), "(", items.count == 1 ? ",)" : ")")
    case .dict(let dict):
      return joined(dict.items.map { $0.key.represented + ": " + $0.value.represented }, "{", "}")
    case .namespace(let space):
      // One may hold itself.
      let attributes = space.attributes.items.map { key, value in
        key.represented + ": " + (value.holdsNamespace ? "..." : value.represented)
      }
      return joined(attributes, "<Namespace {", "}>")
    case .loop(let loop): return MarkedString("<LoopContext \(loop.index + 1)/\(loop.items.count)>")
    case .macro(let macro): return MarkedString("<Macro '\(macro.definition.name)'>")
    case .function(let name): return MarkedString("<function \(name)>")
    case .method(_, let name): return MarkedString("<built-in method \(name)>")
    case .iterable(let iterable): return iterable.represented
    }
  }

  private var holdsNamespace: Bool {
    switch self {
    case .namespace: true
    case .list(let items), .tuple(let items): items.contains(where: \.holdsNamespace)
    case .dict(let dict): dict.items.contains { $0.value.holdsNamespace }
    default: false
    }
  }

  static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    // Python changes to exponents from 1e16 on, as Swift does.
    return "\(value)"
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
  var sortsKeys = false
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
      if sortsKeys { try items.sort { try Value.isLess($0.key, $1.key) } }
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

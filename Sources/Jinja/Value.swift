/// A value as templates handle one. Lists and dicts cannot be changed by a template, so copies are as good as references;
/// only a namespace is one.
indirect enum Value: Sendable {
  /// What a name means that nothing was assigned to.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(MarkedString)
  case list([Value])
  case tuple([Value])
  case dict(OrderedDict)
  case namespace(Namespace)
  case loop(LoopState)
  case macro(Macro)
  case function(String)

  /// Python's name of the type.
  var typeName: String {
    switch self {
    case .undefined: "undefined"
    case .none: "None"
    case .bool: "bool"
    case .integer: "int"
    case .float: "float"
    case .string: "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dict: "dict"
    case .namespace: "namespace"
    case .loop: "loop"
    case .macro: "macro"
    case .function: "function"
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .float(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let items), .tuple(let items): !items.isEmpty
    case .dict(let dict): !dict.keys.isEmpty
    case .namespace, .loop, .macro, .function: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var string: MarkedString? { if case .string(let value) = self { value } else { nil } }

  /// A number, truth values counting as 0 and 1.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }

  var integer: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var sequence: [Value]? {
    switch self {
    case .list(let items), .tuple(let items): items
    default: nil
    }
  }
}

/// A dict in the order in which its keys came.
struct OrderedDict: Sendable {
  private(set) var keys: [Value] = []
  private var values: [Key: Value] = [:]

  enum Key: Hashable, Sendable {
    case none
    case number(Double)
    case string(MarkedString)
    case tuple([Key])

    init?(_ value: Value) {
      switch value {
      case .none: self = .none
      case .bool, .integer, .float: self = .number(value.number ?? 0)
      case .string(let text): self = .string(text)
      case .tuple(let items):
        let keys = items.compactMap(Key.init)
        guard keys.count == items.count else { return nil }
        self = .tuple(keys)
      default: return nil
      }
    }
  }

  subscript(_ key: Value) -> Value? { Key(key).flatMap { values[$0] } }
  subscript(_ key: String) -> Value? { values[.string(MarkedString(key))] }

  /// - Throws: `Failure` for what cannot be a key.
  mutating func set(_ key: Value, _ value: Value) throws {
    guard let hashed = Key(key) else { throw Failure("a \(key.typeName) cannot be a key") }
    if values.updateValue(value, forKey: hashed) == nil { keys.append(key) }
  }

  var items: [(key: Value, value: Value)] { keys.map { ($0, self[$0] ?? .none) } }
}

/// `namespace(…)`: what templates change across scopes.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class Namespace: @unchecked Sendable {
  var attributes: OrderedDict

  init(_ attributes: OrderedDict) { self.attributes = attributes }
}

/// `loop` in the body of a loop.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class LoopState: @unchecked Sendable {
  let items: [Value]
  let depth: Int
  let statement: ForLoop
  let scope: Scope
  var index = 0
  var lastChanged: [Value]?

  init(_ items: [Value], depth: Int, statement: ForLoop, scope: Scope) {
    self.items = items
    self.depth = depth
    self.statement = statement
    self.scope = scope
  }

  func attribute(_ name: String) -> Value? {
    switch name {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(items.count)
    case "depth": .integer(depth)
    case "depth0": .integer(depth - 1)
    case "previtem": index > 0 ? items[index - 1] : .undefined("there is no previous item")
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined("there is no next item")
    default: nil
    }
  }
}

/// A macro with the scope it was defined in.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class Macro: @unchecked Sendable {
  let definition: MacroDefinition
  let scope: Scope

  init(_ definition: MacroDefinition, in scope: Scope) {
    self.definition = definition
    self.scope = scope
  }
}

/// Names and what they mean, within a part of a template.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class Scope: @unchecked Sendable {
  private var values: [String: Value] = [:]
  private let parent: Scope?

  init(in parent: Scope?) { self.parent = parent }

  subscript(_ name: String) -> Value? {
    get { values[name] ?? parent?[name] }
    set { values[name] = newValue }
  }
}

// MARK: - Comparison

extension Value {
  static func areEqual(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let a), .string(let b)): return a == b
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      return a.count == b.count && zip(a, b).allSatisfy(areEqual)
    case (.dict(let a), .dict(let b)):
      return a.keys.count == b.keys.count
        && a.items.allSatisfy { item in b[item.key].map { areEqual(item.value, $0) } ?? false }
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.macro(let a), .macro(let b)): return a === b
    default:
      if let a = a.integer, let b = b.integer { return a == b }
      if let a = a.number, let b = b.number { return a == b }
      return false
    }
  }

  /// - Throws: `Failure` for what has no order.
  static func isLess(_ a: Value, _ b: Value) throws -> Bool {
    if let a = a.number, let b = b.number { return a < b }
    if let a = a.string, let b = b.string { return a < b }
    if let a = a.sequence, let b = b.sequence {
      for (left, right) in zip(a, b) where !areEqual(left, right) { return try isLess(left, right) }
      return a.count < b.count
    }
    throw Failure("a \(a.typeName) and a \(b.typeName) cannot be compared")
  }
}

// MARK: - As text

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
      return text + close
    }
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return MarkedString(String(value))
    case .float(let value): return MarkedString(Self.text(of: value))
    case .string(let text): return Self.quoted(text)
    case .list(let items): return joined(items.map(\.represented), "[", "]")
    case .tuple(let items):
      return joined(items.map(\.represented), "(", items.count == 1 ? ",)" : ")")
    case .dict(let dict):
      return joined(dict.items.map { $0.key.represented + ": " + $0.value.represented }, "{", "}")
    case .namespace(let space): return "<Namespace " + Value.dict(space.attributes).represented + ">"
    case .loop: return "<LoopContext>"
    case .macro(let macro): return MarkedString("<Macro '\(macro.definition.name)'>")
    case .function(let name): return MarkedString("<function \(name)>")
    }
  }

  static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    // Python changes to exponents from 1e16 on, as Swift does.
    return "\(value)"
  }

  private static func quoted(_ text: MarkedString) -> MarkedString {
    let hasSingle = text.units.contains { MarkedString.code($0) == 0x27 }
    let hasDouble = text.units.contains { MarkedString.code($0) == 0x22 }
    let quote: MarkedString = hasSingle && !hasDouble ? "\"" : "'"
    var result = quote
    for unit in text.units {
      let code = MarkedString.code(unit)
      switch code {
      case 0x5C: result += "\\\\"
      case 0x0A: result += "\\n"
      case 0x0D: result += "\\r"
      case 0x09: result += "\\t"
      case 0x27 where !(hasSingle && !hasDouble): result += "\\'"
      case 0..<0x20, 0x7F...0xA0, 0xAD:
        let digits = String(code, radix: 16)
        result += MarkedString("\\x" + String(repeating: "0", count: 2 - digits.count) + digits)
      default: result.units.append(unit)
      }
    }
    return result + quote
  }

  /// `json.dumps` as transformers has it: nothing escaped but what JSON must.
  /// - Throws: `Failure` for what JSON does not have.
  func json(
    indent: Int?, sortKeys: Bool, separators: (item: String, key: String)?, level: Int = 0
  ) throws -> MarkedString {
    let separators = separators ?? (indent == nil ? (", ", ": ") : (",", ": "))
    func block(_ parts: [MarkedString], _ open: MarkedString, _ close: MarkedString) -> MarkedString {
      if parts.isEmpty { return open + close }
      func line(_ level: Int) -> MarkedString {
        indent.map { MarkedString("\n" + String(repeating: " ", count: max(0, $0) * level)) } ?? ""
      }
      var text = open + line(level + 1)
      for (index, part) in parts.enumerated() {
        if index > 0 { text += MarkedString(separators.item) + line(level + 1) }
        text += part
      }
      return text + line(level) + close
    }
    func inner(_ value: Value) throws -> MarkedString {
      if level > 200 { throw Failure("nested too deeply for JSON") }
      return try value.json(indent: indent, sortKeys: sortKeys, separators: separators, level: level + 1)
    }
    switch self {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return MarkedString(String(value))
    case .float(let value):
      return MarkedString(
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : Self.text(of: value))
    case .string(let text): return Self.jsonString(text)
    case .list(let items), .tuple(let items): return block(try items.map(inner), "[", "]")
    case .dict(let dict):
      var items = dict.items
      if sortKeys { try items.sort { try Value.isLess($0.key, $1.key) } }
      return block(
        try items.map { key, value in
          let name: MarkedString =
            if let text = key.string { text } else { try key.json(indent: nil, sortKeys: false, separators: nil) }
          return Self.jsonString(name) + MarkedString(separators.key) + (try inner(value))
        }, "{", "}")
    default: throw Failure("a \(typeName) cannot be written as JSON")
    }
  }

  private static func jsonString(_ text: MarkedString) -> MarkedString {
    var result: MarkedString = "\""
    for unit in text.units {
      let code = MarkedString.code(unit)
      switch code {
      case 0x22: result += "\\\""
      case 0x5C: result += "\\\\"
      case 0x0A: result += "\\n"
      case 0x0D: result += "\\r"
      case 0x09: result += "\\t"
      case 0x08: result += "\\b"
      case 0x0C: result += "\\f"
      case 0..<0x20:
        let digits = String(code, radix: 16)
        result += MarkedString("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: result.units.append(unit)
      }
    }
    return result + "\""
  }
}

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
  /// A method that was not called, by its name.
  case method(Value, String)
  /// What can be looped over and is no list.
  case iterable(Iterable)

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
    case .method: "method"
    case .iterable(let iterable): iterable.typeName
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
    case .namespace, .loop, .macro, .function, .method: true
    case .iterable(let iterable): iterable.isTrue
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var string: MarkedString? { if case .string(let value) = self { value } else { nil } }

  /// The name of an argument, which may have come from a dict that somebody wrote.
  static func name(_ text: String) -> Value { .string(MarkedString(text, origin: .typed)) }

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
    case integer(Int)
    case number(Double)
    case string(MarkedString)
    case tuple([Key])

    init?(_ value: Value) {
      switch value {
      case .none: self = .none
      case .bool(let value): self = .integer(value ? 1 : 0)
      case .integer(let value): self = .integer(value)
      case .float(let value): self = Int(exactly: value).map(Key.integer) ?? .number(value)
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

/// What may come to hold itself, by what is put into it after it was made. The interpreter empties it in the end.
protocol Holder: AnyObject {
  func empty()
}

/// `namespace(…)`: what templates change across scopes.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class Namespace: Holder, @unchecked Sendable {
  var attributes: OrderedDict

  init(_ attributes: OrderedDict) { self.attributes = attributes }

  func empty() { attributes = OrderedDict() }
}

/// What filters and methods give that is no list: it can be looped over, some of it only once.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class Iterable: @unchecked Sendable {
  enum Kind: Equatable {
    /// Gone when it was looped over, and true even where it is empty.
    case generator
    /// `dict_items`, `dict_keys` or `dict_values`.
    case view(String)
    /// Its arguments.
    case range([Int])
  }

  let kind: Kind
  /// Its elements that were not taken yet.
  private(set) var rest: ArraySlice<Value>

  init(_ kind: Kind, _ items: [Value]) {
    self.kind = kind
    rest = items[...]
  }

  /// Its elements, those of a generator for the last time.
  func take() -> [Value] {
    defer { if kind == .generator { rest = [] } }
    return Array(rest)
  }

  func takeFirst() -> Value? { kind == .generator ? rest.popFirst() : rest.first }

  /// `nil` where only looping over it would tell.
  var count: Int? { kind == .generator ? nil : rest.count }
  var isTrue: Bool { count != 0 }
  var isRange: Bool { if case .range = kind { true } else { false } }

  var typeName: String {
    switch kind {
    case .generator: "generator"
    case .view(let name): name
    case .range: "range"
    }
  }
}

/// `loop` in the body of a loop.
///
/// `@unchecked Sendable`: made and used within one rendering, which runs on one thread.
final class LoopState: Holder, @unchecked Sendable {
  let items: [Value]
  let depth: Int
  let statement: ForLoop
  /// Where it is called again; `nil` unless it is recursive.
  let scope: Scope?
  var index = 0
  var lastChanged: [Value]?

  init(_ items: [Value], depth: Int, statement: ForLoop, scope: Scope) {
    self.items = items
    self.depth = depth
    self.statement = statement
    self.scope = statement.isRecursive ? scope : nil
  }

  func empty() { lastChanged = nil }

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
final class Scope: Holder, @unchecked Sendable {
  private var values: [String: Value] = [:]
  private let parent: Scope?
  /// How many scopes a name is looked for in.
  let level: Int
  /// Whether the interpreter empties it in the end.
  var isKept = false

  init(in parent: Scope?) {
    self.parent = parent
    level = (parent?.level ?? 0) + 1
  }

  func empty() { values = [:] }

  subscript(_ name: String) -> Value? {
    get { values[name] ?? parent?[name] }
    set { values[name] = newValue }
  }
}

// Attributes, elements and slices.

extension Interpreter {
  func attribute(_ object: Value, _ name: String) throws -> Value {
    // A method hides an element of its name.
    if let method = methodValue(object, name) { return method }
    switch object {
    case .undefined(let reason): throw Failure(reason)
    case .dict(let dict):
      if let value = dict[name] { return value }
    case .namespace(let space):
      if let value = space.attributes[name] { return value }
    case .loop(let loop):
      if let value = loop.attribute(name) { return value }
    case .macro(let macro) where name == "name": return .string(MarkedString(macro.definition.name))
    default: break
    }
    return .undefined("a \(object.typeName) has no attribute '\(name)'")
  }

  func item(_ object: Value, _ key: Value) throws -> Value {
    switch object {
    case .undefined(let reason): throw Failure(reason)
    case .dict(let dict):
      if let value = try element(key, of: dict) { return value }
    case .list(let items), .tuple(let items):
      if let index = key.integer {
        let place = index < 0 ? index + items.count : index
        if items.indices.contains(place) { return items[place] }
      }
    case .iterable(let iterable) where iterable.isRange:
      if let index = key.integer {
        let place = index < 0 ? index + iterable.rest.count : index
        if iterable.rest.indices.contains(place) { return iterable.rest[place] }
      }
    case .string(let text):
      if let index = key.integer {
        let place = index < 0 ? index + text.count : index
        if text.units.indices.contains(place) { return .string(MarkedString([text.units[place]])) }
      }
    case .namespace, .loop:
      if key.string != nil { return try attribute(object, name(key)) }
    default: break
    }
    if let name = key.string, name.count < 100, let method = methodValue(object, name.text) { return method }
    return .undefined("there is no element \(try name(.string(represented(key))))")
  }

  static let methodNames: [String: (allowed: Set<String>, changing: Set<String>)] = [
    "dict": (
      ["copy", "fromkeys", "get", "items", "keys", "values"], ["clear", "pop", "popitem", "setdefault", "update"]
    ),
    "list": (
      ["copy", "count", "index"], ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"]
    ),
    "tuple": (["count", "index"], []),
    "str": (
      [
        "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format",
        "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower",
        "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "maketrans",
        "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
        "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
      ], []
    ),
  ]

  /// A method of an object as a value, undefined where it would change the object; `nil` where there is none.
  func methodValue(_ object: Value, _ name: String) -> Value? {
    if case .function("dict") = object { return name == "fromkeys" ? .method(object, name) : nil }
    guard let names = Self.methodNames[object.typeName] else { return nil }
    if names.changing.contains(name) { return .undefined("a template cannot change a \(object.typeName)") }
    return names.allowed.contains(name) ? .method(object, name) : nil
  }

  func slice(_ object: Value, _ start: Int?, _ stop: Int?, _ stride: Int?) throws -> Value {
    func indices(_ count: Int) throws -> [Int] {
      let stride = stride ?? 1
      if stride == 0 { throw Failure("a slice with step 0") }
      func place(_ bound: Int?, _ fallback: Int) -> Int {
        guard let bound else { return fallback }
        let index = bound < 0 ? max(bound, -count - 1) + count : min(bound, count)
        return stride > 0 ? max(0, index) : min(count - 1, max(-1, index))
      }
      let (from, to) = stride > 0 ? (place(start, 0), place(stop, count)) : (place(start, count - 1), place(stop, -1))
      let places = Self.places(from: from, to: to, by: stride)
      try made(places.count)
      return (0..<places.count).map(places.place)
    }
    switch object {
    case .undefined(let reason): throw Failure(reason)
    case .string(let text): return .string(text.with(try indices(text.count).map { text.units[$0] }))
    case .list(let items): return .list(try indices(items.count).map { items[$0] })
    case .tuple(let items): return .tuple(try indices(items.count).map { items[$0] })
    case .iterable(let iterable) where iterable.isRange:
      return .list(try indices(iterable.rest.count).map { iterable.rest[$0] })
    default: throw Failure("a \(object.typeName) cannot be sliced")
    }
  }

  /// The numbers from one to before another: how many there are, and which. The stride is not 0.
  static func places(from: Int, to: Int, by stride: Int) -> (count: Int, place: (Int) -> Int) {
    // Differences of two integers may be larger than one.
    let distance = stride > 0 ? UInt(bitPattern: to &- from) : UInt(bitPattern: from &- to)
    let isEmpty = stride > 0 ? from >= to : from <= to
    let count = isEmpty ? 0 : Int(clamping: (distance - 1) / stride.magnitude + 1)
    return (count, { from &+ $0 &* stride })
  }
}

// What values take: whatever handles them accounts for it, before if it can.

extension Interpreter {
  /// Accounts for what was put together of other values. Those may be shared: written out they could be far larger.
  func built(_ value: Value) throws -> Value {
    var size = 0
    try measure(value, 0, &size)
    try step(size)
    return value
  }

  private func measure(_ value: Value, _ depth: Int, _ size: inout Int) throws {
    if depth > limits.depth { throw Failure("nested too deeply") }
    size += 1
    if size > limits.length { throw Failure("it makes too much text") }
    switch value {
    case .string(let text): size += text.count
    case .list(let items), .tuple(let items): for item in items { try measure(item, depth + 1, &size) }
    case .dict(let dict):
      for (key, value) in dict.items {
        try measure(key, depth + 1, &size)
        try measure(value, depth + 1, &size)
      }
    case .iterable(let iterable):
      // Of a range they are numbers.
      if iterable.isRange {
        size += iterable.rest.count
      } else {
        for item in iterable.rest { try measure(item, depth + 1, &size) }
      }
    case .method(let object, _): try measure(object, depth + 1, &size)
    case .loop(let loop): for item in loop.items { try measure(item, depth + 1, &size) }
    // A namespace may hold itself; what is in one is measured where it is taken out and written.
    case .undefined, .none, .bool, .integer, .float, .namespace, .macro, .function: break
    }
  }

  func generator(_ items: [Value]) throws -> Value { try built(.iterable(Iterable(.generator, items))) }

  /// The elements of what can be looped over, those of a generator for the last time.
  func elements(_ iterable: Iterable) throws -> [Value] {
    try step(iterable.rest.count)
    return iterable.take()
  }

  /// Accounts for work on every character or element of a value.
  func stepOver(_ value: Value) throws {
    switch value {
    case .string(let text): try step(text.count)
    case .list(let items), .tuple(let items): try step(items.count)
    case .dict(let dict): try step(dict.keys.count)
    case .iterable(let iterable): try step(iterable.rest.count)
    default: break
    }
  }

  // MARK: Text

  /// Python's `str()`; what is undefined is nothing.
  func printed(_ value: Value) throws -> MarkedString {
    switch value {
    case .undefined: return ""
    case .string(let text): return text
    default: return try represented(value)
    }
  }

  /// Python's `repr()`.
  func represented(_ value: Value) throws -> MarkedString {
    var representation = Representation(limits: limits)
    try representation.write(value)
    try made(representation.text.count)
    return representation.text
  }

  /// What names something: an argument, an attribute, a message.
  func name(_ value: Value) throws -> String {
    let text = try printed(value)
    try step(text.count)
    return text.text
  }

  // MARK: Dicts

  /// Keys are hashed whole.
  private func stepOverKey(_ key: Value, _ depth: Int = 0) throws {
    if depth > limits.depth { throw Failure("nested too deeply") }
    switch key {
    case .string(let text): try step(1 + text.count)
    case .tuple(let items): for item in items { try stepOverKey(item, depth + 1) }
    default: try step(1)
    }
  }

  func element(_ key: Value, of dict: OrderedDict) throws -> Value? {
    try stepOverKey(key)
    return dict[key]
  }

  /// - Throws: `Failure` for what cannot be a key.
  func set(_ key: Value, to value: Value, in dict: inout OrderedDict) throws {
    try stepOverKey(key)
    try dict.set(key, value)
  }
}

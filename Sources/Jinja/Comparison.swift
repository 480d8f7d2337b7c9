// Equality and order, as Python has them. Values may be large, and share parts: every step counts.

extension Interpreter {
  func areEqual(_ a: Value, _ b: Value) throws -> Bool {
    try step(4)
    switch (a, b) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let a), .string(let b)):
      if a.count != b.count { return false }
      try step(a.count)
      return a == b
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)): return try areEqual(a, b)
    case (.dict(let a), .dict(let b)):
      if a.keys.count != b.keys.count { return false }
      for key in a.keys {
        guard let first = try element(key, of: a), let second = try element(key, of: b), try areEqual(first, second)
        else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.macro(let a), .macro(let b)): return a === b
    case (.iterable(let a), .iterable(let b)):
      if a === b { return true }
      // Keys and items are sets; of ranges the elements count, of the others which it is.
      if [.view("dict_keys"), .view("dict_items")].contains(a.kind), b.kind == a.kind {
        if a.rest.count != b.rest.count { return false }
        for key in a.rest where try !b.rest.contains(where: { try areEqual(key, $0) }) { return false }
        return true
      }
      return try a.isRange && b.isRange && areEqual(elements(a), elements(b))
    default:
      if let a = a.integer, let b = b.integer { return a == b }
      if let a = a.number, let b = b.number { return a == b }
      return false
    }
  }

  func areEqual(_ a: [Value], _ b: [Value]) throws -> Bool {
    if a.count != b.count { return false }
    for (first, second) in zip(a, b) where try !areEqual(first, second) { return false }
    return true
  }

  /// - Throws: `Failure` for what has no order.
  func isLess(_ a: Value, _ b: Value) throws -> Bool {
    try step(4)
    if let a = a.integer, let b = b.integer { return a < b }
    if let a = a.number, let b = b.number { return a < b }
    if let a = a.string, let b = b.string {
      try step(min(a.count, b.count))
      return a < b
    }
    if let a = a.sequence, let b = b.sequence {
      for (left, right) in zip(a, b) where try !areEqual(left, right) { return try isLess(left, right) }
      return a.count < b.count
    }
    throw Failure("a \(a.typeName) and a \(b.typeName) cannot be compared")
  }
}

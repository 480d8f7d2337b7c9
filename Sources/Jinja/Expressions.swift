import Foundation

// What expressions mean: operators, comparisons, formats.

extension Interpreter {
  func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
    try step()
    return try located(expression.offset) { try nested { try value(of: expression, scope) } }
  }

  func value(of expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .float(let value): return .float(value)
    case .string(let text): return .string(text)
    case .name(let name):
      try step(scope.level)
      return scope[name] ?? .undefined("'\(name)' is undefined")
    case .captured: return scope[Self.capturedName] ?? .string("")
    case .list(let items): return try built(.list(try items.map { try evaluate($0, scope) }))
    case .tuple(let items): return try built(.tuple(try items.map { try evaluate($0, scope) }))
    case .dict(let items):
      var dict = OrderedDict()
      for (key, value) in items { try set(evaluate(key, scope), to: evaluate(value, scope), in: &dict) }
      return try built(.dict(dict))
    case .negative(let operand): return try negated(evaluate(operand, scope))
    case .positive(let operand):
      let value = try evaluate(operand, scope)
      guard value.number != nil else { throw Failure("+ of a \(value.typeName)") }
      return value
    case .not(let operand): return .bool(try !evaluate(operand, scope).isTrue)
    case .and(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? try evaluate(right, scope) : value
    case .or(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? value : try evaluate(right, scope)
    case .binary(let operation, let left, let right):
      return try binary(operation, evaluate(left, scope), evaluate(right, scope))
    case .compare(let first, let rest):
      var left = try evaluate(first, scope)
      for (comparison, operand) in rest {
        let right = try evaluate(operand, scope)
        guard try compare(comparison, left, right) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .concat(let parts):
      var text = MarkedString([])
      for part in parts where text.count <= limits.length { text += try printed(evaluate(part, scope)) }
      try made(text.count)
      return .string(text)
    case .conditional(let test, let then, let otherwise):
      if try evaluate(test, scope).isTrue { return try evaluate(then, scope) }
      return try otherwise.map { try evaluate($0, scope) } ?? .undefined("the condition is false and has no else")
    case .attribute(let object, let name): return try attribute(evaluate(object, scope), name)
    case .item(let object, let key):
      let object = try evaluate(object, scope)
      if case .slice(let start, let stop, let stride) = key.kind {
        func bound(_ part: Expression?) throws -> Int? {
          guard let part else { return nil }
          let value = try evaluate(part, scope)
          if case .none = value { return nil }
          guard let number = value.integer else { throw Failure("a slice from or to a \(value.typeName)") }
          return number
        }
        return try slice(object, try bound(start), try bound(stop), try bound(stride))
      }
      return try item(object, try evaluate(key, scope))
    case .slice: throw Failure("a slice of nothing")
    case .call(let callee, let arguments):
      let (positional, named) = try evaluate(arguments, scope)
      if case .attribute(let object, let name) = callee.kind {
        let object = try evaluate(object, scope)
        if let result = try method(object, name, Arguments(positional, named)) { return result }
        return try call(try attribute(object, name), positional, named, scope)
      }
      return try call(try evaluate(callee, scope), positional, named, scope)
    case .filter(let operand, let name, let arguments):
      let value = try evaluate(operand, scope)
      let (positional, named) = try evaluate(arguments, scope)
      return try filter(value, name, Arguments(positional, named), scope)
    case .test(let operand, let name, let arguments):
      let value = try evaluate(operand, scope)
      let (positional, _) = try evaluate(arguments, scope)
      return .bool(try test(value, name, positional))
    }
  }

  func evaluate(
    _ arguments: CallArguments, _ scope: Scope
  ) throws -> (positional: [Value], named: [(String, Value)]) {
    var positional = try arguments.positional.map { try evaluate($0, scope) }
    var named = try arguments.named.map { ($0.name, try evaluate($0.value, scope)) }
    if let spread = arguments.spread {
      let value = try evaluate(spread, scope)
      try stepOver(value)
      positional += try iterate(value)
    }
    if let spread = arguments.spreadNamed {
      guard case .dict(let dict) = try evaluate(spread, scope) else { throw Failure("** of what is no dict") }
      for (key, value) in dict.items {
        let name = try name(key)
        try step(named.count)
        if named.contains(where: { $0.0 == name }) { throw Failure("the argument '\(name)' twice") }
        named.append((name, value))
      }
    }
    return (positional, named)
  }

  func negated(_ value: Value) throws -> Value {
    if let number = value.integer { return try integers(.subtract, 0, number) }
    if let number = value.number { return .float(-number) }
    throw Failure("- of a \(value.typeName)")
  }

  func binary(_ operation: BinaryOperator, _ left: Value, _ right: Value) throws -> Value {
    if case .undefined(let reason) = left { throw Failure(reason) }
    if case .undefined(let reason) = right { throw Failure(reason) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)):
      try made(a.count + b.count)
      // Of HTML and plain text HTML.
      return .string(a.isMarkup == b.isMarkup ? a + b : a.escaped + b.escaped)
    case (.add, .list(let a), .list(let b)):
      try made(a.count + b.count)
      return try built(.list(a + b))
    case (.add, .tuple(let a), .tuple(let b)):
      try made(a.count + b.count)
      return try built(.tuple(a + b))
    case (.multiply, .string(let text), _) where right.integer != nil:
      return .string(text.with(try repeated(text.units, right.integer ?? 0)))
    case (.multiply, _, .string(let text)) where left.integer != nil:
      return .string(text.with(try repeated(text.units, left.integer ?? 0)))
    case (.multiply, .list(let items), _) where right.integer != nil:
      return try built(.list(try repeated(items, right.integer ?? 0)))
    case (.modulo, .string(let text), _):
      let result: MarkedString
      if case .tuple(let values) = right {
        result = try formatted(text, values)
      } else {
        result = try formatted(text, [right])
      }
      try made(result.count)
      return .string(result)
    default: break
    }
    if operation != .divide, let a = left.integer, let b = right.integer { return try integers(operation, a, b) }
    guard let a = left.number, let b = right.number else {
      throw Failure("\(operation.rawValue) of a \(left.typeName) and a \(right.typeName)")
    }
    if b == 0, [.divide, .floorDivide, .modulo].contains(operation) { throw Failure("division by zero") }
    let result =
      switch operation {
      case .add: a + b
      case .subtract: a - b
      case .multiply: a * b
      case .divide: a / b
      case .floorDivide: (a / b).rounded(.down)
      case .modulo: a - b * (a / b).rounded(.down)
      case .power: pow(a, b)
      }
    return .float(result)
  }

  func integers(_ operation: BinaryOperator, _ a: Int, _ b: Int) throws -> Value {
    func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Value {
      if result.overflow { throw Failure("a number too large") }
      return .integer(result.partialValue)
    }
    switch operation {
    case .add: return try checked(a.addingReportingOverflow(b))
    case .subtract: return try checked(a.subtractingReportingOverflow(b))
    case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
    case .divide: return .float(Double(a) / Double(b))
    case .floorDivide, .modulo:
      if b == 0 { throw Failure("division by zero") }
      if b == -1 { return operation == .modulo ? .integer(0) : try checked(0.subtractingReportingOverflow(a)) }
      let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
      let isBelow = rest != 0 && (rest < 0) != (b < 0)
      return .integer(operation == .modulo ? (isBelow ? rest + b : rest) : (isBelow ? quotient - 1 : quotient))
    case .power:
      if a == 0, b < 0 { throw Failure("division by zero") }
      if b < 0 { return .float(pow(Double(a), Double(b))) }
      var result = 1
      for _ in 0..<min(b, 64) {
        let (product, overflow) = result.multipliedReportingOverflow(by: a)
        if overflow { throw Failure("a number too large") }
        result = product
      }
      if b > 64, a.magnitude > 1 { throw Failure("a number too large") }
      return .integer(b > 64 && a == -1 && b % 2 == 1 ? -1 : result)
    }
  }

  func repeated<Element>(_ elements: [Element], _ count: Int) throws -> [Element] {
    let (total, overflow) = elements.count.multipliedReportingOverflow(by: max(0, count))
    if overflow { throw Failure("it makes too much text") }
    let weighted = total.multipliedReportingOverflow(by: Element.self is UInt32.Type ? 1 : Self.perElement)
    try made(weighted.overflow ? .max : weighted.partialValue)
    return elements.isEmpty ? [] : Array(repeatElement(elements, count: max(0, count)).joined())
  }

  /// `%` with `%s`, `%d` and `%f`.
  func formatted(_ format: MarkedString, _ values: [Value]) throws -> MarkedString {
    var result = MarkedString([])
    var rest = values[...]
    var index = 0
    let units = format.units
    while index < units.count {
      let unit = units[index]
      index += 1
      guard MarkedString.code(unit) == 0x25 else {
        result.units.append(unit)
        continue
      }
      var specification = ""
      while index < units.count, let scalar = Unicode.Scalar(MarkedString.code(units[index])),
        "0123456789.-+ ".unicodeScalars.contains(scalar)
      {
        specification.unicodeScalars.append(scalar)
        index += 1
      }
      guard index < units.count else { throw Failure("an incomplete format") }
      guard specification.wholeMatch(of: /[-+ 0]*[0-9]{0,6}(\.[0-9]{0,3})?/) != nil else {
        throw Failure("the format %\(specification.prefix(20)) is not supported")
      }
      let kind = MarkedString.scalar(units[index])
      index += 1
      if kind == "%" {
        result += "%"
        continue
      }
      guard let value = rest.popFirst() else { throw Failure("not enough values for a format") }
      switch kind {
      case "s" where specification.isEmpty, "r" where specification.isEmpty:
        let text = try kind == "s" ? printed(value) : represented(value)
        try step(text.count)
        result += format.isMarkup ? text.escaped : text
      case "d", "i":
        guard let number = value.integer ?? value.number.flatMap({ Int(exactly: $0.rounded(.towardZero)) }) else {
          throw Failure("%d of \(value.number == nil ? "a \(value.typeName)" : "a number too large")")
        }
        result += MarkedString(String(format: "%\(specification)ld", number))
      case "f", "e", "g":
        guard let number = value.number else {
          throw Failure("%\(kind) of a \(value.typeName)")
        }
        result += MarkedString(String(format: "%\(specification)\(kind)", number))
      default: throw Failure("the format %\(specification)\(kind) is not supported")
      }
      if result.count > limits.length { break }
    }
    if !rest.isEmpty, index >= units.count { throw Failure("too many values for a format") }
    return MarkedString(result.units, isMarkup: format.isMarkup)
  }

  func compare(_ comparison: ComparisonOperator, _ left: Value, _ right: Value) throws -> Bool {
    switch comparison {
    case .equal: return try areEqual(left, right)
    case .notEqual: return try !areEqual(left, right)
    case .isIn: return try contains(right, left)
    case .isNotIn: return try !contains(right, left)
    case .less: return try isLess(left, right)
    case .greater: return try isLess(right, left)
    case .lessOrEqual: return try areEqual(left, right) || isLess(left, right)
    case .greaterOrEqual: return try areEqual(left, right) || isLess(right, left)
    }
  }

  func contains(_ container: Value, _ element: Value) throws -> Bool {
    switch container {
    case .string(let text):
      guard let part = element.string else { throw Failure("'in <string>' needs a string, not a \(element.typeName)") }
      try step(text.count)
      return text.firstRange(of: part) != nil
    case .list(let items), .tuple(let items):
      return try items.contains { try areEqual($0, element) }
    case .dict(let dict): return try self.element(element, of: dict) != nil
    case .iterable(let iterable):
      return try elements(iterable).contains { try areEqual($0, element) }
    case .undefined: return false
    default: throw Failure("a \(container.typeName) contains nothing")
    }
  }
}

import Foundation

/// Renders a template. One rendering, on one thread.
final class Interpreter {
  private let limits: TemplateLimits
  let now: Date
  private var work = 0
  private var allocated = 0
  private var depth = 0
  /// What is written now: the rendering, or what a block captures.
  private var output: [UInt32] = []
  /// Whether `{% generation %}` is open.
  private var isGenerating = false
  private var loopDepth = 0

  private enum Flow { case goOn, breakLoop, continueLoop }

  init(limits: TemplateLimits, now: Date) {
    self.limits = limits
    self.now = now
  }

  func render(_ statements: [Statement], _ context: [String: Value]) throws -> [UInt32] {
    let scope = Scope(in: nil)
    for name in ["range", "dict", "namespace", "raise_exception", "strftime_now", "joiner", "cycler"] {
      scope[name] = .function(name)
    }
    for (name, value) in context { scope[name] = value }
    let top = Scope(in: scope)
    _ = try run(statements, in: top)
    return output
  }

  // MARK: Limits

  private func step(_ amount: Int = TemplateLimits.perStep) throws {
    work += amount
    if work > limits.work { throw Failure("it takes too long: is there a loop without end?") }
  }

  /// Accounts for a string or list that was put together.
  func made(_ count: Int) throws {
    if count > limits.length || allocated + count > limits.allocation { throw Failure("it makes too much text") }
    allocated += count
    try step(count)
  }

  private func nested<Result>(_ body: () throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    if depth > limits.depth { throw Failure("nested too deeply: does a macro call itself?") }
    return try body()
  }

  private func located<Result>(_ offset: Int, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var failure as Failure {
      if failure.offset == nil { failure.offset = offset }
      throw failure
    }
  }

  // MARK: Statements

  private func run(_ statements: [Statement], in scope: Scope) throws -> Flow {
    for statement in statements {
      let flow = try located(statement.offset) { try run(statement, in: scope) }
      if flow != .goOn { return flow }
    }
    return .goOn
  }

  private func write(_ text: MarkedString) throws {
    try made(text.count)
    output += isGenerating ? text.units.map { $0 | MarkedString.generatedBit } : text.units
    if output.count > limits.length { throw Failure("it writes too much text") }
  }

  /// What a body writes, instead of writing it.
  private func capture(_ body: () throws -> Void) throws -> MarkedString {
    let outer = output
    output = []
    defer { output = outer }
    try body()
    return MarkedString(output)
  }

  private func run(_ statement: Statement, in scope: Scope) throws -> Flow {
    try step()
    switch statement.kind {
    case .data(let text): try write(text)
    case .output(let expression): try write(evaluate(expression, scope).printed)
    case .if(let branches, let otherwise):
      for branch in branches where try evaluate(branch.test, scope).isTrue {
        return try nested { try run(branch.body, in: scope) }
      }
      return try nested { try run(otherwise, in: scope) }
    case .for(let loop):
      let items = try iterate(evaluate(loop.iterable, scope))
      try run(loop, over: items, in: scope)
    case .set(let target, let value): try assign(target, evaluate(value, scope), in: scope)
    case .setBlock(let target, let value, let body):
      let inner = Scope(in: scope)
      let text = try capture { _ = try run(body, in: inner) }
      try assign(target, try evaluate(value, captured(text, in: scope)), in: scope)
    case .macro(let definition): scope[definition.name] = .macro(Macro(definition, in: scope))
    case .call(let definition, let callee, let arguments):
      var (positional, named) = try evaluate(arguments, scope)
      named.append(("caller", .macro(Macro(definition, in: scope))))
      if positional.isEmpty { positional = [] }
      try write(try call(try evaluate(callee, scope), positional, named, scope).printed)
    case .filter(let expression, let body):
      let inner = Scope(in: scope)
      let text = try capture { _ = try run(body, in: inner) }
      try write(try evaluate(expression, captured(text, in: scope)).printed)
    case .generation(let body):
      let outer = isGenerating
      isGenerating = true
      defer { isGenerating = outer }
      return try run(body, in: Scope(in: scope))
    case .with(let assignments, let body):
      let inner = Scope(in: scope)
      for (target, value) in assignments { try assign(target, try evaluate(value, scope), in: inner) }
      return try run(body, in: inner)
    case .block(let body): return try run(body, in: Scope(in: scope))
    case .break: return .breakLoop
    case .continue: return .continueLoop
    case .otherTemplate(let tag): throw Failure("{% \(tag) %} needs another template, and there is none")
    }
    return .goOn
  }

  /// A scope in which `.captured` means what a block wrote.
  private func captured(_ text: MarkedString, in scope: Scope) -> Scope {
    let inner = Scope(in: scope)
    inner[Self.capturedName] = .string(text)
    return inner
  }

  /// No template can spell it.
  private static let capturedName = "{captured}"

  private func run(_ loop: ForLoop, over all: [Value], in scope: Scope) throws {
    var items = all
    if let test = loop.test {
      items = try all.filter { item in
        let inner = Scope(in: scope)
        try assign(loop.target, item, in: inner)
        return try evaluate(test, inner).isTrue
      }
    }
    if items.isEmpty {
      _ = try nested { try run(loop.otherwise, in: Scope(in: scope)) }
      return
    }
    loopDepth += 1
    defer { loopDepth -= 1 }
    let state = LoopState(items, depth: loopDepth, statement: loop, scope: scope)
    try nested {
      for (index, item) in items.enumerated() {
        try step()
        state.index = index
        let inner = Scope(in: scope)
        inner["loop"] = .loop(state)
        try assign(loop.target, item, in: inner)
        if try run(loop.body, in: inner) == .breakLoop { return }
      }
    }
  }

  private func assign(_ target: Target, _ value: Value, in scope: Scope) throws {
    switch target {
    case .name(let name): scope[name] = value
    case .attribute(let name, let attribute):
      guard case .namespace(let space)? = scope[name] else {
        throw Failure("only attributes of a namespace can be assigned to, and '\(name)' is none")
      }
      try space.attributes.set(.string(MarkedString(attribute)), value)
    case .tuple(let targets):
      let values = try iterate(value)
      guard values.count == targets.count else {
        throw Failure("\(values.count) values for \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(target, value, in: scope) }
    }
  }

  /// The elements of what can be looped over: of a dict its keys, of a string its characters.
  func iterate(_ value: Value) throws -> [Value] {
    switch value {
    case .list(let items), .tuple(let items): return items
    case .dict(let dict): return dict.keys
    case .string(let text):
      try made(text.count)
      return text.units.map { .string(MarkedString([$0])) }
    case .undefined: return []
    default: throw Failure("a \(value.typeName) cannot be looped over")
    }
  }

  // MARK: Expressions

  func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
    try step()
    return try located(expression.offset) { try nested { try value(of: expression, scope) } }
  }

  private func value(of expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .float(let value): return .float(value)
    case .string(let text): return .string(text)
    case .name(let name): return scope[name] ?? .undefined("'\(name)' is undefined")
    case .captured: return scope[Self.capturedName] ?? .string("")
    case .list(let items): return .list(try items.map { try evaluate($0, scope) })
    case .tuple(let items): return .tuple(try items.map { try evaluate($0, scope) })
    case .dict(let items):
      var dict = OrderedDict()
      for (key, value) in items { try dict.set(try evaluate(key, scope), try evaluate(value, scope)) }
      return .dict(dict)
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
      for part in parts { text += try evaluate(part, scope).printed }
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

  private func evaluate(
    _ arguments: CallArguments, _ scope: Scope
  ) throws -> (positional: [Value], named: [(String, Value)]) {
    var positional = try arguments.positional.map { try evaluate($0, scope) }
    var named = try arguments.named.map { ($0.name, try evaluate($0.value, scope)) }
    if let spread = arguments.spread { positional += try iterate(try evaluate(spread, scope)) }
    if let spread = arguments.spreadNamed {
      guard case .dict(let dict) = try evaluate(spread, scope) else { throw Failure("** of what is no dict") }
      named += dict.items.map { ($0.key.printed.text, $0.value) }
    }
    return (positional, named)
  }

  private func negated(_ value: Value) throws -> Value {
    if let number = value.integer { return .integer(0 &- number) }
    if let number = value.number { return .float(-number) }
    throw Failure("- of a \(value.typeName)")
  }

  func binary(_ operation: BinaryOperator, _ left: Value, _ right: Value) throws -> Value {
    if case .undefined(let reason) = left { throw Failure(reason) }
    if case .undefined(let reason) = right { throw Failure(reason) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)):
      try made(a.count + b.count)
      return .string(a + b)
    case (.add, .list(let a), .list(let b)):
      try made(a.count + b.count)
      return .list(a + b)
    case (.add, .tuple(let a), .tuple(let b)):
      try made(a.count + b.count)
      return .tuple(a + b)
    case (.multiply, .string(let text), _) where right.integer != nil:
      return .string(text.with(try repeated(text.units, right.integer ?? 0)))
    case (.multiply, _, .string(let text)) where left.integer != nil:
      return .string(text.with(try repeated(text.units, left.integer ?? 0)))
    case (.multiply, .list(let items), _) where right.integer != nil:
      return .list(try repeated(items, right.integer ?? 0))
    case (.modulo, .string(let text), _): return .string(try formatted(text, right.sequence ?? [right]))
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

  private func integers(_ operation: BinaryOperator, _ a: Int, _ b: Int) throws -> Value {
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
      if b < 0 { return .float(pow(Double(a), Double(b))) }
      var result = 1
      for _ in 0..<min(b, 64) {
        let (product, overflow) = result.multipliedReportingOverflow(by: a)
        if overflow { throw Failure("a number too large") }
        result = product
      }
      if b > 64, abs(a) > 1 { throw Failure("a number too large") }
      return .integer(b > 64 && a == -1 && b % 2 == 1 ? -1 : result)
    }
  }

  private func repeated<Element>(_ elements: [Element], _ count: Int) throws -> [Element] {
    let (total, overflow) = elements.count.multipliedReportingOverflow(by: max(0, count))
    if overflow { throw Failure("it makes too much text") }
    try made(total)
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
      let kind = MarkedString.scalar(units[index])
      index += 1
      if kind == "%" {
        result += "%"
        continue
      }
      guard let value = rest.popFirst() else { throw Failure("not enough values for a format") }
      switch kind {
      case "s" where specification.isEmpty: result += value.printed
      case "r" where specification.isEmpty: result += value.represented
      case "d", "i":
        guard specification.count < 8, let number = value.number else { throw Failure("%d of a \(value.typeName)") }
        result += MarkedString(String(format: "%\(specification)ld", Int(number)))
      case "f", "e", "g":
        guard specification.count < 8, let number = value.number else {
          throw Failure("%\(kind) of a \(value.typeName)")
        }
        result += MarkedString(String(format: "%\(specification)\(kind)", number))
      default: throw Failure("the format %\(specification)\(kind) is not supported")
      }
    }
    if !rest.isEmpty { throw Failure("too many values for a format") }
    return result
  }

  private func compare(_ comparison: ComparisonOperator, _ left: Value, _ right: Value) throws -> Bool {
    switch comparison {
    case .equal: return Value.areEqual(left, right)
    case .notEqual: return !Value.areEqual(left, right)
    case .isIn: return try contains(right, left)
    case .isNotIn: return try !contains(right, left)
    case .less: return try Value.isLess(left, right)
    case .greater: return try Value.isLess(right, left)
    case .lessOrEqual: return try Value.areEqual(left, right) || Value.isLess(left, right)
    case .greaterOrEqual: return try Value.areEqual(left, right) || Value.isLess(right, left)
    }
  }

  func contains(_ container: Value, _ element: Value) throws -> Bool {
    switch container {
    case .string(let text):
      guard let part = element.string else { throw Failure("'in <string>' needs a string, not a \(element.typeName)") }
      try step(text.count)
      return text.firstRange(of: part) != nil
    case .list(let items), .tuple(let items):
      try step(items.count)
      return items.contains { Value.areEqual($0, element) }
    case .dict(let dict): return dict[element] != nil
    case .undefined: return false
    default: throw Failure("a \(container.typeName) contains nothing")
    }
  }

  // MARK: Attributes and items

  func attribute(_ object: Value, _ name: String) throws -> Value {
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
      if let value = dict[key] { return value }
    case .list(let items), .tuple(let items):
      if let index = key.integer {
        let place = index < 0 ? index + items.count : index
        if items.indices.contains(place) { return items[place] }
      }
    case .string(let text):
      if let index = key.integer {
        let place = index < 0 ? index + text.count : index
        if text.units.indices.contains(place) { return .string(MarkedString([text.units[place]])) }
      }
    case .namespace, .loop:
      if let name = key.string { return try attribute(object, name.text) }
    default: break
    }
    return .undefined("there is no element \(key.represented.text)")
  }

  private func slice(_ object: Value, _ start: Int?, _ stop: Int?, _ stride: Int?) throws -> Value {
    func indices(_ count: Int) throws -> [Int] {
      let stride = stride ?? 1
      if stride == 0 { throw Failure("a slice with step 0") }
      func place(_ bound: Int?, _ fallback: Int) -> Int {
        guard let bound else { return fallback }
        let index = bound < 0 ? max(bound, -count - 1) + count : min(bound, count)
        return stride > 0 ? max(0, index) : min(count - 1, max(-1, index))
      }
      let (from, to) = stride > 0 ? (place(start, 0), place(stop, count)) : (place(start, count - 1), place(stop, -1))
      return Array(Swift.stride(from: from, to: to, by: stride))
    }
    switch object {
    case .undefined(let reason): throw Failure(reason)
    case .string(let text):
      try made(text.count)
      return .string(text.with(try indices(text.count).map { text.units[$0] }))
    case .list(let items): return .list(try indices(items.count).map { items[$0] })
    case .tuple(let items): return .tuple(try indices(items.count).map { items[$0] })
    default: throw Failure("a \(object.typeName) cannot be sliced")
    }
  }

  // MARK: Calls

  func call(_ callee: Value, _ positional: [Value], _ named: [(String, Value)], _ scope: Scope) throws -> Value {
    switch callee {
    case .undefined(let reason): throw Failure(reason)
    case .function(let name): return try function(name, Arguments(positional, named))
    case .macro(let macro): return .string(try nested { try call(macro, positional, named) })
    case .loop(let loop):
      guard loop.statement.isRecursive, let items = positional.first else {
        throw Failure("this loop is not recursive")
      }
      return .string(
        try nested { try capture { try run(loop.statement, over: try iterate(items), in: loop.scope) } })
    default: throw Failure("a \(callee.typeName) cannot be called")
    }
  }

  private func call(_ macro: Macro, _ positional: [Value], _ named: [(String, Value)]) throws -> MarkedString {
    let definition = macro.definition
    let scope = Scope(in: macro.scope)
    var named = named
    var rest = positional[...]
    for parameter in definition.parameters {
      if let value = rest.popFirst() {
        scope[parameter.name] = value
      } else if let index = named.firstIndex(where: { $0.0 == parameter.name }) {
        scope[parameter.name] = named.remove(at: index).1
      } else if let fallback = parameter.fallback {
        scope[parameter.name] = try evaluate(fallback, scope)
      } else {
        scope[parameter.name] = .undefined("parameter '\(parameter.name)' was not given")
      }
    }
    let caller = named.firstIndex { $0.0 == "caller" }.map { named.remove(at: $0).1 }
    if definition.takesCaller { scope["caller"] = caller ?? .undefined("no caller") }
    if definition.takesVarargs {
      scope["varargs"] = .tuple(Array(rest))
    } else if !rest.isEmpty {
      throw Failure("the macro '\(definition.name)' takes \(definition.parameters.count) arguments")
    }
    if definition.takesKwargs {
      var dict = OrderedDict()
      for (name, value) in named { try dict.set(.string(MarkedString(name)), value) }
      scope["kwargs"] = .dict(dict)
    } else if let extra = named.first {
      throw Failure("the macro '\(definition.name)' has no parameter '\(extra.0)'")
    }
    return try capture { _ = try run(definition.body, in: scope) }
  }

  private func function(_ name: String, _ arguments: Arguments) throws -> Value {
    switch name {
    case "range":
      let numbers = try arguments.positional.map { value in
        guard let number = value.integer else { throw Failure("range() of a \(value.typeName)") }
        return number
      }
      guard (1...3).contains(numbers.count) else { throw Failure("range() takes one to three numbers") }
      let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
      let stride = numbers.count == 3 ? numbers[2] : 1
      if stride == 0 { throw Failure("range() with step 0") }
      // As the sandbox of Jinja has it.
      let count = Double(stop - start) / Double(stride)
      if count > 100_000 { throw Failure("range() of more than 100000 numbers") }
      return .list(Array(Swift.stride(from: start, to: stop, by: stride)).map { .integer($0) })
    case "dict", "namespace":
      var dict = OrderedDict()
      if let first = arguments.positional.first {
        guard case .dict(let given) = first else { throw Failure("\(name)() of a \(first.typeName)") }
        dict = given
      }
      for (key, value) in arguments.named { try dict.set(.string(MarkedString(key)), value) }
      return name == "dict" ? .dict(dict) : .namespace(Namespace(dict))
    case "raise_exception":
      var failure = Failure(try arguments.required(0, "message").printed.text)
      failure.isRaisedByTemplate = true
      throw failure
    case "strftime_now":
      return .string(MarkedString(Self.time(now, try arguments.required(0, "format").printed.text)))
    default: throw Failure("\(name)() is not supported")
    }
  }

  /// `strftime` in the C locale, local time.
  private static func time(_ date: Date, _ format: String) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 256)
    let count = strftime(&buffer, buffer.count, String(format.prefix(100)), &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// What a filter, a function or a method is given.
struct Arguments {
  let positional: [Value]
  let named: [(String, Value)]

  init(_ positional: [Value], _ named: [(String, Value)]) {
    self.positional = positional
    self.named = named
  }

  /// An argument by place or name; `nil` where it is not given.
  subscript(_ index: Int, _ name: String) -> Value? {
    positional.indices.contains(index) ? positional[index] : named.first { $0.0 == name }?.1
  }

  func required(_ index: Int, _ name: String) throws -> Value {
    guard let value = self[index, name] else { throw Failure("the argument '\(name)' is missing") }
    return value
  }

  func integer(_ index: Int, _ name: String) throws -> Int? {
    guard let value = self[index, name] else { return nil }
    if case .none = value { return nil }
    guard let number = value.integer else { throw Failure("the argument '\(name)' is a \(value.typeName)") }
    return number
  }

  func text(_ index: Int, _ name: String) throws -> MarkedString? {
    guard let value = self[index, name] else { return nil }
    if case .none = value { return nil }
    guard let text = value.string else { throw Failure("the argument '\(name)' is a \(value.typeName)") }
    return text
  }
}

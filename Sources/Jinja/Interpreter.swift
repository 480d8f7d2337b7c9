import Foundation

/// Renders a template. One rendering, on one thread.
final class Interpreter {
  let limits: TemplateLimits
  let now: Date
  private var work = 0
  private var allocated = 0
  private var depth = 0
  /// What is written now: the rendering, or what a block captures.
  private var output: [UInt32] = []
  /// Whether `{% generation %}` is open.
  private var isGenerating = false
  private var loopDepth = 0
  /// What may hold itself, and with it everything.
  private var holders: [any Holder] = []

  enum Flow { case goOn, breakLoop, continueLoop }

  init(limits: TemplateLimits, now: Date) {
    self.limits = limits
    self.now = now
  }

  func render(_ statements: [Statement], _ context: [String: Value]) throws -> [UInt32] {
    defer {
      for holder in holders { holder.empty() }
      holders = []
    }
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

  func step(_ amount: Int = TemplateLimits.perStep) throws {
    work += amount
    if work > limits.work { throw Failure("it takes too long: is there a loop without end?") }
  }

  /// Accounts for a string or list that was put together; an element counts `perElement`.
  func made(_ count: Int) throws {
    if count > limits.length || allocated + count > limits.allocation { throw Failure("it makes too much text") }
    allocated += count
    try step(count)
  }

  /// What each element of a list counts beside its characters, as it takes memory.
  static let perElement = 32

  /// Empties it when the rendering ends.
  func keep(_ holder: any Holder) { holders.append(holder) }

  private func macro(_ definition: MacroDefinition, in scope: Scope) -> Value {
    // The scope holds the macro, and the macro the scope.
    if !scope.isKept { keep(scope) }
    scope.isKept = true
    return .macro(Macro(definition, in: scope))
  }

  func nested<Result>(_ body: () throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    if depth > limits.depth { throw Failure("nested too deeply: does a macro call itself?") }
    return try body()
  }

  func located<Result>(_ offset: Int, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var failure as Failure {
      if failure.offset == nil { failure.offset = offset }
      throw failure
    }
  }

  // MARK: Statements

  func run(_ statements: [Statement], in scope: Scope) throws -> Flow {
    for statement in statements {
      let flow = try located(statement.offset) { try run(statement, in: scope) }
      if flow != .goOn { return flow }
    }
    return .goOn
  }

  func write(_ text: MarkedString) throws {
    try made(text.count)
    output += isGenerating ? text.units.map { $0 | MarkedString.generatedBit } : text.units
    if output.count > limits.length { throw Failure("it writes too much text") }
  }

  /// What a body writes, instead of writing it.
  func capture(_ body: () throws -> Void) throws -> MarkedString {
    let outer = output
    output = []
    defer { output = outer }
    try body()
    return MarkedString(output)
  }

  func run(_ statement: Statement, in scope: Scope) throws -> Flow {
    try step()
    switch statement.kind {
    case .data(let text): try write(text)
    case .output(let expression): try write(printed(evaluate(expression, scope)))
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
    case .macro(let definition): scope[definition.name] = macro(definition, in: scope)
    case .call(let definition, let callee, let arguments):
      var (positional, named) = try evaluate(arguments, scope)
      named.append(("caller", macro(definition, in: scope)))
      if positional.isEmpty { positional = [] }
      try write(printed(call(evaluate(callee, scope), positional, named, scope)))
    case .filter(let expression, let body):
      let inner = Scope(in: scope)
      let text = try capture { _ = try run(body, in: inner) }
      try write(printed(evaluate(expression, captured(text, in: scope))))
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
  func captured(_ text: MarkedString, in scope: Scope) -> Scope {
    let inner = Scope(in: scope)
    inner[Self.capturedName] = .string(text)
    return inner
  }

  /// No template can spell it.
  static let capturedName = "{captured}"

  func run(_ loop: ForLoop, over all: [Value], in scope: Scope) throws {
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

  func assign(_ target: Target, _ value: Value, in scope: Scope) throws {
    switch target {
    case .name(let name): scope[name] = value
    case .attribute(let name, let attribute):
      guard case .namespace(let space)? = scope[name] else {
        throw Failure("only attributes of a namespace can be assigned to, and '\(name)' is none")
      }
      try Self.checkNamespace(attribute)
      try set(.string(MarkedString(attribute)), to: value, in: &space.attributes)
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
      try made(text.count * Self.perElement)
      return text.units.map { .string(MarkedString([$0])) }
    case .iterable(let iterable): return try elements(iterable)
    case .undefined: return []
    default: throw Failure("a \(value.typeName) cannot be looped over")
    }
  }
}

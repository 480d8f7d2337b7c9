/// Reads a template, by recursive descent of bounded depth. Statements are here, expressions in a file of their own.
struct Parser {
  private let tokens: [Token]
  private var index = 0
  private var depth = 0
  /// Names of blocks that are still open.
  private var loops = 0
  /// Within a branch an unknown filter or test fails where it is reached, elsewhere at once.
  var branches = 0
  /// Names that the bodies of the open macros use.
  private var usedNames: [Set<String>] = []
  private var endTags: [[String]] = []

  static func statements(of source: [UInt32]) throws -> [Statement] {
    var parser = Parser(tokens: try Lexer.tokens(of: source))
    return try parser.body(until: [])
  }

  private init(tokens: [Token]) { self.tokens = tokens }

  // MARK: Tokens

  var current: Token { tokens[index] }
  var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  @discardableResult mutating func next() -> Token {
    let token = tokens[index]
    if index < tokens.count - 1 { index += 1 }
    return token
  }

  func isName(_ name: String) -> Bool { current.kind == .name(name) }
  func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }

  mutating func skip(name: String) -> Bool {
    guard isName(name) else { return false }
    next()
    return true
  }

  mutating func skip(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    next()
    return true
  }

  func unexpected(_ expected: String) -> Failure {
    Failure("expected \(expected), found \(current.spelling)", at: current.offset)
  }

  mutating func expect(symbol: String) throws {
    if !skip(symbol: symbol) { throw unexpected("'\(symbol)'") }
  }

  mutating func expectName() throws -> String {
    guard case .name(let name) = current.kind else { throw unexpected("a name") }
    next()
    return name
  }

  mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
    depth += 1
    if depth > TemplateLimits.nesting { throw Failure("nested too deeply", at: current.offset) }
    defer { depth -= 1 }
    return try body(&self)
  }

  // MARK: Statements

  /// What stands before one of the tags, which is left to be read; all of it without any.
  private mutating func body(until ends: [String]) throws -> [Statement] {
    try nested { parser in try parser.flatBody(until: ends) }
  }

  private mutating func flatBody(until ends: [String]) throws -> [Statement] {
    var statements: [Statement] = []
    endTags.append(ends)
    defer { endTags.removeLast() }
    while true {
      let token = current
      switch token.kind {
      case .end:
        if !ends.isEmpty { throw Failure("the template ends without {% \(ends.last!) %}", at: token.offset) }
        return statements
      case .data(let text):
        next()
        statements.append(Statement(offset: token.offset, kind: .data(text)))
      case .variableBegin:
        next()
        statements.append(Statement(offset: current.offset, kind: .output(try tuple())))
        guard current.kind == .variableEnd else { throw unexpected("'}}'") }
        next()
      case .blockBegin:
        next()
        if case .name(let name) = current.kind, ends.contains(name) { return statements }
        if let statement = try statement() { statements.append(statement) }
        guard current.kind == .blockEnd else { throw unexpected("'%}'") }
        next()
      default: throw unexpected("text or a tag")
      }
    }
  }

  /// A statement's body, from the end of its tag; the closing tag's name is read too.
  private mutating func block(_ ends: String...) throws -> (body: [Statement], end: String) {
    _ = skip(symbol: ":")
    guard current.kind == .blockEnd else { throw unexpected("'%}'") }
    next()
    let body = try body(until: ends)
    return (body, try expectName())
  }

  private mutating func statement() throws -> Statement? {
    let offset = current.offset
    guard case .name(let name) = current.kind else { throw unexpected("a statement's name") }
    next()
    func made(_ kind: Statement.Kind) -> Statement { Statement(offset: offset, kind: kind) }
    switch name {
    case "if": return made(try ifStatement())
    case "for": return made(.for(try forLoop()))
    case "set": return made(try setStatement())
    case "macro":
      let name = try target(nameOnly: true)
      guard case .name(let name) = name else { throw unexpected("a name") }
      var macro = try definition(name: name) { parser in try parser.parameters() }
      macro.body = try macroBody("endmacro", &macro)
      return made(.macro(macro))
    case "call":
      var caller = try definition(name: "caller") { parser in
        parser.isSymbol("(") ? try parser.parameters() : []
      }
      let call = try expression()
      guard case .call(let callee, let arguments) = call.kind else { throw Failure("expected a call", at: offset) }
      caller.body = try macroBody("endcall", &caller)
      return made(.call(caller, callee, arguments))
    case "filter":
      let captured = Expression(offset: offset, kind: .captured, depth: 1)
      let filters = try filter(captured, isFirst: true)
      return made(.filter(filters, body: try block("endfilter").body))
    case "generation":
      return made(.generation(try block("endgeneration").body))
    case "with":
      var values: [(Target, Expression)] = []
      while current.kind != .blockEnd {
        if !values.isEmpty { try expect(symbol: ",") }
        let target = try target()
        try expect(symbol: "=")
        values.append((target, try expression()))
      }
      return made(.with(values, body: try block("endwith").body))
    case "block":
      let name = try expectName()
      _ = skip(name: "scoped")
      let isRequired = skip(name: "required")
      let body = try block("endblock").body
      if isRequired { throw Failure("a required block has nothing to fill it", at: offset) }
      _ = skip(name: name)
      return made(.block(body))
    case "print":
      var first: Statement?
      var outputs: [Expression] = []
      while current.kind != .blockEnd {
        if !outputs.isEmpty { try expect(symbol: ",") }
        outputs.append(try expression())
      }
      if !outputs.isEmpty {
        first = made(.output(Expression(offset: offset, kind: .concat(outputs), depth: Self.depth(outputs))))
      }
      return first
    case "break", "continue":
      if loops == 0 { throw Failure("{% \(name) %} outside of a loop", at: offset) }
      return made(name == "break" ? .break : .continue)
    case "include", "import", "from", "extends":
      while current.kind != .blockEnd && current.kind != .end { next() }
      return made(.otherTemplate(name))
    default:
      let open = endTags.last?.last.map { "; {% \($0) %} is missing" } ?? ""
      throw Failure("unknown statement '\(name)'\(open)", at: offset)
    }
  }

  private mutating func ifStatement() throws -> Statement.Kind {
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(withCondition: false)
      self.branches += 1
      let (body, end) = try block("elif", "else", "endif")
      self.branches -= 1
      branches.append((test, body))
      if end == "elif" { continue }
      if end == "endif" { return .if(branches, otherwise: []) }
      self.branches += 1
      defer { self.branches -= 1 }
      return .if(branches, otherwise: try block("endif").body)
    }
  }

  private mutating func forLoop() throws -> ForLoop {
    let target = try target(until: "in")
    guard skip(name: "in") else { throw unexpected("'in'") }
    let iterable = try tuple(withCondition: false, until: "recursive")
    let test = skip(name: "if") ? try expression() : nil
    let isRecursive = skip(name: "recursive")
    loops += 1
    let (body, end) = try block("endfor", "else")
    loops -= 1
    let otherwise = end == "else" ? try block("endfor").body : []
    return ForLoop(
      target: target, iterable: iterable, test: test, isRecursive: isRecursive, body: body, otherwise: otherwise)
  }

  private mutating func setStatement() throws -> Statement.Kind {
    let offset = current.offset
    let target = try target(withAttributes: true)
    if skip(symbol: "=") { return .set(target, try tuple()) }
    var filters = Expression(offset: offset, kind: .captured, depth: 1)
    if isSymbol("|") { filters = try filter(filters, isFirst: false) }
    return .setBlock(target, filters, body: try block("endset").body)
  }

  private mutating func definition(
    name: String, parameters: (inout Parser) throws -> [(name: String, fallback: Expression?)]
  ) throws -> MacroDefinition {
    usedNames.append([])
    let parameters = try parameters(&self)
    // The defaults' names are not the body's.
    let used = usedNames.removeLast()
    use(used)
    return MacroDefinition(name: name, parameters: parameters, body: [])
  }

  mutating func use(_ names: Set<String>) {
    if !usedNames.isEmpty { usedNames[usedNames.count - 1].formUnion(names) }
  }

  private mutating func macroBody(_ end: String, _ macro: inout MacroDefinition) throws -> [Statement] {
    usedNames.append([])
    let outerLoops = loops
    loops = 0
    let body = try block(end).body
    loops = outerLoops
    let used = usedNames.removeLast()
    use(used)
    let parameters = Set(macro.parameters.map(\.name))
    macro.takesVarargs = used.contains("varargs") && !parameters.contains("varargs")
    macro.takesKwargs = used.contains("kwargs") && !parameters.contains("kwargs")
    macro.takesCaller = used.contains("caller") && !parameters.contains("caller")
    return body
  }

  private mutating func parameters() throws -> [(name: String, fallback: Expression?)] {
    var parameters: [(name: String, fallback: Expression?)] = []
    try expect(symbol: "(")
    while !isSymbol(")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let offset = current.offset
      guard case .name(let name) = try target(nameOnly: true) else { throw unexpected("a name") }
      if parameters.contains(where: { $0.name == name }) { throw Failure("the parameter '\(name)' twice", at: offset) }
      var fallback: Expression?
      if skip(symbol: "=") {
        fallback = try expression()
      } else if parameters.last?.fallback != nil {
        throw Failure("a parameter without default after one with", at: offset)
      }
      parameters.append((name, fallback))
    }
    try expect(symbol: ")")
    return parameters
  }

  private mutating func target(
    nameOnly: Bool = false, withAttributes: Bool = false, until word: String? = nil
  ) throws -> Target {
    if nameOnly { return try targetPart(withAttributes: false) }
    var parts: [Target] = []
    var isTuple = false
    while true {
      if !parts.isEmpty { try expect(symbol: ",") }
      if isTupleEnd(word) { break }
      parts.append(try nested { parser in try parser.targetPart(withAttributes: withAttributes) })
      if !isSymbol(",") { break }
      isTuple = true
    }
    if !isTuple, let only = parts.first { return only }
    if parts.isEmpty { throw unexpected("a name to assign to") }
    return .tuple(parts)
  }

  private mutating func targetPart(withAttributes: Bool) throws -> Target {
    let offset = current.offset
    if skip(symbol: "(") {
      let inner = try nested { parser in try parser.target(withAttributes: withAttributes) }
      try expect(symbol: ")")
      return inner
    }
    let name = try expectName()
    if ["true", "false", "none", "True", "False", "None"].contains(name) {
      throw Failure("cannot assign to \(name)", at: offset)
    }
    if withAttributes, skip(symbol: ".") { return .attribute(of: name, try expectName()) }
    return .name(name)
  }
}

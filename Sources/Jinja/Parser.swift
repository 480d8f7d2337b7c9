/// Reads a template, by recursive descent of bounded depth.
struct Parser {
  private let tokens: [Token]
  private var index = 0
  private var depth = 0
  /// Names of blocks that are still open.
  private var loops = 0
  /// Within a branch an unknown filter or test fails where it is reached, elsewhere at once.
  private var branches = 0
  /// Names that the bodies of the open macros use.
  private var usedNames: [Set<String>] = []
  private var endTags: [[String]] = []

  static func statements(of source: [UInt32]) throws -> [Statement] {
    var parser = Parser(tokens: try Lexer.tokens(of: source))
    return try parser.body(until: [])
  }

  private init(tokens: [Token]) { self.tokens = tokens }

  // MARK: Tokens

  private var current: Token { tokens[index] }
  private var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  @discardableResult private mutating func next() -> Token {
    let token = tokens[index]
    if index < tokens.count - 1 { index += 1 }
    return token
  }

  private func isName(_ name: String) -> Bool { current.kind == .name(name) }
  private func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }

  private mutating func skip(name: String) -> Bool {
    guard isName(name) else { return false }
    next()
    return true
  }

  private mutating func skip(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    next()
    return true
  }

  private func unexpected(_ expected: String) -> Failure {
    Failure("expected \(expected), found \(current.spelling)", at: current.offset)
  }

  private mutating func expect(symbol: String) throws {
    if !skip(symbol: symbol) { throw unexpected("'\(symbol)'") }
  }

  private mutating func expectName() throws -> String {
    guard case .name(let name) = current.kind else { throw unexpected("a name") }
    next()
    return name
  }

  private mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
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

  private mutating func use(_ names: Set<String>) {
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

  // MARK: Expressions

  private static func depth(_ parts: [Expression]) -> Int { (parts.map(\.depth).max() ?? 0) + 1 }

  private func made(_ kind: Expression.Kind, _ parts: [Expression], at offset: Int) throws -> Expression {
    let depth = Self.depth(parts)
    if depth > TemplateLimits.nesting * 4 { throw Failure("an expression of too many parts", at: offset) }
    return Expression(offset: offset, kind: kind, depth: depth)
  }

  private func isTupleEnd(_ word: String?) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .symbol(")"): true
    case .name(let name): name == word
    default: false
    }
  }

  private mutating func tuple(
    withCondition: Bool = true, until word: String? = nil, inParentheses: Bool = false
  ) throws -> Expression {
    let offset = current.offset
    var parts: [Expression] = []
    var isTuple = false
    while true {
      if !parts.isEmpty { try expect(symbol: ",") }
      if isTupleEnd(word) { break }
      parts.append(try withCondition ? expression() : nested { parser in try parser.or() })
      if !isSymbol(",") { break }
      isTuple = true
    }
    if !isTuple {
      if let only = parts.first { return only }
      if !inParentheses { throw unexpected("an expression") }
    }
    return try made(.tuple(parts), parts, at: offset)
  }

  private mutating func expression() throws -> Expression {
    try nested { parser in try parser.conditional() }
  }

  private mutating func conditional() throws -> Expression {
    var value = try or()
    while isName("if") {
      let offset = next().offset
      let test = try or()
      branches += 1
      defer { branches -= 1 }
      let otherwise = skip(name: "else") ? try nested { parser in try parser.conditional() } : nil
      value = try made(
        .conditional(test: test, then: value, otherwise: otherwise),
        [test, value] + [otherwise].compactMap(\.self), at: offset)
    }
    return value
  }

  private mutating func or() throws -> Expression {
    var left = try and()
    while isName("or") {
      let offset = next().offset
      let right = try and()
      left = try made(.or(left, right), [left, right], at: offset)
    }
    return left
  }

  private mutating func and() throws -> Expression {
    var left = try not()
    while isName("and") {
      let offset = next().offset
      let right = try not()
      left = try made(.and(left, right), [left, right], at: offset)
    }
    return left
  }

  private mutating func not() throws -> Expression {
    guard isName("not") else { return try compare() }
    let offset = next().offset
    let operand = try nested { parser in try parser.not() }
    return try made(.not(operand), [operand], at: offset)
  }

  private mutating func compare() throws -> Expression {
    let offset = current.offset
    let first = try sum()
    var rest: [(ComparisonOperator, Expression)] = []
    while true {
      if case .symbol(let symbol) = current.kind, let comparison = ComparisonOperator(rawValue: symbol) {
        next()
        rest.append((comparison, try sum()))
      } else if skip(name: "in") {
        rest.append((.isIn, try sum()))
      } else if isName("not"), following.kind == .name("in") {
        next()
        next()
        rest.append((.isNotIn, try sum()))
      } else {
        break
      }
    }
    return rest.isEmpty ? first : try made(.compare(first, rest), [first] + rest.map(\.1), at: offset)
  }

  /// Operands of one precedence, from the left.
  private mutating func chain(
    _ symbols: [String], _ operand: (inout Parser) throws -> Expression
  ) throws -> Expression {
    var left = try operand(&self)
    while case .symbol(let symbol) = current.kind, symbols.contains(symbol),
      let binary = BinaryOperator(rawValue: symbol)
    {
      let offset = next().offset
      let right = try operand(&self)
      left = try made(.binary(binary, left, right), [left, right], at: offset)
    }
    return left
  }

  private mutating func sum() throws -> Expression { try chain(["+", "-"]) { parser in try parser.concat() } }

  private mutating func concat() throws -> Expression {
    let offset = current.offset
    var parts = [try product()]
    while skip(symbol: "~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try made(.concat(parts), parts, at: offset)
  }

  private mutating func product() throws -> Expression {
    try chain(["*", "/", "//", "%"]) { parser in try parser.power() }
  }

  private mutating func power() throws -> Expression { try chain(["**"]) { parser in try parser.unary() } }

  private mutating func unary(withFilter: Bool = true) throws -> Expression {
    let offset = current.offset
    var value: Expression
    if skip(symbol: "-") {
      let operand = try nested { parser in try parser.unary(withFilter: false) }
      value = try made(.negative(operand), [operand], at: offset)
    } else if skip(symbol: "+") {
      let operand = try nested { parser in try parser.unary(withFilter: false) }
      value = try made(.positive(operand), [operand], at: offset)
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return withFilter ? try filters(value) : value
  }

  private mutating func primary() throws -> Expression {
    let token = current
    func made(_ kind: Expression.Kind) -> Expression { Expression(offset: token.offset, kind: kind, depth: 1) }
    switch token.kind {
    case .name(let name):
      next()
      switch name {
      case "true", "True": return made(.bool(true))
      case "false", "False": return made(.bool(false))
      case "none", "None": return made(.none)
      default:
        use([name])
        return made(.name(name))
      }
    case .string(var text):
      next()
      while case .string(let more) = current.kind {
        text += more
        next()
      }
      return made(.string(text))
    case .integer(let value):
      next()
      return made(.integer(value))
    case .float(let value):
      next()
      return made(.float(value))
    case .symbol("("):
      next()
      let value = try nested { parser in try parser.tuple(inParentheses: true) }
      try expect(symbol: ")")
      return value
    case .symbol("["):
      next()
      let items = try list(until: "]") { parser in try parser.expression() }
      return try self.made(.list(items), items, at: token.offset)
    case .symbol("{"):
      next()
      let items = try list(until: "}") { parser in
        let key = try parser.expression()
        try parser.expect(symbol: ":")
        return (key: key, value: try parser.expression())
      }
      return try self.made(.dict(items), items.flatMap { [$0.key, $0.value] }, at: token.offset)
    default: throw Failure("unexpected \(token.spelling)", at: token.offset)
    }
  }

  private mutating func list<Item>(until end: String, _ item: (inout Parser) throws -> Item) throws -> [Item] {
    var items: [Item] = []
    while !isSymbol(end) {
      if !items.isEmpty { try expect(symbol: ",") }
      if isSymbol(end) { break }
      items.append(try item(&self))
    }
    try expect(symbol: end)
    return items
  }

  private mutating func postfix(_ value: Expression) throws -> Expression {
    var value = value
    while true {
      let offset = current.offset
      if skip(symbol: ".") {
        switch current.kind {
        case .name(let name):
          next()
          value = try made(.attribute(value, name), [value], at: offset)
        case .integer(let number):
          next()
          let number = Expression(offset: offset, kind: .integer(number), depth: 1)
          value = try made(.item(value, number), [value], at: offset)
        default: throw unexpected("a name or a number")
        }
      } else if skip(symbol: "[") {
        var parts: [Expression] = []
        while !isSymbol("]") {
          if !parts.isEmpty { try expect(symbol: ",") }
          parts.append(try subscripted())
        }
        try expect(symbol: "]")
        let item = parts.count == 1 ? parts[0] : try made(.tuple(parts), parts, at: offset)
        value = try made(.item(value, item), [value, item], at: offset)
      } else if isSymbol("(") {
        value = try call(value)
      } else {
        return value
      }
    }
  }

  private mutating func subscripted() throws -> Expression {
    let offset = current.offset
    var parts: [Expression?] = [nil, nil, nil]
    if !isSymbol(":") {
      let value = try expression()
      if !isSymbol(":") { return value }
      parts[0] = value
    }
    next()
    func isEnd(_ parser: Parser) -> Bool { parser.isSymbol("]") || parser.isSymbol(",") }
    if !isSymbol(":"), !isEnd(self) { parts[1] = try expression() }
    if skip(symbol: ":"), !isEnd(self) { parts[2] = try expression() }
    return try made(.slice(parts[0], parts[1], parts[2]), parts.compactMap(\.self), at: offset)
  }

  private mutating func call(_ callee: Expression) throws -> Expression {
    let offset = current.offset
    let arguments = try arguments()
    return try made(.call(callee, arguments), [callee] + arguments.all, at: offset)
  }

  private mutating func arguments() throws -> CallArguments {
    let offset = current.offset
    var arguments = CallArguments()
    try expect(symbol: "(")
    var isFirst = true
    let invalid = Failure("these arguments cannot stand in this order", at: offset)
    while !isSymbol(")") {
      if !isFirst {
        try expect(symbol: ",")
        if isSymbol(")") { break }
      }
      isFirst = false
      if skip(symbol: "*") {
        if arguments.spread != nil || arguments.spreadNamed != nil { throw invalid }
        arguments.spread = try expression()
      } else if skip(symbol: "**") {
        if arguments.spreadNamed != nil { throw invalid }
        arguments.spreadNamed = try expression()
      } else if case .name(let name) = current.kind, following.kind == .symbol("=") {
        if arguments.spreadNamed != nil { throw invalid }
        next()
        next()
        if arguments.named.contains(where: { $0.name == name }) {
          throw Failure("the argument '\(name)' twice", at: offset)
        }
        arguments.named.append((name, try expression()))
      } else {
        if arguments.spread != nil || arguments.spreadNamed != nil || !arguments.named.isEmpty { throw invalid }
        arguments.positional.append(try expression())
      }
    }
    try expect(symbol: ")")
    return arguments
  }

  private mutating func filters(_ value: Expression) throws -> Expression {
    var value = value
    while true {
      if isSymbol("|") {
        value = try filter(value, isFirst: false)
      } else if isName("is") {
        value = try test(value)
      } else if isSymbol("(") {
        value = try call(value)
      } else {
        return value
      }
    }
  }

  /// A chain of filters; the first `|` may be missing.
  private mutating func filter(_ value: Expression, isFirst: Bool) throws -> Expression {
    var value = value
    var isFirst = isFirst
    while isSymbol("|") || isFirst {
      if !isFirst { next() }
      isFirst = false
      let offset = current.offset
      var name = try expectName()
      while skip(symbol: ".") { name += "." + (try expectName()) }
      let arguments = isSymbol("(") ? try arguments() : CallArguments()
      if branches == 0, !Interpreter.filterNames.contains(name) {
        throw Failure("there is no filter named '\(name)'", at: offset)
      }
      value = try made(.filter(value, name, arguments), [value] + arguments.all, at: offset)
    }
    return value
  }

  private mutating func test(_ value: Expression) throws -> Expression {
    let offset = next().offset
    let isNegated = skip(name: "not")
    var name = try expectName()
    while skip(symbol: ".") { name += "." + (try expectName()) }
    var arguments = CallArguments()
    switch current.kind {
    case .symbol("("): arguments = try self.arguments()
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw Failure("tests cannot be chained with 'is'", at: current.offset)
    case .name, .string, .integer, .float, .symbol("["), .symbol("{"):
      arguments.positional = [try nested { parser in try parser.postfix(parser.primary()) }]
    default: break
    }
    if branches == 0, !Interpreter.testNames.contains(name) {
      throw Failure("there is no test named '\(name)'", at: offset)
    }
    let test = try made(.test(value, name, arguments), [value] + arguments.all, at: offset)
    return isNegated ? try made(.not(test), [test], at: offset) : test
  }
}

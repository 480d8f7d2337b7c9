// How expressions are read, from the loosest operator to the tightest, and what can follow a value.

extension Parser {
  static func depth(_ parts: [Expression]) -> Int { (parts.map(\.depth).max() ?? 0) + 1 }

  private func made(_ kind: Expression.Kind, _ parts: [Expression], at offset: Int) throws -> Expression {
    let depth = Self.depth(parts)
    if depth > TemplateLimits.nesting * 4 { throw Failure("an expression of too many parts", at: offset) }
    return Expression(offset: offset, kind: kind, depth: depth)
  }

  func isTupleEnd(_ word: String?) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .symbol(")"): true
    case .name(let name): name == word
    default: false
    }
  }

  mutating func tuple(
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

  mutating func expression() throws -> Expression {
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
  mutating func filter(_ value: Expression, isFirst: Bool) throws -> Expression {
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

/// What a template's text says, as a tree. Depth is bounded by the parser.
struct Expression: Sendable {
  /// Where in the template it stands, in code points.
  var offset: Int
  var kind: Kind
  /// Levels below it.
  var depth: Int

  indirect enum Kind: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(MarkedString)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case dict([(key: Expression, value: Expression)])
    case negative(Expression)
    case positive(Expression)
    case not(Expression)
    case binary(BinaryOperator, Expression, Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case compare(Expression, [(ComparisonOperator, Expression)])
    case concat([Expression])
    case conditional(test: Expression, then: Expression, otherwise: Expression?)
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression?, Expression?, Expression?)
    case call(Expression, CallArguments)
    case filter(Expression, String, CallArguments)
    case test(Expression, String, CallArguments)
    /// What a block said, for its filters.
    case captured
  }
}

enum BinaryOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case power = "**"
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// `*list`
  var spread: Expression?
  /// `**dict`
  var spreadNamed: Expression?

  var all: [Expression] { positional + named.map(\.value) + [spread, spreadNamed].compactMap(\.self) }
}

/// What a value is assigned to.
indirect enum Target: Sendable {
  case name(String)
  /// `namespace.attribute`
  case attribute(of: String, String)
  case tuple([Target])
}

struct Statement: Sendable {
  var offset: Int
  var kind: Kind

  indirect enum Kind: Sendable {
    case data(MarkedString)
    case output(Expression)
    case `if`([(test: Expression, body: [Statement])], otherwise: [Statement])
    case `for`(ForLoop)
    case set(Target, Expression)
    /// The filters' innermost operand is `.captured`.
    case setBlock(Target, Expression, body: [Statement])
    case macro(MacroDefinition)
    case call(MacroDefinition, Expression, CallArguments)
    case filter(Expression, body: [Statement])
    case generation([Statement])
    case with([(Target, Expression)], body: [Statement])
    case block([Statement])
    case `break`
    case `continue`
    /// Other templates, which there are none of; it fails where it is reached.
    case otherTemplate(String)
  }
}

struct ForLoop: Sendable {
  var target: Target
  var iterable: Expression
  var test: Expression?
  var isRecursive: Bool
  var body: [Statement]
  var otherwise: [Statement]
}

/// A macro, or the body of a `call`.
struct MacroDefinition: Sendable {
  var name: String
  var parameters: [(name: String, fallback: Expression?)]
  var body: [Statement]
  /// Which of the special variables its body uses, and so takes.
  var takesVarargs = false
  var takesKwargs = false
  var takesCaller = false
}

/// What a rule of a grammar says, as GBNF and JSON schemas have it.
indirect enum Expression: Sendable {
  /// These bytes.
  case literal([UInt8])
  /// One of these characters.
  case characters(ScalarSet)
  case sequence([Expression])
  case choice([Expression])
  /// `most` is `nil` where there may be any number.
  case repetition(Expression, least: Int, most: Int?)
  case rule(String)

  static let empty = Expression.sequence([])

  static func text(_ text: String) -> Expression { .literal(Array(text.utf8)) }
  static func optional(_ expression: Expression) -> Expression { .repetition(expression, least: 0, most: 1) }
  static func one(of characters: String) -> Expression { .characters(ScalarSet(characters)) }
}

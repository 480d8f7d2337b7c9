/// What can be wrong with a grammar or a schema. The description is one line: cause, place, remedy.
public enum FormError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A grammar that is not GBNF.
  case syntax(line: Int, cause: String)
  /// A rule is used that nowhere is.
  case undefinedRule(String)
  /// A rule that comes to itself again before a character has been read.
  case leftRecursion(rule: String)
  /// No finite text has the form.
  case matchesNothing
  /// More than can be worked with.
  case tooLarge(cause: String)
  /// Too many ways to read the text so far.
  case tooAmbiguous
  /// A schema that is no JSON.
  case notJSON(cause: String)
  /// Part of a JSON schema.
  case schema(place: String, cause: String)

  public var description: String {
    switch self {
    case .syntax(let line, let cause): "line \(line) of the grammar: \(cause)"
    case .undefinedRule(let name): "the grammar uses a rule “\(name)” that it does not define; add “\(name) ::= …”"
    case .leftRecursion(let rule):
      "the rule “\(rule)” comes to itself again before it has read anything; put what repeats to the right, as in a ::= b a | b"
    case .matchesNothing: "no text can have this form; give a rule that recurses a way to end"
    case .tooLarge(let cause): "the form is too large: \(cause)"
    case .tooAmbiguous: "the form can be read in too many ways at once; make its rules less ambiguous"
    case .notJSON(let cause): "the schema is no JSON: \(cause)"
    case .schema(let place, let cause): "the schema, at \(place): \(cause)"
    }
  }
}

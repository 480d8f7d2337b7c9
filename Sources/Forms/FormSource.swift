import Support

/// Where a form comes from.
public enum FormSource: Hashable, Sendable {
  /// Any JSON object.
  case jsonObject
  /// A JSON schema, as text.
  case schema(String)
  /// A grammar in GBNF.
  case grammar(String)

  /// Characters of a schema or a grammar, at most.
  public static let longest = 1 << 20

  /// - Throws: `FormError`.
  public func grammar() throws(FormError) -> Grammar {
    switch self {
    case .jsonObject: return try .jsonObject
    case .schema(let text):
      try Self.check(text)
      let document: OrderedJSON
      do { document = try OrderedJSON(utf8: text.utf8) } catch { throw .notJSON(cause: "\(error)") }
      return try Grammar(schema: document)
    case .grammar(let text):
      try Self.check(text)
      return try Grammar(gbnf: text)
    }
  }

  private static func check(_ text: String) throws(FormError) {
    if text.utf8.count > longest { throw .tooLarge(cause: "it has more than \(longest >> 20) MiB; shorten it") }
  }
}

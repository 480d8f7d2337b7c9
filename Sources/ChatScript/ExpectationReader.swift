import ChatEngine
import Foundation

/// Reads `expect`: what a reply must be, and what the screen must show.
enum ExpectationReader {
  /// - Parameter folder: what paths are relative to.
  static func expectation(_ node: DocumentNode, folder: URL) throws(DocumentError) -> Expectation {
    var expectation = Expectation()
    // A bare text is what the reply contains.
    if case .scalar(let text) = node.value {
      expectation.contains = [text]
      return expectation
    }
    let known = [
      "equals", "contains", "regex", "not", "max_tokens", "finish", "stitch", "max_seconds", "schema", "grammar",
      "screen",
    ]
    let fields = try FieldReader(node, known: known, kind: "expectation")
    expectation.equals = try fields.text("equals")
    expectation.contains = try fields.texts("contains")
    expectation.regex = try patterns(fields)
    expectation.not = try fields.texts("not")
    expectation.maxTokens = try fields.integer("max_tokens", in: 1...1_000_000)
    expectation.finish = try fields.word("finish", among: [ReplyStamp.Finish.stop, .length, .cancelled])
    expectation.stitch = try fields.text("stitch")
    expectation.maxSeconds = try fields.positive("max_seconds")
    expectation.form = try FormReader(folder: folder).form(fields)
    expectation.screen = try fields["screen"].map { node throws(DocumentError) in try screen(node) }
    if let equals = expectation.equals {
      for part in expectation.contains where !equals.contains(part) {
        throw fields["contains"]!.error("it can never hold: “equals” does not contain \(part.quoted)")
      }
      for part in expectation.not where equals.contains(part) {
        throw fields["not"]!.error("it can never hold: “equals” contains \(part.quoted)")
      }
    }
    try check(expectation.contains, against: expectation.not, fields)
    return expectation
  }

  private static func screen(_ node: DocumentNode) throws(DocumentError) -> ScreenExpectation {
    var expectation = ScreenExpectation()
    switch node.value {
    case .scalar, .list: expectation.contains = try node.texts("screen")
    default:
      let fields = try FieldReader(node, known: ["contains", "regex", "not"], kind: "expectation of the screen")
      expectation.contains = try fields.texts("contains")
      expectation.regex = try patterns(fields)
      expectation.not = try fields.texts("not")
      try check(expectation.contains, against: expectation.not, fields)
    }
    if expectation == ScreenExpectation() {
      throw node.error("screen expects nothing; give it “contains”, “regex” or “not”")
    }
    for text in expectation.contains where text.contains(where: \.isNewline) {
      throw node.error("\(text.quoted) has more than one line, and the screen is looked at line by line")
    }
    return expectation
  }

  private static func patterns(_ fields: FieldReader) throws(DocumentError) -> [String] {
    let patterns = try fields.texts("regex")
    for pattern in patterns {
      do { _ = try Regex(pattern) } catch {
        throw fields["regex"]!.error("\(pattern.quoted) is not a regular expression")
      }
    }
    return patterns
  }

  /// What contains a text contains its parts too.
  private static func check(_ contains: [String], against not: [String], _ fields: FieldReader) throws(DocumentError) {
    for part in not {
      if part.isEmpty { throw fields["not"]!.error("it can never hold: every text contains the empty one") }
      if let whole = contains.first(where: { $0.contains(part) }) {
        throw fields["not"]!.error("it can never hold: “contains” expects \(whole.quoted)")
      }
    }
  }
}

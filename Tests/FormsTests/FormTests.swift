import Forms
import Support
import Testing

/// Which tokens may come next.
@Suite struct FormTests {
  /// Single bytes, then tokens of several, some with half a character; 0 adds nothing.
  static let tokens: [[UInt8]?] =
    [nil] + (0...255).map { [UInt8($0)] }
    + ["{\"", "\":", "\",\"", "true", "null", "ab", "é", "☃", "\n  ", "]}", "12", "-", "\\u00", ", "].map {
      Array($0.utf8)
    }
    + [[0xC3], [0xE2, 0x98], [0x83, UInt8(ascii: "\"")]]

  private static let schema =
    ##"{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}},"b":{"type":"string"},"c":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]}},"required":["b"]}"##

  private static func allows(_ next: Form.Next, _ token: Int) -> Bool {
    next.tokens[token >> 6] >> UInt64(token & 63) & 1 == 1
  }

  /// Documents written by chance: each token that may come is one whose bytes may come one by one, and what has been
  /// written in the end is JSON that the schema allows.
  @Test func masksAreThoseOfSingleBytes() throws {
    let grammar = try FormSource.schema(Self.schema).grammar()
    let form = try Form(grammar, vocabulary: FormVocabulary(bytes: Self.tokens, firstBytes: Self.tokens))
    let bytes = try Form(
      grammar,
      vocabulary: FormVocabulary(bytes: (0...255).map { [UInt8($0)] }, firstBytes: (0...255).map { [UInt8($0)] }))
    var random = SeededGenerator(seed: 11)
    var whole = 0
    for _ in 0..<60 {
      var (progress, byByte) = (form.start, bytes.start)
      var text: [UInt8] = []
      while text.count < 200 {
        let next = try form.next(&progress)
        for (token, spelling) in Self.tokens.enumerated() {
          var state = byByte
          var fits = spelling != nil
          for byte in spelling ?? [] where fits {
            fits = Self.allows(try bytes.next(&state), Int(byte))
            if fits { try bytes.take(Int(byte), &state) }
          }
          #expect(Self.allows(next, token) == fits, "token \(token) after \(String(decoding: text, as: UTF8.self))")
        }
        let open = Self.tokens.indices.filter { Self.allows(next, $0) }
        if open.isEmpty { break }
        // Longer tokens more often: they lead on.
        let long = open.filter { Self.tokens[$0]!.count > 1 }
        let among = long.isEmpty || random.index(below: 3) == 0 ? open : long
        let token = among[random.index(below: among.count)]
        try form.take(token, &progress)
        for byte in Self.tokens[token]! { try bytes.take(Int(byte), &byByte) }
        text += Self.tokens[token]!
      }
      guard form.isComplete(progress) else { continue }
      whole += 1
      let written = try #require(String(validating: text, as: UTF8.self))
      #expect(try JSONValue(utf8: text).object?["b"]?.string != nil)
      #expect(try grammar.matches(written))
    }
    #expect(whole > 5)
  }

  /// Where a tokenizer puts a space before a text, the first token's goes again.
  @Test func theFirstTokenHasItsOwnBytes() throws {
    let later: [[UInt8]?] = ["yes", " yes", " no"].map { Array($0.utf8) }
    let first: [[UInt8]?] = ["yes", "yes", "no"].map { Array($0.utf8) }
    let form = try Form(
      try Grammar(gbnf: "root ::= \"yes\" \" no\"?"), vocabulary: FormVocabulary(bytes: later, firstBytes: first))
    var progress = form.start
    #expect(try form.next(&progress).tokens == [0b011])
    try form.take(1, &progress)
    let next = try form.next(&progress)
    #expect(next.tokens == [0b100] && next.canEnd)
    try form.take(2, &progress)
    #expect(form.isComplete(progress))
  }

  /// A text that comes to more states than are kept goes on, and so does another one beside it.
  @Test func whatIsForgottenIsFoundAgain() throws {
    let form = try Form(
      try Grammar(gbnf: "root ::= \"(\" root? \")\""),
      vocabulary: FormVocabulary(
        bytes: ["(", ")"].map { Array($0.utf8) }, firstBytes: ["(", ")"].map { Array($0.utf8) }))
    var (deep, other) = (form.start, form.start)
    try form.take(0, &other)
    let depth = 20_000
    for _ in 0..<depth { try form.take(0, &deep) }
    #expect(try form.next(&other).tokens == [0b11])
    for index in 0..<depth {
      if index % 5000 == 0 { #expect(try form.next(&deep).tokens == [index == 0 ? 0b11 : 0b10]) }
      try form.take(1, &deep)
    }
    #expect(form.isComplete(deep) && !form.isComplete(other))
  }
}

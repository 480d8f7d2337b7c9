import Testing
import Tokenizer

@Suite struct StreamingDecoderTests {
  static let alphabet = Array("ab .,\nZ09éüß日本語漢😀👩🏽‍🚀🇩🇪▁\u{0}\u{FFFD}\t").map(String.init)

  static func stream(_ tokens: [Int], after prompt: [Int] = [], _ tokenizer: any Tokenizer) throws -> String {
    var decoder = try StreamingDecoder(tokenizer, after: prompt)
    var text = ""
    for token in tokens { text += try decoder.next(token) }
    return text + decoder.finish()
  }

  @Test(arguments: 0..<40) func randomStrings(_ seed: Int) throws {
    var generator = Generator(state: UInt64(seed))
    let length = Int.random(in: 0..<40, using: &generator)
    let text = (0..<length).map { _ in Self.alphabet.randomElement(using: &generator) ?? "" }.joined()
    for tokenizer in [Samples.tiny, Samples.llama2, Samples.stories].compactMap(\.self) {
      let tokens = try tokenizer.encode(text)
      #expect(try Self.stream(tokens, tokenizer) == tokenizer.decode(tokens))
      #expect(try tokenizer.decode(tokens) == text.replacing("\u{2581}", with: " "))
    }
  }

  @Test(arguments: 0..<40) func randomTokensAfterAPrompt(_ seed: Int) throws {
    var generator = Generator(state: UInt64(seed) &+ 1000)
    for tokenizer in [Samples.tiny, Samples.llama2, Samples.stories].compactMap(\.self) {
      // Mostly bytes and special pieces.
      let tokens = (0..<30).map { _ in Int.random(in: 0..<tokenizer.vocabularySize.clamped(to: 300), using: &generator)
      }
      let whole = try tokenizer.decode(tokens)
      for cut in 0...tokens.count {
        var prompt = StreamingDecoder(tokenizer)
        let before = try tokens[..<cut].map { token in try prompt.next(token) }.joined()
        #expect(try before + Self.stream(Array(tokens[cut...]), after: Array(tokens[..<cut]), tokenizer) == whole)
      }
    }
  }

  @Test func continuesAPrompt() throws {
    let tokenizer = Samples.tiny
    let prompt = "The quick", reply = "brown fox 😀"
    let tokens = try tokenizer.encode(reply)
    let streamed = try Self.stream(tokens, after: tokenizer.encode(prompt), tokenizer)
    #expect(streamed == " brown fox 😀")
    #expect(try prompt + streamed == tokenizer.decode(tokenizer.encode(prompt) + tokens))
    #expect(try Self.stream(tokens, tokenizer) == reply)
    // Control tokens are not text: the dummy prefix after them is still the first.
    #expect(try Self.stream([1] + tokens + [2], tokenizer) == reply)
  }

  @Test func neverHalfACharacter() throws {
    let tokenizer = Samples.tiny
    let bytes = try "😀é".utf8.map { byte in
      try #require(
        tokenizer.token(forPiece: "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">"))
    }
    var decoder = StreamingDecoder(tokenizer)
    #expect(try bytes.map { token in try decoder.next(token) } == ["", "", "", "😀", "", "é"])
    #expect(decoder.finish() == "")
    // Cut short: by the end, by a piece, by a byte that cannot follow.
    #expect(try Self.stream(Array(bytes[..<3]), tokenizer) == "\u{FFFD}\u{FFFD}\u{FFFD}")
    #expect(try Self.stream(Array(bytes[..<2]) + tokenizer.encode("The"), tokenizer) == "\u{FFFD}\u{FFFD} The")
    #expect(try Self.stream([bytes[0], bytes[4], bytes[5]], tokenizer) == "\u{FFFD}é")
  }

  @Test func aBadTokenChangesNothing() throws {
    let tokenizer = Samples.tiny
    let tokens = try tokenizer.encode("é")
    var decoder = StreamingDecoder(tokenizer)
    var text = ""
    for token in tokens {
      #expect(throws: TokenizerError.self) { try decoder.next(-1) }
      text += try decoder.next(token)
    }
    #expect(text + decoder.finish() == "é")
  }
}

extension Int {
  fileprivate func clamped(to limit: Int) -> Int { Swift.min(self, limit) }
}

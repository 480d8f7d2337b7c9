import Foundation
import Testing
import Tokenizer

@Suite struct SentencePieceTokenizerTests {
  static let texts = [
    "", "Hello world", "a", " leading", "trailing ", "  two  spaces  ", "   ", "Ünïcödé façade, naïve señor",
    "日本語のテキスト 漢字", "emoji 😀👩‍👩‍👧 flag 🇩🇪", "line\none\n\ntwo\n", "tab\tand\r\nreturn", "nul\u{0}inside", "\u{0}",
    "▁ itself", "\u{FFFD}", "12345 + 67890", "<s></s><unk><0x41>", "<|user|> hi <|assistant|>",
  ]

  @Test(arguments: texts) func roundTrip(_ text: String) throws {
    for tokenizer in [Samples.tiny, Samples.llama2, Samples.stories].compactMap(\.self) {
      // SentencePiece spells a space ▁, so that a ▁ in the text comes back as a space.
      let expected = text.replacingOccurrences(of: "\u{2581}", with: " ")
      let tokens = try tokenizer.encode(text)
      #expect(try tokenizer.decode(tokens) == expected)
      #expect(tokens.allSatisfy { !tokenizer.isControl($0) })
    }
  }

  @Test(.enabled(if: Samples.llama2 != nil)) func llama2KnownTokens() throws {
    let tokenizer = try #require(Samples.llama2)
    #expect(try tokenizer.encode("Hello world") == [15043, 3186])
    #expect(tokenizer.vocabularySize == 32_000)
    #expect((tokenizer.unknownToken, tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken) == (0, 1, 2, nil))
    #expect(try tokenizer.piece(15043) == "▁Hello")
    #expect(tokenizer.token(forPiece: "▁Hello") == 15043)
    #expect(tokenizer.token(forPiece: "no such piece") == nil)
    #expect(tokenizer.token(forPiece: "<unk>") == 0)
  }

  @Test(.enabled(if: Samples.stories != nil)) func storiesKnownSize() throws {
    #expect(try #require(Samples.stories).vocabularySize == 512)
  }

  @Test func specialPieces() throws {
    let tokenizer = Samples.tiny
    #expect(try tokenizer.piece(1) == "<s>")
    #expect(tokenizer.isControl(1) && tokenizer.isControl(2) && !tokenizer.isControl(0))
    for marker in Samples.roleMarkers {
      let token = try #require(tokenizer.token(forPiece: marker))
      #expect(tokenizer.isControl(token))
      #expect(try tokenizer.decode([token]) == "")
    }
    #expect(!tokenizer.isControl(-1) && !tokenizer.isControl(1 << 40))
  }

  @Test func textNeverBecomesControlTokens() throws {
    for text in Samples.roleMarkers + ["</s>", "<s>", "x</s><|user|>y"] {
      let tokens = try Samples.tiny.encode(text)
      #expect(tokens.allSatisfy { !Samples.tiny.isControl($0) })
      #expect(try Samples.tiny.decode(tokens) == text)
    }
  }

  @Test func invalidBytesBecomeReplacementCharacters() throws {
    let cases: [([UInt8], String)] = [
      (Array("ab".utf8) + [0xFF] + Array("cd".utf8), "ab\u{FFFD}cd"),
      ([0xE2, 0x96], "\u{FFFD}\u{FFFD}"), ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"), ([0x80], "\u{FFFD}"),
      (Array("é".utf8) + [0xED, 0xA0, 0x80], "é\u{FFFD}\u{FFFD}\u{FFFD}"), ([0x00, 0xFF, 0x00], "\u{0}\u{FFFD}\u{0}"),
    ]
    for tokenizer in [Samples.tiny, Samples.llama2].compactMap(\.self) {
      for (bytes, text) in cases { #expect(try tokenizer.decode(tokenizer.encode(bytes: bytes)) == text) }
    }
  }

  @Test func continuationHasNoPrefix() throws {
    for tokenizer in [Samples.tiny, Samples.llama2, Samples.stories].compactMap(\.self) {
      for text in Self.texts where !text.contains("\u{2581}") {
        let tokens = try tokenizer.encode("The") + tokenizer.encode(text, joining: .continuation)
        #expect(try tokenizer.decode(tokens) == "The" + text)
      }
    }
  }

  @Test(arguments: [-1, 400, 1 << 31, Int.max, Int.min]) func tokensOutOfRange(_ token: Int) {
    let error = TokenizerError.tokenOutOfRange(token, vocabularySize: 400)
    #expect(throws: error) { try Samples.tiny.decode([5, token]) }
    #expect(throws: error) { try Samples.tiny.piece(token) }
  }

  @Test func everyTokenDecodes() throws {
    for tokenizer in [Samples.tiny, Samples.stories].compactMap(\.self) {
      for token in 0..<tokenizer.vocabularySize { _ = try tokenizer.decode([token]) }
    }
  }
}

@Suite struct TokenizerFileTests {
  @Test func loadsFromAFile() throws {
    let directory = try Samples.temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appending(path: "tokenizer.model").path
    try Samples.trainer.train(Samples.sentences, output: file)
    let tokenizer = try SentencePieceTokenizer(file: file)
    #expect(tokenizer.modelBytes == Samples.tiny.modelBytes)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["tokenizer.model"])
  }

  @Test func missingAndUnreadable() throws {
    let directory = try Samples.temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let missing = directory.appending(path: "none.model").path
    #expect(throws: TokenizerError.missingFile(missing)) { try SentencePieceTokenizer(file: missing) }
    #expect(throws: TokenizerError.unreadable(file: directory.path, reason: "Is a directory")) {
      try SentencePieceTokenizer(file: directory.path)
    }
    let elsewhere = missing + "/x/y"
    #expect(throws: TokenizerError.self) { try Samples.trainer.train(Samples.sentences, output: elsewhere) }
  }

  @Test func foreignContent() {
    for text in ["", "{\"model\": 1}", "hello, this is text", "GGUF\u{3}\u{0}"] {
      #expect { try SentencePieceTokenizer(modelBytes: Array(text.utf8), source: "x") } throws: { error in
        guard case .notAModel(file: "x", _) = error as? TokenizerError else { return false }
        return true
      }
    }
  }

  @Test func everyTruncationIsRefused() {
    let bytes = Samples.tiny.modelBytes
    for count in Array(stride(from: 1, to: bytes.count, by: 37)) + [bytes.count - 1] {
      #expect(throws: TokenizerError.self) {
        try SentencePieceTokenizer(modelBytes: Array(bytes[..<count]), source: "x")
      }
    }
  }

  @Test func damageNeverCrashes() throws {
    var generator = Generator(state: 7)
    for _ in 0..<200 {
      var bytes = Samples.tiny.modelBytes
      for _ in 0..<3 {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      guard let tokenizer = try? SentencePieceTokenizer(modelBytes: bytes, source: "x") else { continue }
      let tokens = try tokenizer.encode("Hello 12 wörld 😀\n")
      #expect(throws: Never.self) { try tokenizer.decode(tokens) }
    }
  }

  @Test func errorsAreOneLine() {
    let errors: [TokenizerError] = [
      .missingFile("f"), .unreadable(file: "f", reason: "r"), .notAModel(file: "f", reason: "r"),
      .truncated(file: "f"), .tokenOutOfRange(9, vocabularySize: 3), .missingMarker("<s>", template: "tiny"),
      .nothingToContinue, .untrainable(reason: "r"), .unwritable(file: "f", reason: "r"),
    ]
    for error in errors { #expect(!error.description.contains("\n") && !error.description.isEmpty) }
  }
}

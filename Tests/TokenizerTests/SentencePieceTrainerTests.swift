import Testing
import Tokenizer

@Suite struct SentencePieceTrainerTests {
  @Test func isDeterministic() throws {
    #expect(try Samples.trainer.train(Samples.sentences) == Samples.trainer.train(Samples.sentences))
  }

  @Test func vocabularyIsAsAsked() throws {
    let tokenizer = Samples.tiny
    #expect(tokenizer.vocabularySize == 400)
    #expect(tokenizer.token(forPiece: "\n") != nil)
    #expect(tokenizer.token(forPiece: "<0xF0>") != nil)
    let newline = try #require(tokenizer.token(forPiece: "\n"))
    #expect(try tokenizer.encode("a\n\nb").filter { $0 == newline }.count == 2)
  }

  @Test func digitsAreSplit() throws {
    let digits = Set("0123456789")
    for token in 0..<Samples.tiny.vocabularySize {
      let piece = try Samples.tiny.piece(token)
      guard !piece.hasPrefix("<0x") else { continue }
      #expect(piece.filter(digits.contains).count <= 1 && (piece.count == 1 || !piece.contains(where: digits.contains)))
    }
  }

  @Test func shortPieces() throws {
    var trainer = Samples.trainer
    trainer.maximumPieceLength = 2
    trainer.vocabularySize = 360
    let tokenizer = try SentencePieceTokenizer(modelBytes: trainer.train(Samples.sentences), source: "sample")
    // After <unk>, <s>, </s>, three role markers, newline and 256 bytes.
    for token in 263..<tokenizer.vocabularySize { #expect(try tokenizer.piece(token).count <= 2) }
  }

  @Test func refusals() {
    func reason(_ trainer: SentencePieceTrainer, _ sentences: [String] = Samples.sentences) -> String {
      do {
        _ = try trainer.train(sentences)
        return ""
      } catch {
        return error.description
      }
    }
    #expect(reason(Samples.trainer, []).contains("no text"))
    #expect(reason(Samples.trainer, ["", ""]).contains("no text"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 100)).contains("vocabulary size 100 is not between"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 261)).contains("cannot train"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 50_000)).contains("cannot train"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 400, controlSymbols: ["a,b"])).contains("'a,b'"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 400, controlSymbols: ["x", "x"])).contains("twice"))
    #expect(reason(SentencePieceTrainer(vocabularySize: 400, controlSymbols: ["</s>"])).contains("twice"))
    #expect(!reason(SentencePieceTrainer(vocabularySize: 50_000)).contains("\n"))
  }

  @Test func withoutByteFallback() throws {
    let trainer = SentencePieceTrainer(vocabularySize: 100, byteFallback: false)
    let tokenizer = try SentencePieceTokenizer(modelBytes: trainer.train(Samples.sentences), source: "sample")
    #expect(try tokenizer.encode("The 😀").contains(try #require(tokenizer.unknownToken)))
    #expect(try tokenizer.decode(tokenizer.encode("The dog")) == "The dog")
  }
}

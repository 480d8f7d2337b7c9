/// Trains a BPE tokenizer from text with the SentencePiece library.
///
/// Deterministic: the same sentences and options make the same bytes. Text is taken as it is (no normalisation, all
/// spaces kept); a newline is a piece of its own.
public struct SentencePieceTrainer: Sendable {
  /// Number of pieces of the new tokenizer, special ones and the 256 bytes included.
  public var vocabularySize: Int
  /// Pieces that have no text and that text never encodes to, such as role markers.
  public var controlSymbols: [String]
  /// Pieces that text always encodes to where it holds them.
  public var userSymbols: [String]
  /// Every digit is a piece of its own.
  public var splitsDigits: Bool
  /// Characters without a piece are spelled in bytes.
  public var byteFallback: Bool
  /// Longest piece in characters. Spelling and counting are easier to learn over short ones.
  public var maximumPieceLength: Int
  /// Share of the characters in the text that get a piece, 0.98 … 1.
  public var characterCoverage: Double

  public init(
    vocabularySize: Int, controlSymbols: [String] = [], userSymbols: [String] = ["\n"],
    splitsDigits: Bool = true, byteFallback: Bool = true, maximumPieceLength: Int = 16,
    characterCoverage: Double = 1
  ) {
    self.vocabularySize = vocabularySize
    self.controlSymbols = controlSymbols
    self.userSymbols = userSymbols
    self.splitsDigits = splitsDigits
    self.byteFallback = byteFallback
    self.maximumPieceLength = maximumPieceLength
    self.characterCoverage = characterCoverage
  }

  /// Trains on sentences, which may hold newlines, and returns the serialised model.
  ///
  /// - Throws: `TokenizerError.untrainable`.
  public func train(_ sentences: some Sequence<String>) throws(TokenizerError) -> [UInt8] {
    let sentences = sentences.filter { !$0.isEmpty }
    try check(sentences)
    return try SentencePieceHandle.train(
      sentences: sentences, controlSymbols: controlSymbols, userSymbols: userSymbols,
      options: .init(
        vocabularySize: vocabularySize, maximumPieceLength: maximumPieceLength,
        splitsDigits: splitsDigits, byteFallback: byteFallback, characterCoverage: characterCoverage))
  }

  /// Trains on sentences and writes the model; a reader of `file` sees the old model or the whole new one.
  ///
  /// - Throws: `TokenizerError.untrainable` or `.unwritable`.
  public func train(_ sentences: some Sequence<String>, output file: String) throws(TokenizerError) {
    try TokenizerFile.writeAtomically(train(sentences), to: file)
  }

  /// Refuses what the library would answer by ending the process, or without a hint at the remedy.
  private func check(_ sentences: [String]) throws(TokenizerError) {
    guard !sentences.isEmpty else { throw .untrainable(reason: "there is no text to train on") }
    // <unk>, <s> and </s> are always there.
    let smallest = 3 + controlSymbols.count + userSymbols.count + (byteFallback ? 256 : 0) + 1
    guard vocabularySize >= smallest, vocabularySize <= 1 << 20 else {
      throw .untrainable(reason: "vocabulary size \(vocabularySize) is not between \(smallest) and \(1 << 20)")
    }
    guard (1...512).contains(maximumPieceLength) else {
      throw .untrainable(reason: "maximum piece length \(maximumPieceLength) is not between 1 and 512")
    }
    guard (0.98...1).contains(characterCoverage) else {
      throw .untrainable(reason: "character coverage \(characterCoverage) is not between 0.98 and 1")
    }
    var seen: Set<String> = ["<unk>", "<s>", "</s>"]
    for symbol in controlSymbols + userSymbols {
      let isUsable = !symbol.isEmpty && !symbol.utf8.contains { [0x00, 0x20, 0x22, 0x2C].contains($0) }
      guard isUsable, !symbol.contains("\u{2581}") else {
        throw .untrainable(reason: "symbol '\(symbol)' is empty or holds a space, a comma, a quote or '▁'")
      }
      guard seen.insert(symbol).inserted else { throw .untrainable(reason: "symbol '\(symbol)' is there twice") }
    }
  }
}

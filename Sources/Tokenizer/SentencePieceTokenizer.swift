/// Text to token ids and back, by a SentencePiece model (`tokenizer.model`).
///
/// Text never encodes to a control token: `</s>` typed by a user is four ordinary characters.
public final class SentencePieceTokenizer: Sendable {
  /// Where the model came from, for messages.
  public let source: String
  /// The serialised model, as the file holds it.
  public let modelBytes: [UInt8]
  /// Number of pieces; ids are `0 ..< vocabularySize`.
  public let vocabularySize: Int
  /// Begin of sequence, `<s>`.
  public let bosToken: Int?
  /// End of sequence, `</s>`.
  public let eosToken: Int?
  /// What text without a piece becomes in a model without byte fallback.
  public let unknownToken: Int?
  public let padToken: Int?

  /// A space is put before text when encoding, and one is taken away at its start when decoding.
  public let addsDummyPrefix: Bool

  let removesExtraWhitespace: Bool
  private let handle: SentencePieceHandle
  private let newlineTokens: [Int]

  /// Loads a model file.
  ///
  /// - Throws: `TokenizerError` if the file is missing, unreadable, cut short or something else.
  public convenience init(file: String) throws(TokenizerError) {
    try self.init(modelBytes: FileBytes.read(file), source: file)
  }

  /// Loads the tokenizer of a model: a directory that holds `tokenizer.model`, or the file itself.
  ///
  /// - Throws: `TokenizerError`, as `init(file:)`.
  public convenience init(model path: String) throws(TokenizerError) {
    let isDirectory = FileBytes.isDirectory(path)
    try self.init(file: isDirectory ? path + (path.hasSuffix("/") ? "" : "/") + "tokenizer.model" : path)
  }

  /// Loads a model from its serialised bytes.
  ///
  /// - Parameter source: where the bytes came from, for messages.
  /// - Throws: `TokenizerError.notAModel` or `.truncated`.
  public init(modelBytes: [UInt8], source: String) throws(TokenizerError) {
    let file = try SentencePieceModelFile(modelBytes, file: source)
    handle = try SentencePieceHandle(modelBytes, file: source)
    self.source = source
    self.modelBytes = modelBytes
    vocabularySize = handle.pieceCount
    bosToken = handle.bos
    eosToken = handle.eos
    unknownToken = handle.unknown
    padToken = handle.pad
    addsDummyPrefix = file.addsDummyPrefix
    removesExtraWhitespace = file.removesExtraWhitespace
    newlineTokens = handle.encode([UInt8(ascii: "\n")]) ?? []
  }

  /// The tokens of a text, without a begin-of-sequence token.
  public func encode(_ text: String) -> [Int] { encode(bytes: Array(text.utf8)) }

  /// The tokens of bytes that are meant to be UTF-8, without a begin-of-sequence token. Every byte that is not part of
  /// a character counts as one U+FFFD; NUL is a character like any other.
  public func encode(bytes: [UInt8]) -> [Int] {
    // The library refuses only with a model that contradicts itself: then nothing in the text is known.
    handle.encode(bytes) ?? [unknownToken].compactMap(\.self)
  }

  /// The tokens of a text that directly continues another one: no space is put before it.
  public func encodeContinuation(_ text: String) -> [Int] {
    guard addsDummyPrefix else { return encode(text) }
    // Encoded after a newline, which no piece spans, and taken apart again.
    let tokens = encode("\n" + text)
    return tokens.starts(with: newlineTokens) ? Array(tokens.dropFirst(newlineTokens.count)) : encode(text)
  }

  /// The text of tokens. Control tokens have none; bytes that do not form a character become U+FFFD each.
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  public func decode(_ tokens: [Int]) throws(TokenizerError) -> String {
    var decoder = StreamingDecoder(self)
    var text = ""
    for token in tokens { text += try decoder.next(token) }
    return text + decoder.finish()
  }

  /// A piece as the vocabulary spells it (`▁Hello`, `<0x0A>`, `<s>`).
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  public func piece(_ token: Int) throws(TokenizerError) -> String {
    String(decoding: try pieceBytes(token), as: UTF8.self)
  }

  /// The token of a piece as the vocabulary spells it, control symbols included.
  public func token(forPiece piece: String) -> Int? {
    let bytes = Array(piece.utf8)
    // The library answers with the unknown token where there is no such piece.
    guard let token = handle.id(ofPiece: bytes), handle.piece(token) == bytes else { return nil }
    return token
  }

  /// Whether a token has no text and can never come from text: `<s>`, `</s>`, role markers.
  public func isControl(_ token: Int) -> Bool { handle.kind(token) == .control }

  /// What a token contributes to text.
  enum Contribution {
    case nothing
    case byte(UInt8)
    /// A piece in which spaces are spelled `▁`.
    case text([UInt8])
    /// The piece for text that has none.
    case unknown
  }

  func contribution(of token: Int) throws(TokenizerError) -> Contribution {
    let piece = try pieceBytes(token)
    switch handle.kind(token) {
    case .control: return .nothing
    case .unknown: return .unknown
    case .byte: return Self.byteValue(piece).map(Contribution.byte) ?? .text(piece)
    case .normal, .unused, nil: return .text(piece)
    }
  }

  private func pieceBytes(_ token: Int) throws(TokenizerError) -> [UInt8] {
    guard let piece = handle.piece(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    return piece
  }

  /// 10 for `<0x0A>`.
  private static func byteValue(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }
}

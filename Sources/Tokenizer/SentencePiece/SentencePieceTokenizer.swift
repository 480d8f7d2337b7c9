import Foundation
import Support

/// A tokenizer by a SentencePiece model, a file `tokenizer.model`.
///
/// The library spells a space `▁`, so that a `▁` in a text comes back as a space.
public final class SentencePieceTokenizer: Tokenizer {
  /// The name of the file in a model's directory.
  public static let fileName = "tokenizer.model"

  public let source: String
  /// The serialised model, as the file holds it.
  public let modelBytes: [UInt8]
  public let vocabularySize: Int
  /// Usually `<s>`.
  public let bosToken: Int?
  /// The file does not say: it is said beside it, in `tokenizer_config.json`, and mostly so.
  public let addsBosToken: Bool
  /// Usually `</s>`.
  public let eosToken: Int?
  /// What text without a piece becomes in a model without byte fallback.
  public let unknownToken: Int?
  public let padToken: Int?

  /// A space, the dummy prefix, is put before text when encoding, and one is taken away at its start when decoding.
  public let addsDummyPrefix: Bool

  private let removesExtraWhitespace: Bool
  private let handle: SentencePieceHandle
  private let newlineTokens: [Int]
  private let specialTokens: SpecialTokenFinder

  /// Loads a model file.
  ///
  /// - Throws: `TokenizerError` if the file is missing, unreadable, cut short or something else.
  public convenience init(file: String) throws(TokenizerError) {
    let configuration = try TokenizerFile.configuration(beside: file)
    try self.init(
      modelBytes: TokenizerFile.read(file), source: file,
      addsBosToken: configuration?.value.object?["add_bos_token"]?.bool ?? true)
  }

  /// Loads a model from its serialised bytes.
  ///
  /// - Parameters:
  ///   - source: where the bytes came from, for messages.
  ///   - addsBosToken: whether a text begins with the token for it.
  /// - Throws: `TokenizerError.notAModel` or `.truncated`.
  public init(modelBytes: [UInt8], source: String, addsBosToken: Bool = true) throws(TokenizerError) {
    let file = try SentencePieceModelFile(modelBytes, file: source)
    handle = try SentencePieceHandle(modelBytes, file: source)
    self.source = source
    self.modelBytes = modelBytes
    vocabularySize = handle.pieceCount
    bosToken = handle.bos
    self.addsBosToken = addsBosToken
    eosToken = handle.eos
    unknownToken = handle.unknown
    padToken = handle.pad
    addsDummyPrefix = file.addsDummyPrefix
    removesExtraWhitespace = file.removesExtraWhitespace
    newlineTokens = handle.encode([UInt8(ascii: "\n")]) ?? []
    specialTokens = SpecialTokenFinder(
      (0..<handle.pieceCount).compactMap { [handle] token in
        guard handle.kind(token) == .control, let piece = handle.piece(token) else { return nil }
        return (piece, token)
      })
  }

  public var files: [String: Data] {
    var files = [Self.fileName: Data(modelBytes)]
    if !addsBosToken {
      files[TokenizerFile.configurationName] = Data(
        #"{"add_bos_token": false, "tokenizer_class": "LlamaTokenizer"}"#.utf8)
    }
    return files
  }

  /// Files may differ in what a model was trained with.
  public func isSame(as other: any Tokenizer) -> Bool {
    guard let other = other as? SentencePieceTokenizer else { return false }
    return modelBytes == other.modelBytes
      || addsDummyPrefix == other.addsDummyPrefix
        && SentencePieceVocabulary(self).pieces == SentencePieceVocabulary(other).pieces
  }
}

// MARK: - Vocabulary

extension SentencePieceTokenizer {
  /// A piece as the vocabulary spells it (`▁Hello`, `<0x0A>`, `<s>`).
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  public func piece(_ token: Int) throws(TokenizerError) -> String {
    String(decoding: try pieceBytes(token), as: UTF8.self)
  }

  public func token(forPiece piece: String) -> Int? {
    let bytes = Array(piece.utf8)
    // The library answers with the unknown token where there is no such piece.
    guard let token = handle.id(ofPiece: bytes), handle.piece(token) == bytes else { return nil }
    return token
  }

  public var spaceToken: Int? { token(forPiece: "\u{2581}") }

  public func isControl(_ token: Int) -> Bool { handle.kind(token) == .control }

  private func pieceBytes(_ token: Int) throws(TokenizerError) -> [UInt8] {
    guard let piece = handle.piece(token) else {
      throw .tokenOutOfRange(token, vocabularySize: vocabularySize)
    }
    return piece
  }
}

// MARK: - Text to tokens

extension SentencePieceTokenizer {
  public func encode(bytes: [UInt8], joining: TextJoining) -> [Int] {
    switch joining {
    // The dummy prefix is what a text begins with, and a space.
    case .start, .space: return encodeWhole(bytes)
    case .continuation:
      guard addsDummyPrefix else { return encodeWhole(bytes) }
      // Encoded after a newline, which no piece spans, and taken apart again.
      let tokens = encodeWhole([UInt8(ascii: "\n")] + bytes)
      return tokens.starts(with: newlineTokens) ? Array(tokens.dropFirst(newlineTokens.count)) : encodeWhole(bytes)
    }
  }

  /// The first text begins one; those after a special token go on, as the first does where it is told to.
  public func encode(pieces: [TextPiece], joining: TextJoining) -> [Int] {
    var tokens: [Int] = []
    var joining = joining
    for part in specialTokens.parts(of: pieces) {
      switch part {
      case .token(let token): tokens.append(token)
      case .text(let text):
        tokens += encode(bytes: text, joining: joining)
        joining = .continuation
      }
    }
    return tokens
  }

  /// As a byte piece; without byte pieces, as the piece that the character alone has.
  public func encodeApart(_ character: UInt8, joining: TextJoining) -> [Int] {
    let prefix = joining != .continuation && addsDummyPrefix ? spaceToken : nil
    let digits = String(character, radix: 16, uppercase: true)
    let byte = token(forPiece: "<0x" + String(repeating: "0", count: 2 - digits.count) + digits + ">")
    return [prefix].compactMap(\.self) + (byte.map { [$0] } ?? encode(bytes: [character], joining: .continuation))
  }

  private func encodeWhole(_ text: [UInt8]) -> [Int] {
    // The library refuses only with a model that contradicts itself: then nothing in the text is known.
    handle.encode(text) ?? [unknownToken].compactMap(\.self)
  }
}

// MARK: - Tokens to text

extension SentencePieceTokenizer {
  public func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]? {
    let piece = try pieceBytes(token)
    switch handle.kind(token) {
    case .control: return nil
    case .unknown:
      isAtStart = false
      return Array(" \u{2047} ".utf8)
    case .byte:
      guard let byte = Self.byteValue(piece) else { return text(of: piece, isAtStart: &isAtStart) }
      isAtStart = false
      return [byte]
    case .normal, .unused, nil: return text(of: piece, isAtStart: &isAtStart)
    }
  }

  /// A piece without the dummy prefix, spaces as they are in text.
  private func text(of piece: [UInt8], isAtStart: inout Bool) -> [UInt8] {
    var scalars = String.UnicodeScalarView()
    for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars {
      scalars.append(scalar == "\u{2581}" ? " " : scalar)
    }
    if isAtStart, addsDummyPrefix || removesExtraWhitespace, scalars.first == " " {
      scalars.removeFirst()
      // Where extra spaces are removed, all leading ones go.
      isAtStart = removesExtraWhitespace && scalars.isEmpty
    } else {
      isAtStart = isAtStart && scalars.isEmpty
    }
    return Array(String(scalars).utf8)
  }

  /// 10 for `<0x0A>`.
  private static func byteValue(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }
}

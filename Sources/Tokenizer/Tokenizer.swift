import Foundation

/// Text to token ids and back.
///
/// Ids are `0 ..< vocabularySize`. Text never encodes to a control token, whatever it says: `</s>` typed by somebody is
/// four ordinary characters.
public protocol Tokenizer: Sendable {
  /// Where it came from, for messages.
  var source: String { get }
  /// The files it is stored in, content by name. In one directory they are what `loadTokenizer(from:)` finds there.
  var files: [String: Data] { get }
  /// Whether both make the same tokens of every text. Their files may differ all the same.
  func isSame(as other: any Tokenizer) -> Bool

  /// The number of tokens.
  var vocabularySize: Int { get }
  /// A token as the vocabulary spells it, special tokens included.
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  func piece(_ token: Int) throws(TokenizerError) -> String
  /// The token that the vocabulary spells like this, special tokens included.
  func token(forPiece piece: String) -> Int?

  /// Begin of sequence.
  var bosToken: Int? { get }
  /// Whether a text begins with it, as the model's makers say. Encoding leaves that to who begins one: see `textStart`.
  var addsBosToken: Bool { get }
  /// End of sequence.
  var eosToken: Int? { get }
  /// What text becomes that has no token.
  var unknownToken: Int? { get }
  /// Fills sequences up that are shorter than others.
  var padToken: Int? { get }
  /// A space and nothing else.
  var spaceToken: Int? { get }
  /// Whether a token has no text and can never come from text: begin and end of sequence, role markers.
  func isControl(_ token: Int) -> Bool

  /// The tokens of bytes that are meant to be UTF-8, without a begin-of-sequence token. A byte that is not part of a
  /// character counts as U+FFFD, or as itself where a token can hold it; NUL is a character like any other.
  ///
  /// - Throws: `TokenizerError.patternGaveUp`, as all that encodes.
  func encode(bytes: [UInt8], joining: TextJoining) throws(TokenizerError) -> [Int]
  /// The tokens of what a chat template wrote out, without a begin-of-sequence token that the template did not write.
  ///
  /// Special tokens are recognised by their spelling where a piece allows it; all else between two of them is encoded as
  /// one text, whatever pieces it came in.
  func encode(pieces: [TextPiece], joining: TextJoining) throws(TokenizerError) -> [Int]
  /// The tokens of one ASCII character apart from its neighbours, and spelled otherwise than within a text if the
  /// vocabulary has another spelling. A text in which it stands so decodes as it should, but does not have the tokens
  /// that it would have as a whole.
  func encodeApart(_ character: UInt8, joining: TextJoining) throws(TokenizerError) -> [Int]

  /// The bytes that a token adds to the text of the tokens before it. They may begin or end inside a character. `nil` for
  /// a control token, which adds nothing and ends a character that is not whole.
  ///
  /// - Parameter isAtStart: whether the text has still to begin, where what a tokenizer puts before a text goes again.
  ///   The tokenizer alone says how it changes; it is as it was after an error.
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  func bytes(of token: Int, isAtStart: inout Bool) throws(TokenizerError) -> [UInt8]?
}

/// How a text joins what precedes it.
public enum TextJoining: Sendable, Equatable {
  /// It begins a text. What goes before it, if anything, is the tokenizer's convention: with some, a space.
  case start
  /// A space sets it apart from the text before it.
  case space
  /// It goes on with the text before it, with nothing in between.
  case continuation
}

/// A piece of a text that a chat template wrote out.
public struct TextPiece: Sendable, Equatable {
  public var text: String
  /// Whether special tokens are recognised in it: where the template itself speaks, never in what somebody wrote.
  public var recognizesSpecialTokens: Bool

  public init(_ text: String, recognizesSpecialTokens: Bool) {
    self.text = text
    self.recognizesSpecialTokens = recognizesSpecialTokens
  }
}

extension Tokenizer {
  /// What goes before the tokens of a text that begins a sequence: begin of sequence, or nothing.
  public var textStart: [Int] { addsBosToken ? [bosToken].compactMap(\.self) : [] }

  /// The names of its files, for messages.
  public var fileNames: String { files.keys.sorted().joined(separator: " and ") }

  /// The tokens of bytes that begin a text, without a begin-of-sequence token.
  public func encode(bytes: [UInt8]) throws(TokenizerError) -> [Int] { try encode(bytes: bytes, joining: .start) }

  /// The tokens of a text, without a begin-of-sequence token.
  public func encode(_ text: String, joining: TextJoining = .start) throws(TokenizerError) -> [Int] {
    try encode(bytes: Array(text.utf8), joining: joining)
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

  /// The control token that the vocabulary spells like this. An ordinary token of that spelling, which text could have,
  /// is none.
  public func controlToken(_ spelling: String) -> Int? {
    token(forPiece: spelling).flatMap { isControl($0) ? $0 : nil }
  }
}

/// Turns tokens into text one at a time, without ever giving out part of a character.
///
/// All that `next` and `finish` return, put together, is what `Tokenizer.decode` makes of the tokens: that function is
/// this decoder run to its end.
public struct StreamingDecoder: Sendable {
  private let tokenizer: any Tokenizer
  /// Whether the text has still to begin.
  private var isAtStart = true
  /// Bytes that may still become a character, at most three.
  private var pending: [UInt8] = []

  /// A decoder for the beginning of a text.
  public init(_ tokenizer: any Tokenizer) { self.tokenizer = tokenizer }

  /// A decoder for what follows a prompt: the prompt's text and what this decoder returns are together the text of all
  /// tokens. A character whose first bytes end the prompt is returned with its last byte.
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`.
  public init(_ tokenizer: any Tokenizer, after prompt: [Int]) throws(TokenizerError) {
    self.init(tokenizer)
    for token in prompt { _ = try next(token) }
  }

  /// The text that a further token completes, often empty where characters are spelled in bytes.
  ///
  /// - Throws: `TokenizerError.tokenOutOfRange`; the decoder is then as it was.
  public mutating func next(_ token: Int) throws(TokenizerError) -> String {
    guard let bytes = try tokenizer.bytes(of: token, isAtStart: &isAtStart) else { return finish() }
    pending += bytes
    return takeCharacters()
  }

  /// Ends the text: bytes that did not become a character are U+FFFD each.
  public mutating func finish() -> String {
    defer { pending.removeAll(keepingCapacity: true) }
    return String(repeating: "\u{FFFD}", count: pending.count)
  }

  /// The characters that the pending bytes begin with; bytes that can no longer become one are U+FFFD each.
  private mutating func takeCharacters() -> String {
    var characters: [UInt8] = []
    var rest = pending[...]
    while let lead = rest.first {
      guard let length = Self.length(lead), Self.isPrefix(rest.prefix(length)) else {
        characters += "\u{FFFD}".utf8
        rest.removeFirst()
        continue
      }
      guard rest.count >= length else { break }
      characters += rest.prefix(length)
      rest.removeFirst(length)
    }
    pending.removeFirst(pending.count - rest.count)
    return String(decoding: characters, as: UTF8.self)
  }

  /// How many bytes a character with this first byte has.
  private static func length(_ lead: UInt8) -> Int? {
    switch lead {
    case 0x00...0x7F: 1
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: nil
    }
  }

  /// Whether the bytes, at most a character's, are one or can become one.
  private static func isPrefix(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let lead = bytes.first, let second = bytes.dropFirst().first else { return true }
    let allowed: ClosedRange<UInt8> =
      switch lead {
      case 0xE0: 0xA0...0xBF
      case 0xED: 0x80...0x9F
      case 0xF0: 0x90...0xBF
      case 0xF4: 0x80...0x8F
      default: 0x80...0xBF
      }
    return allowed.contains(second) && bytes.dropFirst(2).allSatisfy { (0x80...0xBF).contains($0) }
  }
}

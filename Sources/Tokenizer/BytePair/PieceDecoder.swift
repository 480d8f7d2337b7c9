/// How tokens become text.
public enum PieceDecoder: Sendable, Equatable {
  /// They spell bytes in `ByteAlphabet`.
  case byteLevel
  /// They spell characters, some of them in place of others.
  ///
  /// - `replacements`: mostly ▁, which is a space.
  /// - `readsBytes`: `<0x0A>` is a byte.
  /// - `stripsFirstSpace`: one that begins the text goes.
  case pieces(replacements: [Replacement], readsBytes: Bool, stripsFirstSpace: Bool)

  public struct Replacement: Sendable, Equatable {
    public var old: String
    public var new: String

    public init(_ old: String, _ new: String) {
      self.old = old
      self.new = new
    }
  }

  /// The bytes that a token adds to a text.
  /// - Parameter isVerbatim: it is spelled as it is, outside any alphabet.
  func bytes(of token: String, isVerbatim: Bool) -> [UInt8] {
    switch self {
    case .byteLevel: return isVerbatim ? Array(token.utf8) : ByteAlphabet.bytes(of: token) ?? Array(token.utf8)
    case .pieces(let replacements, let readsBytes, _):
      if readsBytes, let byte = ByteFallback.byte(of: token) { return [byte] }
      // Of bytes: a mark with an accent after it would be another character.
      var text = Array(token.utf8)
      for replacement in replacements { text = text.replacing(replacement.old.utf8, with: replacement.new.utf8) }
      return text
    }
  }

  var stripsFirstSpace: Bool { if case .pieces(_, _, true) = self { true } else { false } }
}

/// Tokens of single bytes beside those of characters: `<0x0A>`.
enum ByteFallback {
  static func token(of byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x" + (digits.count < 2 ? "0" : "") + digits + ">"
  }

  static func byte(of token: String) -> UInt8? {
    let bytes = Array(token.utf8)
    guard bytes.count == 6, bytes.starts(with: "<0x".utf8), bytes[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: bytes[3..<5], as: UTF8.self), radix: 16)
  }
}

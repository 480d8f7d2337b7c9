/// What a byte-level BPE tokenizer consists of, as files have it.
///
/// Tokens are spelled in an alphabet of 256 printable characters, one for each byte: see `ByteAlphabet`. Special tokens and
/// other added ones are spelled as they are.
public struct BytePairVocabulary: Sendable, Equatable {
  /// A token that is found in text before anything else is done.
  public struct AddedToken: Sendable, Equatable {
    public var token: Int
    public var text: String
    /// It has no text of its own: begin and end of sequence, role markers.
    public var isSpecial: Bool

    public init(token: Int, text: String, isSpecial: Bool) {
      self.token = token
      self.text = text
      self.isSpecial = isSpecial
    }
  }

  /// By id. Added tokens are among them, and ids that nothing has are empty.
  public var tokens: [String]
  /// Pairs of spellings, the first to be merged first.
  public var merges: [String]
  public var added: [AddedToken]
  public var splitting: TextSplitting
  /// A word that is a token is that token, whatever the merges would make of it.
  public var ignoresMerges: Bool
  public var bosToken: Int?
  public var eosToken: Int?
  public var unknownToken: Int?
  public var padToken: Int?

  public init(
    tokens: [String], merges: [String], added: [AddedToken], splitting: TextSplitting, ignoresMerges: Bool = false
  ) {
    self.tokens = tokens
    self.merges = merges
    self.added = added
    self.splitting = splitting
    self.ignoresMerges = ignoresMerges
  }

  /// More added tokens than any model has.
  static let mostAdded = 1 << 17
}

/// The alphabet of 256 characters in which byte-level BPE spells bytes, GPT-2's: printable characters of Latin-1 stand for
/// themselves, the others are moved to U+0100 and up, in order.
enum ByteAlphabet {
  /// By byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      if isPrintable { return Unicode.Scalar(UInt8(byte)) }
      defer { next += 1 }
      // All are below the surrogates.
      return Unicode.Scalar(next) ?? "\u{FFFD}"
    }
  }()

  /// By scalar value, below 0x144; −1 for those that stand for no byte.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
    return bytes
  }()

  /// The bytes that a token spells; `nil` where it holds another character.
  static func bytes(of token: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return result
  }
}

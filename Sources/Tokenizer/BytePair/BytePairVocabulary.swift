/// What a BPE tokenizer consists of, as files have it: byte-level ones (GPT-2's kind), and SentencePiece's in another form.
///
/// Byte-level tokens are spelled in an alphabet of 256 printable characters, one for each byte: see `ByteAlphabet`. Special
/// tokens and other added ones are spelled as they are.
public struct BytePairVocabulary: Sendable, Equatable {
  /// A token that is found in text before anything else is done.
  public struct AddedToken: Sendable, Equatable {
    public var token: Int
    public var text: String
    /// It has no text of its own: begin and end of sequence, role markers.
    public var isSpecial: Bool
    /// Not found within a word.
    public var isSingleWord = false
    /// White space before it, or after it, belongs to it.
    public var stripsLeft = false
    public var stripsRight = false
    /// Looked for in normalised text. Special ones are not.
    public var isNormalized = false

    public init(token: Int, text: String, isSpecial: Bool) {
      self.token = token
      self.text = text
      self.isSpecial = isSpecial
    }
  }

  /// By id. Added tokens are among them, and ids that nothing has are empty.
  public var tokens: Spellings
  /// Pairs that become one, left and right by turns; the first is merged first.
  public var merges: Spellings
  public var added: [AddedToken]
  public var normalizers: [TextNormalizer] = []
  public var preTokenizers: [PreTokenizer]
  public var decoder = PieceDecoder.byteLevel
  /// A word that is a token is that token, whatever the merges would make of it.
  public var ignoresMerges: Bool
  /// Characters without a token become tokens of their bytes: `<0x0A>`.
  public var fallsBackToBytes = false
  /// What characters without a token become otherwise; they are left out where there is none.
  public var unknownSymbol: Int?
  /// Several of them in a row are one.
  public var fusesUnknown = false
  public var bosToken: Int?
  /// A text begins with it.
  public var addsBosToken = false
  public var eosToken: Int?
  public var unknownToken: Int?
  public var padToken: Int?

  /// A byte-level one.
  public init(
    tokens: Spellings, merges: Spellings, added: [AddedToken], splitting: TextSplitting, ignoresMerges: Bool = false
  ) {
    self.init(
      tokens: tokens, merges: merges, added: added, preTokenizers: splitting.preTokenizers, ignoresMerges: ignoresMerges
    )
  }

  public init(
    tokens: Spellings, merges: Spellings, added: [AddedToken], preTokenizers: [PreTokenizer],
    ignoresMerges: Bool = false
  ) {
    self.tokens = tokens
    self.merges = merges
    self.added = added
    self.preTokenizers = preTokenizers
    self.ignoresMerges = ignoresMerges
  }

  /// The way to cut text, if it is one of those known by name, which have scanners of their own.
  public var splitting: TextSplitting? { TextSplitting.allCases.first { $0.preTokenizers == preTokenizers } }

  /// Tokens spell bytes, not characters.
  var isByteLevel: Bool {
    preTokenizers.contains { if case .byteLevel = $0 { true } else { false } }
  }

  /// More added tokens than any model has.
  static let mostAdded = 1 << 17
}

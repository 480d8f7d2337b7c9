/// A piece of a conversation as a chat template writes it out. Knows no tokenizer.
public struct ChatSegment: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    /// What the template itself says by a token of its own.
    case special(SpecialToken)
    /// What the template itself says in plain text, never empty.
    case marker(String)
    /// What a person or a model wrote. Whatever it says, it becomes no special token and no marker.
    case text(String)
  }

  public var content: Content
  public var joining: TextJoining
  /// Whether the loss counts its tokens: those of replies and of what closes them, which are to be learned. All else is
  /// given.
  public var lossMask: Bool

  public init(_ content: Content, _ joining: TextJoining = .continuation, lossMask: Bool = false) {
    self.content = content
    self.joining = joining
    self.lossMask = lossMask
  }
}

/// A token that has no text, as a chat template names it.
public enum SpecialToken: Sendable, Equatable {
  /// The tokenizer's begin of sequence.
  case bos
  /// The tokenizer's end of sequence.
  case eos
  /// The control token of this spelling.
  case control(String)
}

/// Tokens, and which of them the loss counts.
public struct MaskedTokens: Sendable, Equatable {
  public var tokens: [Int] = []
  /// Parallel to `tokens`.
  public var lossMask: [Bool] = []

  mutating func append(_ more: [Int], lossMask isCounted: Bool) {
    tokens += more
    lossMask += [Bool](repeating: isCounted, count: more.count)
  }
}

/// Turns what a chat template writes out into tokens, for any tokenizer, so that text never has the tokens of a marker.
///
/// Control tokens cannot come from text anyway. The markers of some templates are plain text, though (`[INST]`): where
/// somebody wrote one, its first character is encoded apart, which decodes to the same text.
struct SegmentEncoder {
  let format: any ChatFormat
  private let tokenizer: any Tokenizer
  private let name: String
  private let disguise: MarkerDisguise

  /// - Parameter name: of the template, for messages.
  /// - Throws: `TokenizerError.missingMarker` if there is no begin or end of sequence, which every such template needs.
  init(_ tokenizer: any Tokenizer, for format: any ChatFormat, name: String) throws(TokenizerError) {
    self.tokenizer = tokenizer
    self.format = format
    self.name = name
    disguise = MarkerDisguise(format.textMarkers, tokenizer: tokenizer)
    for token in [SpecialToken.bos, .eos] { _ = try self.token(token) }
  }

  /// - Throws: `TokenizerError.missingMarker`.
  func encode(_ segments: [ChatSegment]) throws(TokenizerError) -> MaskedTokens {
    var result = MaskedTokens()
    for segment in segments {
      let tokens =
        switch segment.content {
        case .special(let token):
          (segment.joining == .space ? [tokenizer.spaceToken].compactMap(\.self) : []) + [try self.token(token)]
        case .marker(let marker): try tokenizer.encode(marker, joining: segment.joining)
        case .text(let text): try disguise.encode(text, segment.joining)
        }
      result.append(tokens, lossMask: segment.lossMask)
    }
    return result
  }

  /// - Throws: `TokenizerError.missingMarker`.
  func token(_ token: SpecialToken) throws(TokenizerError) -> Int {
    let (id, marker) =
      switch token {
      case .bos: (tokenizer.bosToken, "<s>")
      case .eos: (tokenizer.eosToken, "</s>")
      case .control(let spelling): (tokenizer.controlToken(spelling), "control symbol \(spelling)")
      }
    guard let id else { throw .missingMarker(marker, template: name) }
    return id
  }
}

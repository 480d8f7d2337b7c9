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
        case .marker(let marker): tokenizer.encode(marker, joining: segment.joining)
        case .text(let text): disguise.encode(text, segment.joining)
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

/// Encodes what somebody wrote so that it never has the tokens of a template's text markers.
struct MarkerDisguise {
  private let tokenizer: any Tokenizer
  private let markers: [[UInt8]]

  init(_ markers: [String], tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    self.markers = markers.map { Array($0.utf8) }
  }

  var isNeeded: Bool { !markers.isEmpty }

  /// Whether a text holds any of the markers.
  func isNeeded(for text: String) -> Bool { firstMarker(in: Array(text.utf8)[...]) != nil }

  func encode(_ text: String, _ joining: TextJoining) -> [Int] {
    var tokens: [Int] = []
    var rest = Array(text.utf8)[...]
    var joining = joining
    func append(_ text: ArraySlice<UInt8>) {
      if !text.isEmpty { tokens += tokenizer.encode(bytes: Array(text), joining: joining) }
    }
    while let found = firstMarker(in: rest) {
      append(rest[..<found.start])
      if found.start > rest.startIndex { joining = .continuation }
      // Its first character apart; where that is how the marker begins anyway, all of it.
      let isEnough = !tokenizer.encode(bytes: found.marker, joining: .continuation).starts(
        with: tokenizer.encodeApart(found.marker[0], joining: .continuation))
      for byte in found.marker.prefix(isEnough ? 1 : found.marker.count) {
        tokens += tokenizer.encodeApart(byte, joining: joining)
        joining = .continuation
      }
      rest = rest[(found.start + (isEnough ? 1 : found.marker.count))...]
    }
    append(rest)
    return tokens
  }

  private func firstMarker(in text: ArraySlice<UInt8>) -> (start: Int, marker: [UInt8])? {
    guard !markers.isEmpty else { return nil }
    for index in text.indices {
      if let marker = markers.first(where: { text[index...].starts(with: $0) }) { return (index, marker) }
    }
    return nil
  }
}

/// Tokens under construction, and which of them belong to replies.
struct TemplateBuilder {
  let bos: Int
  let eos: Int
  private(set) var tokens: [Int] = []
  private(set) var isReply: [Bool] = []

  private let tokenizer: SentencePieceTokenizer
  private let template: ChatTemplate.Kind
  private let text: MarkerSafeText

  /// - Throws: `TokenizerError.missingMarker` if there is no begin or end of sequence.
  init(_ tokenizer: SentencePieceTokenizer, template: ChatTemplate.Kind) throws(TokenizerError) {
    guard let bos = tokenizer.bosToken else { throw .missingMarker("<s>", template: template.rawValue) }
    guard let eos = tokenizer.eosToken else { throw .missingMarker("</s>", template: template.rawValue) }
    self.bos = bos
    self.eos = eos
    self.tokenizer = tokenizer
    self.template = template
    text = MarkerSafeText(tokenizer, markers: template.textMarkers)
  }

  /// Whether text is set apart from what precedes it by a space (the dummy prefix), or continues it.
  enum Joining { case space, none }

  /// - Throws: `TokenizerError.missingMarker`.
  func roleMarker(_ role: ChatTemplate.Message.Role) throws(TokenizerError) -> Int {
    let marker = "<|\(role.rawValue)|>"
    // An ordinary piece of this spelling could be typed by a user.
    guard let token = tokenizer.token(forPiece: marker), tokenizer.isControl(token) else {
      throw .missingMarker("control symbol \(marker)", template: template.rawValue)
    }
    return token
  }

  mutating func append(_ token: Int, isReply: Bool = false) {
    append([token], isReply: isReply)
  }

  /// What the template itself says.
  mutating func appendMarker(_ marker: String, _ joining: Joining) {
    append(joining == .space ? tokenizer.encode(marker) : tokenizer.encodeContinuation(marker), isReply: false)
  }

  /// What somebody wrote.
  mutating func appendText(_ content: String, _ joining: Joining, isReply: Bool = false) {
    append(text.encode(content, joining), isReply: isReply)
  }

  /// A space between words, where the tokenizer has one.
  mutating func appendSpace(isReply: Bool) {
    if let space = tokenizer.token(forPiece: "\u{2581}") { append(space, isReply: isReply) }
  }

  private mutating func append(_ more: [Int], isReply reply: Bool) {
    tokens += more
    isReply += [Bool](repeating: reply, count: more.count)
  }
}

/// Encodes what people and models wrote so that it never has the tokens of a template's marker.
///
/// Control symbols cannot come from text anyway. The markers of some templates are plain text, though (`[INST]`): where
/// somebody wrote one, its first character is spelled in bytes, which decodes to the same text.
struct MarkerSafeText {
  private let tokenizer: SentencePieceTokenizer
  private let markers: [String]

  init(_ tokenizer: SentencePieceTokenizer, markers: [String]) {
    self.tokenizer = tokenizer
    self.markers = markers
  }

  func encode(_ text: String, _ joining: TemplateBuilder.Joining) -> [Int] {
    var tokens: [Int] = []
    var rest = text.utf8[...]
    var joining = joining
    while let start = firstMarker(in: rest) {
      if start > rest.startIndex {
        tokens += encode(rest[..<start], joining)
      } else if joining == .space, tokenizer.addsDummyPrefix, let space = tokenizer.token(forPiece: "\u{2581}") {
        tokens.append(space)
      }
      joining = .none
      tokens += disguised(rest[start])
      rest = rest[rest.index(after: start)...]
    }
    return rest.isEmpty ? tokens : tokens + encode(rest, joining)
  }

  private func encode(_ text: Substring.UTF8View, _ joining: TemplateBuilder.Joining) -> [Int] {
    let text = String(decoding: text, as: UTF8.self)
    return joining == .space ? tokenizer.encode(text) : tokenizer.encodeContinuation(text)
  }

  /// A character in ASCII as a byte piece; without byte pieces, as a piece of its own.
  private func disguised(_ character: UInt8) -> [Int] {
    let digits = String(character, radix: 16, uppercase: true)
    let piece = "<0x" + String(repeating: "0", count: 2 - digits.count) + digits + ">"
    return tokenizer.token(forPiece: piece).map { [$0] }
      ?? tokenizer.encodeContinuation(String(UnicodeScalar(character)))
  }

  private func firstMarker(in text: Substring.UTF8View) -> Substring.UTF8View.Index? {
    guard !markers.isEmpty else { return nil }
    return text.indices.first { index in
      markers.contains { text[index...].starts(with: $0.utf8) }
    }
  }
}

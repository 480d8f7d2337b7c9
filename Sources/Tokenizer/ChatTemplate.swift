/// How a conversation is written out for a model, and where in it the replies are.
///
/// Built-in ones in Swift render messages to segments, of which `SegmentEncoder` makes tokens; a model's own is a program in
/// Jinja.
public struct ChatTemplate: Sendable, Equatable, Codable {
  /// One turn of a conversation.
  public struct Message: Sendable, Equatable, Codable {
    public enum Role: String, Sendable, Codable, CaseIterable { case system, user, assistant }
    public var role: Role
    public var content: String
    /// Whether a reply is learned in training, not only read.
    var isLearned = true

    private enum CodingKeys: CodingKey { case role, content }

    public init(role: Role, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// How a rendering ends.
  public enum Ending: Sendable {
    /// With the last message.
    case complete
    /// Within the last message, an assistant's, so that the model goes on with it.
    case openReply
    /// With what makes the model reply.
    case generationPrompt
  }

  private enum Form: Sendable, Equatable {
    case builtIn(Kind)
    case jinja(JinjaTemplate)
  }

  private let form: Form

  public init(_ kind: Kind) { form = .builtIn(kind) }

  /// A model's own.
  public init(_ template: JinjaTemplate) { form = .jinja(template) }

  /// For models that bring none.
  public static let fallback = ChatTemplate(.alpaca)

  /// For people.
  public var name: String {
    switch form {
    case .builtIn(let kind): kind.rawValue
    case .jinja: "of the model"
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // A name, or the template itself.
    do { form = .builtIn(try container.decode(Kind.self)) } catch DecodingError.typeMismatch {
      form = .jinja(try container.decode(JinjaTemplate.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch form {
    case .builtIn(let kind): try container.encode(kind)
    case .jinja(let template): try container.encode(template)
    }
  }

  /// The text of the template, for files of models; `nil` for one that is no Jinja.
  public func source(_ tokenizer: any Tokenizer) throws(TokenizerError) -> String? { try jinja(tokenizer)?.source }

  /// The template as one in Jinja, with the tokenizer's names for begin and end of sequence; `nil` for one in Swift.
  private func jinja(_ tokenizer: any Tokenizer) throws(TokenizerError) -> JinjaTemplate? {
    switch form {
    case .jinja(let template): return template
    case .builtIn(let kind): return try JinjaTemplate.builtIn(kind, tokenizer)
    }
  }

  private func encoder(_ tokenizer: any Tokenizer) throws(TokenizerError) -> SegmentEncoder {
    guard case .builtIn(let kind) = form, let format = kind.format else {
      preconditionFailure("a template in Jinja has no segments")
    }
    return try SegmentEncoder(tokenizer, for: format, name: kind.rawValue)
  }

  private func encode(
    _ messages: [Message], _ tokenizer: any Tokenizer, ending: Ending
  ) throws(TokenizerError) -> MaskedTokens {
    if let template = try jinja(tokenizer) {
      return try template.encode(messages, tokenizer: tokenizer, ending: ending)
    }
    let encoder = try encoder(tokenizer)
    return try encoder.encode(encoder.format.segments(of: messages, ending: ending))
  }
}

// MARK: - Text

extension ChatTemplate {
  /// The text of a prompt, special tokens as the vocabulary spells them.
  ///
  /// - Throws: `TokenizerError.templateFailed`, `.badRequest`, `.missingMarker`.
  public func text(of request: TemplateRequest, tokenizer: any Tokenizer) throws(TokenizerError) -> String {
    if let template = try jinja(tokenizer) { return try template.text(of: request) }
    let encoder = try encoder(tokenizer)
    let ending: Ending = request.addsGenerationPrompt ? .generationPrompt : .complete
    var text = ""
    for segment in encoder.format.segments(of: try request.plainMessages(template: name), ending: ending) {
      if segment.joining == .space { text += " " }
      switch segment.content {
      case .special(let token): text += try tokenizer.piece(encoder.token(token))
      case .marker(let part), .text(let part): text += part
      }
    }
    return text
  }
}

// MARK: - Tokens

extension ChatTemplate {
  /// The tokens of a conversation, begin of sequence included.
  ///
  /// - Parameters:
  ///   - addGenerationPrompt: end with what makes the model reply.
  ///   - continueFinalMessage: leave the final message, an assistant's, open, so that the model goes on with it. No
  ///     generation prompt is added then.
  /// - Throws: `TokenizerError.missingMarker` or `.nothingToContinue`.
  public func encode(
    _ messages: [Message], tokenizer: any Tokenizer, addGenerationPrompt: Bool = true,
    continueFinalMessage: Bool = false
  ) throws(TokenizerError) -> [Int] {
    if continueFinalMessage, messages.last?.role != .assistant { throw .nothingToContinue }
    let ending: Ending = continueFinalMessage ? .openReply : addGenerationPrompt ? .generationPrompt : .complete
    return try encode(messages, tokenizer, ending: ending).tokens
  }

  /// The tokens of a whole conversation and which of them are to be learned.
  ///
  /// - Throws: `TokenizerError.missingMarker`.
  public func encodeForTraining(
    _ messages: [Message], tokenizer: any Tokenizer
  ) throws(TokenizerError) -> MaskedTokens {
    try encode(messages, tokenizer, ending: .complete)
  }

  /// The tokens of a conversation with tools, tool calls, or replies that are not learned.
  ///
  /// - Throws: `TokenizerError.templateFailed`, `.badRequest`, `.missingMarker`.
  public func encodeForTraining(
    _ request: TemplateRequest, tokenizer: any Tokenizer
  ) throws(TokenizerError) -> MaskedTokens {
    if let template = try jinja(tokenizer) { return try template.encodeForTraining(request, tokenizer: tokenizer) }
    return try encodeForTraining(request.plainMessages(template: name), tokenizer: tokenizer)
  }

  /// Whether what tools were asked and answered shows in the text: some templates have no place for it.
  public func shows(toolsOf request: TemplateRequest, tokenizer: any Tokenizer) -> Bool {
    do {
      guard let template = try jinja(tokenizer) else { return false }
      // A name may be said elsewhere, too: with tools it must be there more often.
      let with = try template.text(of: request.complete())
      let without = try template.text(of: request.withoutTools().request.complete())
      return request.toolTexts.allSatisfy { with.ranges(of: $0).count > without.ranges(of: $0).count }
    } catch { return false }
  }

  /// The tokens that end a reply: the end of sequence first.
  ///
  /// - Throws: `TokenizerError.missingMarker`, `.templateFailed`.
  public func stopTokens(_ tokenizer: any Tokenizer) throws(TokenizerError) -> [Int] {
    if let template = try jinja(tokenizer) { return try template.stopTokens(tokenizer) }
    let encoder = try encoder(tokenizer)
    var tokens: [Int] = []
    for marker in encoder.format.stopMarkers { tokens.append(try encoder.token(marker)) }
    return tokens
  }
}

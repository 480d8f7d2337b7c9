/// How a conversation becomes tokens, and where in them the replies are.
///
/// Markers and text are encoded apart, so that text can never become a marker: see `MarkerSafeText`.
public struct ChatTemplate: Sendable, Equatable, Codable {
  /// The known formats; `family.json` stores the name.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Stanford Alpaca's preamble with `### Instruction:` and `### Response:`.
    case alpaca
    /// Llama 2 Chat's `[INST] … [/INST]`.
    case llama2
    /// The default family's: one control symbol before every message.
    case tiny
  }

  /// One turn of a conversation.
  public struct Message: Sendable, Equatable, Codable {
    public enum Role: String, Sendable, Codable, CaseIterable { case system, user, assistant }
    public var role: Role
    public var content: String

    public init(role: Role, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// A conversation to train on.
  public struct TrainingExample: Sendable, Equatable {
    public var tokens: [Int]
    /// Parallel to `tokens`: true for the tokens of replies and the end-of-sequence token that closes each, which are
    /// to be learned; false for all that is given.
    public var isReply: [Bool]
  }

  public let kind: Kind

  public init(_ kind: Kind) { self.kind = kind }

  public init(from decoder: any Decoder) throws {
    kind = try decoder.singleValueContainer().decode(Kind.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(kind)
  }

  /// The tokens of a conversation, begin-of-sequence included.
  ///
  /// - Parameters:
  ///   - addGenerationPrompt: end with what makes the model reply.
  ///   - continueFinalMessage: leave the final message, an assistant's, open, so that the model goes on with it. No
  ///     generation prompt is added then.
  /// - Throws: `TokenizerError.missingMarker` or `.nothingToContinue`.
  public func encode(
    _ messages: [Message], tokenizer: SentencePieceTokenizer, addGenerationPrompt: Bool = true,
    continueFinalMessage: Bool = false
  ) throws(TokenizerError) -> [Int] {
    if continueFinalMessage, messages.last?.role != .assistant { throw .nothingToContinue }
    return try render(
      messages, tokenizer: tokenizer,
      ending: continueFinalMessage ? .openReply : addGenerationPrompt ? .generationPrompt : .complete
    ).tokens
  }

  /// The tokens of a whole conversation and which of them are to be learned.
  ///
  /// - Throws: `TokenizerError.missingMarker`.
  public func encodeForTraining(
    _ messages: [Message], tokenizer: SentencePieceTokenizer
  ) throws(TokenizerError) -> TrainingExample {
    let tokens = try render(messages, tokenizer: tokenizer, ending: .complete)
    return TrainingExample(tokens: tokens.tokens, isReply: tokens.isReply)
  }

  /// The tokens that end a reply: the end-of-sequence token first, then any marker that begins another message.
  ///
  /// - Throws: `TokenizerError.missingMarker`.
  public func stopTokens(_ tokenizer: SentencePieceTokenizer) throws(TokenizerError) -> [Int] {
    let builder = try TemplateBuilder(tokenizer, template: kind)
    var tokens = [builder.eos]
    if kind == .tiny {
      for role in Message.Role.allCases { tokens.append(try builder.roleMarker(role)) }
    }
    return tokens
  }

  /// How a rendering ends.
  enum Ending { case complete, openReply, generationPrompt }

  private func render(
    _ messages: [Message], tokenizer: SentencePieceTokenizer, ending: Ending
  ) throws(TokenizerError) -> TemplateBuilder {
    var builder = try TemplateBuilder(tokenizer, template: kind)
    switch kind {
    case .alpaca: renderAlpaca(messages, into: &builder, ending: ending)
    case .llama2: renderLlama2(messages, into: &builder, ending: ending)
    case .tiny: try renderTiny(messages, into: &builder, ending: ending)
    }
    return builder
  }
}

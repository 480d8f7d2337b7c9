import LLaMAStitch
import Tokenizer

/// Records of data files as token ids for training.
public enum TrainingText {
  /// Documents for pretraining, each with its end-of-sequence token, and its begin if the tokenizer adds one. The loss
  /// counts all of a text, of a conversation the replies.
  public static func documents(
    _ records: [DataFile.Record], tokenizer: any Tokenizer, template: ChatTemplate
  ) throws -> [TrainingExample] {
    try records.map { record in
      switch record {
      case .text(let text):
        let ids =
          try tokenizer.textStart + tokenizer.encode(text) + [tokenizer.eosToken].compactMap { $0 }
        return TrainingExample(text: ids.map(Int32.init))
      case .conversation(let messages):
        return TrainingExample(try template.encodeForTraining(messages.map(\.templated), tokenizer: tokenizer))
      case .request(let request):
        return TrainingExample(try encoded(request, tokenizer: tokenizer, template: template).tokens)
      }
    }
  }

  /// A file's conversations as examples, and what was left out of it.
  public struct Examples: Sendable {
    public internal(set) var examples: [TrainingExample] = []
    /// Conversations that do not fit the context.
    public internal(set) var tooLong = 0
    /// Turns of tools, and calls of them, that the template has no place for.
    public internal(set) var toolTurns = 0
  }

  /// A file's conversations as examples of which the loss counts the replies alone.
  /// - Parameter textLength: tokens of the pieces that texts are cut into, all of which the loss counts; `nil`: texts are no
  ///   examples.
  public static func examples(
    _ file: DataFile, tokenizer: any Tokenizer, template: ChatTemplate, contextLength: Int, textLength: Int? = nil
  ) throws -> Examples {
    var found = Examples()
    for record in file.records {
      if let textLength, case .text = record {
        let texts = try documents([record], tokenizer: tokenizer, template: template)
        found.examples += texts.flatMap { $0.pieces(ofAtMost: max(2, min(textLength, contextLength))) }
        continue
      }
      guard let example = try encoded(record, tokenizer: tokenizer, template: template) else { continue }
      found.toolTurns += example.toolTurns
      if example.tokens.tokens.count > contextLength {
        found.tooLong += 1
      } else {
        found.examples.append(TrainingExample(example.tokens))
      }
    }
    return found
  }

  /// A conversation's tokens, and how many turns of tools are not among them; `nil` for a text.
  public static func encoded(
    _ record: DataFile.Record, tokenizer: any Tokenizer, template: ChatTemplate
  ) throws -> (tokens: MaskedTokens, toolTurns: Int)? {
    switch record {
    case .text: nil
    case .conversation(let messages):
      (try template.encodeForTraining(messages.map(\.templated), tokenizer: tokenizer), 0)
    case .request(let request): try encoded(request, tokenizer: tokenizer, template: template)
    }
  }

  /// With what tools were asked and answered, where the template shows it; else without.
  private static func encoded(
    _ request: TemplateRequest, tokenizer: any Tokenizer, template: ChatTemplate
  ) throws -> (tokens: MaskedTokens, toolTurns: Int) {
    if !request.usesTools || template.shows(toolsOf: request, tokenizer: tokenizer) {
      return (try template.encodeForTraining(request, tokenizer: tokenizer), 0)
    }
    let (rest, leftOut) = request.withoutTools()
    return (try template.encodeForTraining(rest, tokenizer: tokenizer), leftOut)
  }
}

extension TrainingExample {
  /// An encoded conversation.
  init(_ encoded: MaskedTokens) {
    self.init(tokens: encoded.tokens.map(Int32.init), lossMask: encoded.lossMask)
  }
}

extension ChatMessage {
  /// The same turn as chat templates know it.
  package var templated: ChatTemplate.Message {
    switch role {
    case .system: ChatTemplate.Message(role: .system, content: content)
    case .user: ChatTemplate.Message(role: .user, content: content)
    case .assistant: ChatTemplate.Message(role: .assistant, content: content)
    }
  }
}

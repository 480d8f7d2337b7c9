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
        return TrainingExample(try template.encodeForTraining(request, tokenizer: tokenizer))
      }
    }
  }

  /// A file's conversations as examples of which the loss counts the replies alone.
  /// - Parameter textLength: tokens of the pieces that texts are cut into, all of which the loss counts; `nil`: texts are no
  ///   examples.
  /// - Returns: the examples, and how many were left out because they do not fit `contextLength`.
  public static func examples(
    _ file: DataFile, tokenizer: any Tokenizer, template: ChatTemplate, contextLength: Int, textLength: Int? = nil
  ) throws -> (examples: [TrainingExample], tooLong: Int) {
    var examples: [TrainingExample] = []
    var tooLong = 0
    for record in file.records {
      if let textLength, case .text = record {
        let texts = try documents([record], tokenizer: tokenizer, template: template)
        examples += texts.flatMap { $0.pieces(ofAtMost: max(2, min(textLength, contextLength))) }
        continue
      }
      guard let example = try encoded(record, tokenizer: tokenizer, template: template) else { continue }
      if example.tokens.count > contextLength {
        tooLong += 1
      } else {
        examples.append(TrainingExample(example))
      }
    }
    return (examples, tooLong)
  }

  /// A conversation's tokens; `nil` for a text.
  public static func encoded(
    _ record: DataFile.Record, tokenizer: any Tokenizer, template: ChatTemplate
  ) throws -> MaskedTokens? {
    switch record {
    case .text: nil
    case .conversation(let messages):
      try template.encodeForTraining(messages.map(\.templated), tokenizer: tokenizer)
    case .request(let request): try template.encodeForTraining(request, tokenizer: tokenizer)
    }
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

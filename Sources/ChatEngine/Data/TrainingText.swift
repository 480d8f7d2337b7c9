import LLaMAStitch
import Tokenizer

/// Records of data files as token ids for training.
public enum TrainingText {
  /// Documents for pretraining, each with its begin- and end-of-sequence token. All of a text is to be predicted, of a
  /// conversation the replies.
  public static func documents(
    _ records: [DataFile.Record], tokenizer: SentencePieceTokenizer, template: ChatTemplate
  ) throws -> [TrainingExample] {
    try records.map { record in
      switch record {
      case .text(let text):
        let ids =
          [tokenizer.bosToken].compactMap { $0 } + tokenizer.encode(text) + [tokenizer.eosToken].compactMap { $0 }
        return TrainingExample(text: ids.map(Int32.init))
      case .conversation(let messages):
        return TrainingExample(try template.encodeForTraining(messages.map(\.templated), tokenizer: tokenizer))
      }
    }
  }

  /// Conversations as examples of which only the replies are to be predicted.
  /// - Returns: the examples, and how many were left out because they do not fit `contextLength`.
  public static func examples(
    _ conversations: [[ChatMessage]], tokenizer: SentencePieceTokenizer, template: ChatTemplate,
    contextLength: Int
  ) throws -> (examples: [TrainingExample], tooLong: Int) {
    var examples: [TrainingExample] = []
    var tooLong = 0
    for messages in conversations {
      let example = try template.encodeForTraining(messages.map(\.templated), tokenizer: tokenizer)
      if example.tokens.count > contextLength {
        tooLong += 1
      } else {
        examples.append(TrainingExample(example))
      }
    }
    return (examples, tooLong)
  }
}

extension TrainingExample {
  /// A rendered conversation, of which the replies are to be learned.
  init(_ rendered: ChatTemplate.TrainingExample) {
    self.init(tokens: rendered.tokens.map(Int32.init), predicted: rendered.isReply)
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

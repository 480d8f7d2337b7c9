import Tokenizer

/// Turns a conversation into the tokens of a prompt that leaves room for a reply. Where it is too long, the oldest
/// turns go first; the system prompt and the last question stay.
package struct PromptFitter {
  /// A prompt, and what it is of.
  package struct Prompt: Equatable {
    package var tokens: [Int]
    /// Messages that were left out.
    package var dropped: Int
    /// The reply goes on with the conversation's last message.
    package var continues: Bool
  }

  let tokenizer: any Tokenizer
  let template: ChatTemplate
  let contextLength: Int

  package init(tokenizer: any Tokenizer, template: ChatTemplate, contextLength: Int) {
    self.tokenizer = tokenizer
    self.template = template
    self.contextLength = contextLength
  }

  /// - Throws: `EngineError.promptTooLong`, `TokenizerError`.
  package func fit(_ messages: [ChatMessage], maxTokens: Int) throws -> Prompt {
    let continues = messages.last?.role == .assistant
    let systems = messages.prefix { $0.role == .system }.count
    // A conversation may begin at any of the user's turns.
    let starts = [systems] + messages.indices.dropFirst(systems + 1).filter { messages[$0].role == .user }
    func prompt(from start: Int) throws -> Prompt {
      let kept = messages[..<systems] + messages[start...]
      let tokens = try template.encode(
        kept.map(\.templated), tokenizer: tokenizer, continueFinalMessage: continues)
      return Prompt(tokens: tokens, dropped: start - systems, continues: continues)
    }
    // Room for the reply: what was asked for, yet no more than a tenth of the context, so that nothing is dropped
    // long before the context is full.
    let room = max(1, min(maxTokens, contextLength / 10))
    let whole = try prompt(from: starts[0])
    if whole.tokens.count + room <= contextLength { return whole }
    // The later the start, the shorter the prompt: the first start that fits, by halving.
    var low = 1
    var high = starts.count
    var best: Prompt?
    while low < high {
      let middle = (low + high) / 2
      let candidate = try prompt(from: starts[middle])
      if candidate.tokens.count + room <= contextLength {
        best = candidate
        high = middle
      } else {
        low = middle + 1
      }
    }
    if let best { return best }
    // The last question alone may use that room too, as long as one token fits.
    let last = try prompt(from: starts[starts.count - 1])
    guard last.tokens.count < contextLength else {
      throw EngineError.promptTooLong(tokens: last.tokens.count, contextLength: contextLength)
    }
    return last
  }
}

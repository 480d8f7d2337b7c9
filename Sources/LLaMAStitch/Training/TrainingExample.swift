/// A sequence and which of its tokens are to be learned.
public struct TrainingExample: Sendable, Equatable {
  public var tokens: [Int32]
  /// Parallel to `tokens`; the first token is never predicted.
  public var predicted: [Bool]

  public init(tokens: [Int32], predicted: [Bool]) {
    precondition(tokens.count == predicted.count)
    self.tokens = tokens
    self.predicted = predicted
  }

  /// A sequence all of whose tokens are to be learned.
  public init(text tokens: [Int32]) {
    self.init(tokens: tokens, predicted: Array(repeating: true, count: tokens.count))
  }

  /// The example cut into pieces of at most `length` tokens. Each piece starts with the last token of the one before,
  /// so that every token is still predicted.
  package func pieces(ofAtMost length: Int) -> [TrainingExample] {
    precondition(length > 1)
    if tokens.count <= length { return [self] }
    return stride(from: 0, to: tokens.count - 1, by: length - 1).map { start in
      let range = start..<min(start + length, tokens.count)
      return TrainingExample(tokens: Array(tokens[range]), predicted: Array(predicted[range]))
    }
  }

  /// Whether a pass over it has anything to learn.
  package var hasTargets: Bool { predicted.dropFirst().contains(true) }
}

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
}

/// A sequence and which of its tokens are to be learned.
public struct TrainingExample: Sendable, Equatable {
  public var tokens: [Int32]
  /// Parallel to `tokens`; the first token is never a target.
  public var lossMask: [Bool]

  public init(tokens: [Int32], lossMask: [Bool]) {
    precondition(tokens.count == lossMask.count)
    self.tokens = tokens
    self.lossMask = lossMask
  }

  /// A sequence all of whose tokens are to be learned.
  public init(text tokens: [Int32]) {
    self.init(tokens: tokens, lossMask: Array(repeating: true, count: tokens.count))
  }

  /// The example cut into pieces of at most `length` tokens. Each piece starts with the last token of the one before,
  /// so that every token is still a target once.
  package func pieces(ofAtMost length: Int) -> [TrainingExample] {
    precondition(length > 1)
    if tokens.count <= length { return [self] }
    return stride(from: 0, to: tokens.count - 1, by: length - 1).map { start in
      let range = start..<min(start + length, tokens.count)
      return TrainingExample(tokens: Array(tokens[range]), lossMask: Array(lossMask[range]))
    }
  }

  /// Whether a pass over it has anything to learn.
  package var hasTargets: Bool { lossMask.dropFirst().contains(true) }
}

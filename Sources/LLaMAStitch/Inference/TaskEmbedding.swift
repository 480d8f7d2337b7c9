/// What a network makes of a task, as one vector: the mean of its texts (`TextEmbedding`). Two prompts of one model read the
/// same texts into one space, where how alike their tasks are is the cosine of both (PANDA: Zhong et al. 2022, arXiv
/// 2208.10160).
public struct TaskEmbedding: Sendable, Equatable {
  public let values: [Double]

  public init(values: [Double]) { self.values = values }

  /// - Parameters:
  ///   - network: with the prompt that it reads.
  ///   - texts: not longer than the context leaves them.
  /// - Throws: `InferenceError`.
  public init(_ network: Network, texts: [[Int]], pool: ComputePool) throws(InferenceError) {
    let session = InferenceSession(
      network: network.withStatesAsLogits, contextLength: texts.map(\.count).max() ?? 1, pool: pool)
    var text = TextEmbedding(session)
    var sums = [Double](repeating: 0, count: network.finalNorm.count)
    for tokens in texts where !tokens.isEmpty {
      text.begin(tokens)
      var vector: [Float]?
      while vector == nil { vector = try text.advance() }
      for (index, value) in vector!.enumerated() { sums[index] += Double(value) }
    }
    values = sums.map { $0 / Double(max(1, texts.count)) }
  }

  /// The cosine, −1 to 1; 0 where one of them is nothing.
  public func similarity(to other: TaskEmbedding) -> Double {
    precondition(values.count == other.values.count, "task embeddings of different models")
    func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let lengths = (product(values, values) * product(other.values, other.values)).squareRoot()
    return lengths > 0 ? min(1, max(-1, product(values, other.values) / lengths)) : 0
  }
}

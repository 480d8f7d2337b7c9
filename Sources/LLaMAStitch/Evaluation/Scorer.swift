import Foundation

/// Measures how well a network predicts a text.
public enum Scorer {
  /// The negative log-likelihood of every token but the first, in nats, as log-softmax in Double.
  ///
  /// The caller prepends BOS. Where the text has more tokens than the session's context of C positions, it is scored
  /// in windows: the first window reads tokens `0 ..< C`; each further one reads the text's first token (BOS), the
  /// ⌊C/2⌋ − 1 tokens before the first one it scores, and then as many as fit. So every token is predicted from all
  /// tokens before it, or from at least half a context.
  /// - Returns: `tokens.count − 1` values. The session's earlier text is forgotten.
  /// - Throws: `InferenceError`.
  public static func negativeLogLikelihoods(
    of tokens: [Int], session: InferenceSession
  ) throws(InferenceError) -> [Double] {
    if tokens.isEmpty { throw .noTokens }
    var result: [Double] = []
    result.reserveCapacity(tokens.count)
    let context = session.contextLength
    // The next token to score is predicted by the token before it, the first of this window that needs logits.
    var next = 1
    while next < tokens.count {
      session.truncate(to: 0)
      let overlap = next == 1 ? 0 : min(next - 1, max(1, context / 2)) - 1
      if overlap > 0 {
        try session.evaluate([tokens[0]] + tokens[(next - overlap)..<(next - 1)], logits: .none)
      }
      // Read tokens next − 1 … end − 1; their logits score tokens next … end.
      let end = min(tokens.count - 1, next - 1 + context - session.position)
      var start = next - 1
      while start < end {
        let stop = min(end, start + session.chunkSize)
        let logits = try session.evaluate(Array(tokens[start..<stop]), logits: .all)
        for row in 0..<(stop - start) {
          let target = tokens[start + row + 1]
          guard target >= 0, target < logits.columns else {
            throw .tokenOutOfRange(token: target, vocabularySize: logits.columns)
          }
          result.append(negativeLogLikelihood(logits.row(row), target))
        }
        start = stop
      }
      next = end + 1
    }
    return result
  }

  /// −log softmax(logits)[target], in Double.
  static func negativeLogLikelihood(_ logits: VectorView, _ target: Int) -> Double {
    var largest = -Double.infinity
    for index in 0..<logits.count { largest = max(largest, Double(logits[index])) }
    var sum = 0.0
    for index in 0..<logits.count { sum += exp(Double(logits[index]) - largest) }
    return log(sum) - (Double(logits[target]) - largest)
  }
}

/// A text whose tokens are predicted, from some place on.
public struct ScoredText: Sendable, Equatable {
  public var tokens: [Int]
  /// The first token that counts, at least 1: those before it are only read.
  public var first: Int

  public init(tokens: [Int], first: Int) {
    precondition(first >= 1 && first <= tokens.count)
    self.tokens = tokens
    self.first = first
  }

  /// How many tokens count.
  public var positions: Int { tokens.count - first }
}

/// What a network makes of the tokens of a text that count: sums over them.
public struct TextScore: Sendable, Equatable {
  public var positions = 0
  /// Negative log-likelihood, nats.
  public var loss = 0.0
  /// How often its most likely token is the reference's.
  public var agreeing = 0
  /// KL(reference ‖ network), nats.
  public var divergence = 0.0

  public init() {}

  public static func + (one: TextScore, other: TextScore) -> TextScore {
    var sum = one
    sum.positions += other.positions
    sum.loss += other.loss
    sum.agreeing += other.agreeing
    sum.divergence += other.divergence
    return sum
  }
}

/// How well networks predict texts, and how far each is from one of them, the reference.
///
/// The networks go through a text side by side, a piece at a time, so that what the reference says of a piece is computed
/// once, and so is what their sessions share in a `PrefixCache`. Results do not depend on the number of threads.
public enum TextComparison {
  /// Floats of a piece's logits, and its least tokens where a vocabulary is large.
  private static let logitsLength = 4 << 20
  private static let leastTokens = 32

  /// - Parameters:
  ///   - networks: how many are compared.
  ///   - sessions: that of a network; it may be another one at every call.
  ///   - reference: the session of the network that they are measured by, which may be one of them.
  ///   - progress: told how many texts are done.
  /// - Returns: for each network the scores of the texts, in order.
  /// - Throws: `InferenceError`.
  public static func run(
    _ texts: [ScoredText], networks: Int, sessions: (Int) -> InferenceSession, reference: () -> InferenceSession,
    pool: ComputePool, progress: (Int) -> Void = { _ in }
  ) throws(InferenceError) -> [[TextScore]] {
    var scores = Array(repeating: Array(repeating: TextScore(), count: texts.count), count: networks)
    var kept: KeptDistributions?
    for (index, text) in texts.enumerated() {
      progress(index)
      // Token t is predicted by what is read up to token t − 1.
      var start = text.first - 1
      while start < text.tokens.count - 1 {
        let session = reference()
        let vocabulary = session.network.vocabularySize
        let length = max(leastTokens, min(session.chunkSize, logitsLength / vocabulary))
        let piece = start..<min(start + length, text.tokens.count - 1)
        let distributions = kept ?? KeptDistributions(rows: length, vocabulary: vocabulary)
        kept = distributions
        let logits = try read(piece, of: text.tokens, session)
        pool.run(parts: piece.count) { distributions.keep(logits.row($0), at: $0) }
        for network in 0..<networks {
          let score = try score(piece, of: text.tokens, sessions(network), against: distributions, pool)
          scores[network][index] = scores[network][index] + score
        }
        start = piece.upperBound
      }
    }
    progress(texts.count)
    return scores
  }

  /// The logits of some of a text's tokens, `[piece × vocabulary]`.
  private static func read(
    _ piece: Range<Int>, of tokens: [Int], _ session: InferenceSession
  ) throws(InferenceError) -> MatrixView {
    let known = session.commonPrefix(with: Array(tokens[..<piece.lowerBound]))
    session.truncate(to: known)
    if known < piece.lowerBound { try session.evaluate(Array(tokens[known..<piece.lowerBound]), logits: .none) }
    return try session.evaluate(Array(tokens[piece]), logits: .all)
  }

  private static func score(
    _ piece: Range<Int>, of tokens: [Int], _ session: InferenceSession, against reference: KeptDistributions,
    _ pool: ComputePool
  ) throws(InferenceError) -> TextScore {
    let logits = try read(piece, of: tokens, session)
    let targets = tokens[piece.lowerBound + 1...piece.upperBound]
    if let wrong = targets.first(where: { !(0..<logits.columns).contains($0) }) {
      throw .tokenOutOfRange(token: wrong, vocabularySize: logits.columns)
    }
    let (losses, agreeing, divergences) = (
      Slots(count: piece.count), Slots(count: piece.count), Slots(count: piece.count)
    )
    pool.run(parts: piece.count) { row in
      let likelihood = Double(logits[row, targets[targets.startIndex + row]])
      let difference = reference.compare(logits.row(row), at: row)
      losses[row] = difference.logSum - likelihood
      agreeing[row] = difference.agrees ? 1 : 0
      divergences[row] = difference.divergence
    }
    var score = TextScore()
    score.positions = piece.count
    for row in 0..<piece.count {
      score.loss += losses[row]
      score.agreeing += Int(agreeing[row])
      score.divergence += divergences[row]
    }
    return score
  }
}

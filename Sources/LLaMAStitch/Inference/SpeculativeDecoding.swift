import Foundation

/// What a cheaper network guesses, computed at once by the one that decides (speculative decoding, Leviathan et al.
/// 2023, arXiv 2211.17192).
///
/// A guess counts if it is the very token that the deciding network's own sampler chooses from its own logits, so that
/// the text is the same as without guesses, drawn at random or not. A stitch that starts in the drafter finds the blocks
/// they share computed already, if both have the same prefix cache.
package struct Speculation {
  /// Guesses at a time, and how sure the drafter must be of one.
  package static let most = 6
  static let leastProbability = 0.5
  /// Tokens that a drafter may have missed: to read more would hold up the text.
  static let mostMissing = 64

  let drafter: InferenceSession
  let stopTokens: Set<Int>
  private var guesses: [Int] = []
  private var used = 0
  private var rows: MatrixView?

  package init(drafter: InferenceSession, stopTokens: Set<Int>) {
    self.drafter = drafter
    self.stopTokens = stopTokens
    guesses.reserveCapacity(Self.most)
  }

  /// Guesses that wait to be confirmed.
  package var count: Int { guesses.count }

  /// The guess that comes next, while all before it were right.
  package var next: Int? { used < guesses.count ? guesses[used] : nil }

  /// Logits after `token`, the last one of `text`, if it was guessed.
  package mutating func known(after token: Int) -> VectorView? {
    guard token == next, let rows else { return nil }
    used += 1
    return rows.row(used)
  }

  /// Makes the session forget guesses that were not right.
  package mutating func settle(_ session: InferenceSession) {
    if used < guesses.count { session.truncate(to: session.position - (guesses.count - used)) }
    guesses.removeAll(keepingCapacity: true)
    used = 0
  }

  /// Has the drafter read all of `text` but its last token.
  /// - Returns: false if it has missed too much.
  package func catchUp(_ text: [Int]) throws -> Bool {
    let missing = text[drafter.reuse(text)...].dropLast()
    if missing.count > Self.mostMissing { return false }
    if !missing.isEmpty { try drafter.evaluate(Array(missing), logits: .none) }
    return true
  }

  /// Guesses on after `text` and computes the guesses, and before them its last token, which is all the session lacks.
  /// - Returns: the logits after that token.
  package mutating func guess(
    after text: [Int], atMost limit: Int, leastProbability: Double, session: InferenceSession
  ) throws -> VectorView {
    // The session has not seen what fails.
    defer { if rows == nil { guesses.removeAll(keepingCapacity: true) } }
    rows = nil
    // The drafter has read the others: see `catchUp`.
    var logits = try drafter.evaluate(text[text.count - 1])
    while guesses.count < limit, let (token, probability) = logits.mostLikely, probability >= leastProbability,
      !stopTokens.contains(token)
    {
      guesses.append(token)
      // Of the last one the logits are not needed, but its keys and values are if it is right.
      logits = try drafter.evaluate(token)
    }
    if guesses.isEmpty { return try session.evaluate(text[text.count - 1]) }
    let rows = try session.evaluate([text[text.count - 1]] + guesses, logits: .all)
    self.rows = rows
    return rows.row(0)
  }
}

extension VectorView {
  /// The index of the largest of these logits and its probability; `nil` where none is a number.
  fileprivate var mostLikely: (Int, Double)? {
    var best = 0
    for index in 0..<count where self[index] > self[best] || self[best].isNaN { best = index }
    let largest = self[best]
    guard largest.isFinite else { return nil }
    var sum = 0.0
    // What is far below adds nothing.
    for index in 0..<count where self[index] > largest - 20 { sum += exp(Double(self[index] - largest)) }
    return (best, 1 / sum)
  }
}

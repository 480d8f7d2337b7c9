import Foundation

/// Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192): a cheaper network drafts tokens, the one that decides
/// computes them at once and accepts what it would have chosen itself.
///
/// A drafted token is accepted if it is the very token that the deciding network's own sampler chooses from its own logits, so
/// that the text is the same as without drafts, drawn at random or not. A stitch that starts in the drafter finds the blocks
/// they share computed already, if both have the same prefix cache.
package struct SpeculativeDecoding {
  /// Drafted tokens at a time, and how sure the drafter must be of one.
  package static let mostTokens = 6
  static let leastProbability = 0.5
  /// Tokens that a drafter may have missed: to prefill more would hold up the text.
  static let mostMissing = 64

  let drafter: InferenceSession
  let stopTokens: Set<Int>
  private var drafted: [Int] = []
  private var accepted = 0
  private var rows: MatrixView?

  package init(drafter: InferenceSession, stopTokens: Set<Int>) {
    self.drafter = drafter
    self.stopTokens = stopTokens
    drafted.reserveCapacity(Self.mostTokens)
  }

  /// Drafted tokens that wait to be accepted.
  package var count: Int { drafted.count }

  /// The drafted token that comes next, while all before it were accepted.
  package var next: Int? { accepted < drafted.count ? drafted[accepted] : nil }

  /// Accepts `token`, the last one of the text, if it was drafted.
  /// - Returns: the logits after it; `nil` if it was not.
  package mutating func accept(_ token: Int) -> VectorView? {
    guard token == next, let rows else { return nil }
    accepted += 1
    return rows.row(accepted)
  }

  /// Makes the session forget drafted tokens that were not accepted.
  package mutating func rollBack(_ session: InferenceSession) {
    if accepted < drafted.count { session.truncate(to: session.position - (drafted.count - accepted)) }
    drafted.removeAll(keepingCapacity: true)
    accepted = 0
  }

  /// Has the drafter prefill all of `text` but its last token.
  /// - Returns: false if it has missed too much.
  package func catchUp(_ text: [Int]) throws -> Bool {
    let missing = text[drafter.reuse(text)...].dropLast()
    if missing.count > Self.mostMissing { return false }
    if !missing.isEmpty { try drafter.evaluate(Array(missing), logits: .none) }
    return true
  }

  /// Drafts tokens after `text` and computes them, and before them its last token, which is all the session lacks.
  /// - Returns: the logits after that token.
  package mutating func draft(
    after text: [Int], atMost limit: Int, leastProbability: Double, session: InferenceSession
  ) throws -> VectorView {
    // The session has not seen what fails.
    defer { if rows == nil { drafted.removeAll(keepingCapacity: true) } }
    rows = nil
    // The drafter has prefilled the others: see `catchUp`.
    var logits = try drafter.evaluate(text[text.count - 1])
    while drafted.count < limit, let (token, probability) = logits.mostLikely, probability >= leastProbability,
      !stopTokens.contains(token)
    {
      drafted.append(token)
      // Of the last one the logits are not needed, but its keys and values are if it is accepted.
      logits = try drafter.evaluate(token)
    }
    if drafted.isEmpty { return try session.evaluate(text[text.count - 1]) }
    let rows = try session.evaluate([text[text.count - 1]] + drafted, logits: .all)
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

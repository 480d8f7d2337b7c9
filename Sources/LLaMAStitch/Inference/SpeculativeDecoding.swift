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

/// Decides between plain and speculative decoding by what a token takes either way.
///
/// Drafting pays where the drafter is much cheaper and its tokens are often accepted, which depends on the networks, the text and the
/// machine. Now and then the other way is tried: more rarely the more often it lost, and the more it cost. The text does
/// not depend on it.
package struct SpeculationPace {
  /// A trial's length, what it may cost, and how far apart trials are: all in tokens.
  private static let trialTokens = 12
  private static let mostExpensiveTrial = 6.0
  private static let shortestInterval = 48
  private static let longestInterval = 768
  /// The share of the time that trials may cost, where that asks for longer intervals.
  private static let trialCost = 0.02
  /// Drafting must need so much less time than plain decoding.
  private static let advantage = 0.05

  /// Seconds per token, of the last tokens.
  private struct Average {
    static let window = 48.0
    private(set) var seconds = 0.0
    private(set) var tokens = 0.0

    mutating func add(_ more: Double, tokens count: Int) {
      tokens = min(Self.window, tokens + Double(count))
      seconds += (more / Double(count) - seconds) * min(1, Double(count) / tokens)
    }
  }

  private var drafting = Average()
  private var plain = Average()
  private var isTrial = true
  private var left = trialTokens
  private var interval = shortestInterval

  /// Whether the next round drafts.
  package private(set) var drafts: Bool
  private let isFixed: Bool

  /// - Parameter always: draft whatever it takes.
  package init(always: Bool = false) {
    drafts = always
    isFixed = always
  }

  /// Notes that a round, or a plain step, made so many tokens.
  package mutating func record(tokens: Int, seconds: Double) {
    guard tokens > 0 && !isFixed else { return }
    if drafts { drafting.add(seconds, tokens: tokens) } else { plain.add(seconds, tokens: tokens) }
    left -= tokens
    if drafting.tokens == 0 || plain.tokens == 0 {
      // At first what a plain token takes must be known.
      if left > 0 { return }
      drafts.toggle()
      left = Self.trialTokens
      return
    }
    let pays = drafting.seconds < (1 - Self.advantage) * plain.seconds
    if isTrial {
      let (tried, other) = drafts ? (drafting, plain) : (plain, drafting)
      let cost = (tried.seconds / max(other.seconds, 1e-12) - 1) * tried.tokens
      if left > 0 && cost < Self.mostExpensiveTrial { return }
      interval = pays == drafts ? Self.shortestInterval : min(Self.longestInterval, 2 * interval)
      left = max(interval, Int(min(cost / Self.trialCost, Double(Int32.max))))
      drafts = pays
      isTrial = false
    } else if left <= 0 || drafts && !pays && drafting.tokens >= Double(Self.trialTokens) {
      drafts.toggle()
      // What was measured long ago, beside other programs perhaps, is no measure.
      if drafts { drafting = Average() } else { plain = Average() }
      left = Self.trialTokens
      isTrial = true
    }
  }
}

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

import LLaMAStitch
import Support
import Testing

@Suite struct SpeculationPaceTests {
  /// A drafter as the pace sees it: a round takes `cost` plain tokens' time, and each drafted token is accepted with `right`.
  private struct Drafter {
    var cost: Double
    var right: Double

    /// Plain tokens' time by that with drafts, where all rounds draft.
    var advantage: Double { (0...6).reduce(0) { $0 + power(right, $1) } / cost }

    private func power(_ base: Double, _ exponent: Int) -> Double {
      (0..<exponent).reduce(1) { product, _ in product * base }
    }
  }

  /// Writes with a pace; the clock is a fifth off, either way.
  private func time(
    of tokens: Int, _ drafter: Drafter, _ pace: inout SpeculationPace, _ random: inout SeededGenerator
  ) -> Double {
    var (written, time) = (0, 0.0)
    while written < tokens {
      var made = 1
      if pace.drafts { while made < 7 && random.unit() < drafter.right { made += 1 } }
      let seconds = (pace.drafts ? drafter.cost : 1) * (0.8 + 0.4 * random.unit())
      pace.record(tokens: made, seconds: seconds)
      written += made
      time += seconds
    }
    return time
  }

  /// How much quicker a text becomes, over many texts.
  private func advantage(_ drafter: Drafter, tokens: Int, after beginning: Drafter? = nil) -> Double {
    var total = 0.0
    let texts = 100
    for seed in 0..<texts {
      var random = SeededGenerator(seed: UInt64(seed))
      var pace = SpeculationPace()
      if let beginning { _ = time(of: 500, beginning, &pace, &random) }
      total += time(of: tokens, drafter, &pace, &random)
    }
    return Double(tokens * texts) / total
  }

  @Test func whatPaysIsTaken() {
    let twice = Drafter(cost: 2, right: 0.8)
    #expect(twice.advantage > 1.9)
    #expect(advantage(twice, tokens: 1000) > 0.9 * twice.advantage)
  }

  /// Trials cost little, whether drafting loses by little or by much.
  @Test(arguments: [(3.2, 0.7), (2.2, 0.5), (3.0, 0.3), (6.0, 0.1)]) func whatDoesNotIsSwitchedOff(
    cost: Double, right: Double
  ) {
    let drafter = Drafter(cost: cost, right: right)
    #expect(drafter.advantage < 1)
    #expect(advantage(drafter, tokens: 2000) > 0.96)
  }

  @Test func itLearnsAnew() {
    let (bad, good) = (Drafter(cost: 3, right: 0.3), Drafter(cost: 2, right: 0.9))
    #expect(advantage(good, tokens: 2000, after: bad) > 0.75 * good.advantage)
    #expect(advantage(bad, tokens: 2000, after: good) > 0.96)
  }
}

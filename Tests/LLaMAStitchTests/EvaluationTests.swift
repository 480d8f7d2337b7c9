import Foundation
import LLaMAStitch
import Testing

/// Statistics of measurements, against values worked out by hand.
@Suite struct EvaluationTests {
  private func isClose(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool {
    abs(a - b) <= tolerance * max(1, abs(b))
  }

  @Test func mcNemarIsTheExactBinomialTest() {
    // 10 discordant pairs, 2 to one side: (1 + 10 + 45) / 1024 on one side.
    #expect(isClose(McNemarTest(gained: 2, lost: 8).pValue, 112.0 / 1024))
    #expect(isClose(McNemarTest(gained: 2, lost: 8).pValueOfWorse, 56.0 / 1024))
    #expect(isClose(McNemarTest(gained: 8, lost: 2).pValueOfWorse, (1024.0 - 1 - 10) / 1024))
    #expect(isClose(McNemarTest(gained: 0, lost: 5).pValueOfWorse, 1.0 / 32))
    #expect(McNemarTest(gained: 0, lost: 0).pValue == 1 && McNemarTest(gained: 0, lost: 0).pValueOfWorse == 1)
    #expect(McNemarTest(gained: 7, lost: 7).pValue == 1)
    let test = McNemarTest([true, true, false, false, true], [true, false, true, false, false])
    #expect(test.gained == 1 && test.lost == 2)
    // Binomial coefficients beyond the range of Double: 2 · P(X ≤ 900) of 2000 is 2 · Φ((900.5 − 1000) / √500).
    let many = McNemarTest(gained: 900, lost: 1100).pValue
    #expect(isClose(many, 2 * 0.5 * erfc(99.5 / (1000 as Double).squareRoot()), 1e-6))
    #expect(many > 0)
  }

  @Test func wilsonIntervals() {
    // 80 of 100 at z = 2: (0.8 + 0.02 ± 2 √(0.0016 + 0.0001)) / 1.04.
    let interval = BinomialInterval.wilson(right: 80, all: 100, z: 2)
    #expect(isClose(interval.lowerBound, (0.82 - 2 * 0.0017.squareRoot()) / 1.04))
    #expect(isClose(interval.upperBound, (0.82 + 2 * 0.0017.squareRoot()) / 1.04))
    #expect(BinomialInterval.wilson(right: 0, all: 0) == 0...1)
    #expect(BinomialInterval.wilson(right: 5, all: 5).upperBound == 1)
  }

  @Test func hypervolumeIsTheAreaOfTheUnion() {
    typealias Point = Hypervolume.Point
    let reference = Point(cost: 1, quality: 0)
    func area(_ points: (Double, Double)...) -> Double {
      Hypervolume.area(points.map { Point(cost: $0.0, quality: $0.1) }, reference: reference)
    }
    #expect(area() == 0)
    #expect(isClose(area((0, 0.5)), 0.5))
    // 1 × 0.5, and 0.5 × 0.25 above it.
    #expect(isClose(area((0, 0.5), (0.5, 0.75)), 0.625))
    // A dominated point, one beyond the reference and one below it add nothing; nor does the order matter.
    #expect(isClose(area((2, 1), (0.5, 0.75), (0.75, 0.6), (0, 0.5), (0.9, -1)), 0.625))
    #expect(isClose(area((0.25, 0.4), (0.25, 0.8), (0.25, 0.8)), 0.6))

    let scale = Hypervolume(cheapest: 1e6, mostExpensive: 1e8)
    #expect(isClose(scale.cost(flopsPerToken: 1e7), 0.5))
    // 1.05 × 0.3 + 0.55 × 0.2 + 0.05 × 0.4.
    #expect(isClose(scale([(1e6, 0.3), (1e7, 0.5), (1e8, 0.9)]), 0.445))
    #expect(Hypervolume(cheapest: 5, mostExpensive: 5).cost(flopsPerToken: 5) == 0)
  }

  @Test func theFrontierLeavesOutWhatIsDominated() {
    let points = [(3.0, 5.0), (1, 2), (2, 1), (2, 4), (4, 5), (1, 2)].map {
      Hypervolume.Point(cost: $0.0, quality: $0.1)
    }
    #expect(Hypervolume.frontier(points) == [1, 3, 0])
    #expect(Hypervolume.frontier([]) == [])
  }

  /// So many right from the start of 100 questions.
  private func candidate(_ id: String, _ right: Int, from first: Int = 0) -> StopChoice.Candidate {
    .init(id: id, isRight: (0..<100).map { ($0 + 100 - first) % 100 < right })
  }

  @Test func stopsDominatedByMoreThanNoiseAreLeftOut() {
    // b loses 5 and gains none: p = 1/32. c loses 4: p = 1/16, which may be noise.
    let candidates = [candidate("a", 50), candidate("b", 45), candidate("c", 46), candidate("d", 80)]
    #expect(StopChoice.stops(candidates) == ["a", "c", "d"])
    #expect(StopChoice.stops(candidates, level: 0.01) == ["a", "b", "c", "d"])
    #expect(StopChoice.stops(candidates, level: 0.1) == ["a", "d"])
    // The last is no exception.
    #expect(StopChoice.stops([candidate("a", 50), candidate("b", 70), candidate("c", 60)]) == ["a", "b"])
    #expect(StopChoice.stops([]) == [])
  }

  @Test func signFlipsAreCounted() {
    // Differences 3, 1, −1 and one of 0: of 8 flips 5, 3 (twice) reach 3.
    let test = SignFlipTest([1, 1, 2, 7], [4, 2, 1, 7])
    #expect(test.gained == 2 && test.lost == 1 && isClose(test.pValueOfBetter, 3.0 / 8))
    #expect(isClose(test.pValueOfWorse, 7.0 / 8) && isClose(test.pValue, 6.0 / 8))
    #expect(SignFlipTest([5, 6], [5, 6]).pValue == 1 && SignFlipTest([], []).pValue == 1)
    #expect(isClose(SignFlipTest([0, 0, 0, 0, 0, 0], [1, 2, 3, 1, 2, 3]).pValueOfBetter, 1.0 / 64))
    // Many: 60 of 100 differences of 1 are up; P(X ≥ 60) of Binomial(100, ½) is 0.0284.
    let many = SignFlipTest(Array(repeating: 1, count: 100), (0..<100).map { $0 < 60 ? 2 : 0 })
    #expect(abs(many.pValueOfBetter - 0.0284) < 0.01 && many.pValueOfWorse > 0.95)
  }

  @Test func stopsThatAgreeNoMoreAreLeftOut() {
    func candidate(_ id: String, _ agreeing: Int..., isReference: Bool = false) -> StopChoice.AgreeingCandidate {
      .init(id: id, agreeing: agreeing, isReference: isReference)
    }
    let candidates = [
      candidate("a", 5, 5, 5, 5, 5, 5), candidate("b", 5, 6, 4, 5, 6, 4), candidate("c", 6, 7, 6, 7, 6, 7),
      candidate("d", 9, 9, 9, 9, 9, 1), candidate("e", 9, 9, 9, 9, 9, 9, isReference: true),
    ]
    // d is better than c on five texts and far worse on one; e stays whatever it is.
    #expect(StopChoice.stops(byAgreement: candidates) == ["a", "c", "e"])
    #expect(StopChoice.stops(byAgreement: candidates, minimum: 4) == ["a", "c", "d", "e"])
    #expect(StopChoice.stops(byAgreement: candidates, minimum: 5) == ["a", "b", "c", "d", "e"])
    #expect(StopChoice.stops(byAgreement: candidates, level: 0.4).contains("d"))
  }

  @Test func stopsComeBackWhereFewAreLeftAndTheirNeighboursAreNoBetter() {
    // c is worse than a but not than b, which is not clearly worse than a.
    let candidates = [candidate("a", 50), candidate("b", 46), candidate("c", 42), candidate("d", 30)]
    #expect(StopChoice.stops(candidates) == ["a", "b"])
    #expect(StopChoice.stops(candidates, minimum: 3) == ["a", "b", "c"])
    // d is clearly worse than any of them.
    #expect(StopChoice.stops(candidates, minimum: 4) == ["a", "b", "c"])
    // One that is worse than the stop beside it stays out, whatever the minimum.
    #expect(StopChoice.stops([candidate("a", 50), candidate("b", 20), candidate("c", 60)], minimum: 3) == ["a", "c"])
  }
}

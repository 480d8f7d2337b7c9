import Foundation
import LLaMAStitch
import Support
import Testing

/// What a search for placements chooses its candidates by.
@Suite struct PlacementProcessTests {
  private static func inputs(_ count: Int, _ dimensions: Int, _ random: inout SeededGenerator) -> [[Double]] {
    (0..<count).map { _ in (0..<dimensions).map { _ in random.unit() } }
  }

  @Test func theInverseOfAPositiveDefiniteMatrix() throws {
    try LinearAlgebra.load()
    let whole = [[4.0, 2, -1], [2, 5, 1], [-1, 1, 6]]
    // What is below the diagonal does not count.
    let inverse = try #require(PositiveDefiniteInverse(of: [4, 2, -1, 9, 5, 1, 9, 9, 6], 3))
    for (row, expected) in zip(whole, [1.0, 2, 3]) {
      #expect(abs(zip(row, inverse.times([1, 2, 3])).reduce(0) { $0 + $1.0 * $1.1 } - expected) < 1e-12)
    }
    for row in 0..<3 {
      for column in 0..<3 {
        let unit = inverse.times((0..<3).map { $0 == column ? 1 : 0 })
        #expect(inverse[row, column] == unit[row] && abs(inverse[row, column] - inverse[column, row]) < 1e-15)
      }
    }
    // 4 (5·6 − 1) − 2 (2·6 + 1) − (2 + 5)
    #expect(abs(2 * inverse.halfLogDeterminant - log(83)) < 1e-12)
    #expect(PositiveDefiniteInverse(of: [1, 2, 0, 1], 2) == nil)
  }

  /// By differences, at several places.
  @Test func theGradientIsThatOfTheDensity() throws {
    try LinearAlgebra.load()
    var random = SeededGenerator(seed: 1)
    let inputs = Self.inputs(12, 5, &random)
    let posterior = Posterior(inputs: inputs, outputs: inputs.map { sin(5 * $0[0]) + 0.1 * random.normal() })
    for _ in 0..<5 {
      let place = posterior.start.map { $0 + 0.7 * random.normal() }
      let (_, gradient) = posterior.density(place)
      for index in place.indices {
        var (above, below) = (place, place)
        above[index] += 1e-5
        below[index] -= 1e-5
        let difference = (posterior.density(above).value - posterior.density(below).value) / 2e-5
        #expect(abs(gradient[index] - difference) < 1e-4 * (1 + abs(difference)), "\(index)")
      }
    }
  }

  /// Of a normal density with correlated coordinates of very different spread.
  @Test func drawsHaveTheMomentsOfTheirDensity() {
    // x = N(1, 1), y = 10 x + N(0, 5²)
    let sampler = NoUTurnSampler(warmup: 400, count: 4000)
    var random = SeededGenerator(seed: 2)
    let draws = sampler.draw(from: [0, 0], &random) { place in
      let (x, rest) = (place[0] - 1, place[1] - 10 * place[0])
      return (-(x * x) / 2 - rest * rest / 50, [-x + 10 * rest / 25, -rest / 25])
    }
    func mean(_ of: ([Double]) -> Double) -> Double { draws.reduce(0) { $0 + of($1) } / Double(draws.count) }
    let (x, y) = (mean { $0[0] }, mean { $0[1] })
    #expect(abs(x - 1) < 0.1 && abs(y - 10) < 1.1, "\(x) \(y)")
    #expect(abs(mean { ($0[0] - x) * ($0[0] - x) } - 1) < 0.15)
    #expect(abs(mean { ($0[1] - y) * ($0[1] - y) } - 125) < 19)
    #expect(abs(mean { ($0[0] - x) * ($0[1] - y) } - 10) < 1.6)
  }

  /// Of twelve inputs two matter: values between those that were seen are near the function's, and far less sure where nothing
  /// was seen.
  @Test func aProcessFindsWhatMatters() throws {
    var random = SeededGenerator(seed: 3)
    func function(_ place: [Double]) -> Double { 2 * sin(3 * place[4]) - 2 * place[9] * place[9] }
    let inputs = Self.inputs(40, 12, &random)
    let process = try SparseGaussianProcess(
      inputs: inputs, outputs: inputs.map { function($0) - 0.4 }, effort: .init(warmup: 64, samples: 32, thinning: 4),
      &random)
    var (error, variation) = (0.0, 0.0)
    for place in Self.inputs(60, 12, &random) {
      let draws = process.predictions(at: place)
      #expect(draws.count == 8)
      let mean = draws.reduce(0) { $0 + $1.mean } / Double(draws.count)
      error += pow(mean - (function(place) - 0.4), 2)
      variation += pow(function(place) - 0.4, 2)
    }
    #expect(error < 0.1 * variation, "\(error) of \(variation)")
    func deviation(_ place: [Double]) -> Double { process.predictions(at: place).reduce(0) { $0 + $1.deviation } }
    var far = inputs[0]
    (far[4], far[9]) = (4, -3)
    #expect(deviation(far) > 3 * deviation(inputs[0]))
  }

  /// Against the mean gain of many draws, of which the area is added up.
  @Test func theExpectedGainIsThatOfDraws() {
    let gain = HypervolumeGain([(1, 3), (2, 3.5), (3, 1), (2.5, 2)], reference: (4, 4))
    func area(_ points: [(Double, Double)]) -> Double {
      let count = 4000
      return (0..<count).reduce(0) { sum, place in
        let cost = 5 * (Double(place) + 0.5) / Double(count) - 1
        if cost > 4 { return sum }
        return sum + (4 - min(4, points.filter { $0.0 <= cost }.map(\.1).min() ?? 4)) * 5 / Double(count)
      }
    }
    var random = SeededGenerator(seed: 4)
    let points = [(1.0, 3.0), (2, 3.5), (3, 1), (2.5, 2)]
    for (cost, mean, deviation) in [(0.5, 3.2, 0.5), (2.2, 2.4, 0.4), (3.5, 2.0, 0.8), (4.5, 0.0, 0.1)] {
      let found = (0..<300).reduce(0.0) { sum, _ in
        sum + area(points + [(cost, mean + deviation * random.normal())]) - area(points)
      }
      let expected = gain.expected(cost: cost, mean: mean, deviation: deviation)
      #expect(abs(found / 300 - expected) < 0.12 * expected + 0.01, "\(cost): \(found / 300), \(expected)")
    }
  }

  @Test func scoresAreThoseOfRanks() {
    let scores = Normal.scores([3, 1, .nan, 1, 2])
    #expect(scores[1] == scores[3] && scores[1] < scores[4] && scores[4] < scores[0] && scores[0] < scores[2])
    #expect(abs(Normal.share(below: scores[2]) - 0.9) < 1e-9 && abs(scores[4]) < 1e-9)
    #expect(abs(Normal.quantile(0.975) - 1.959964) < 1e-6)
  }
}

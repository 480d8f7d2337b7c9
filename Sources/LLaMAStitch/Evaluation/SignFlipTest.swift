import Foundation
import Support

/// The paired randomisation test of Fisher (1935): whether two networks that were measured on the same texts differ by more
/// than chance.
///
/// If neither is better, the difference on each text could as well have the other sign. Positions within a text depend on
/// one another, so texts are what is flipped. With at most 12 texts that differ all flips are counted, with more 10,000
/// that are always the same.
public struct SignFlipTest: Sendable, Equatable {
  /// Texts on which the second network is better, and on which it is worse.
  public let gained: Int
  public let lost: Int
  /// One-sided: the probability of a sum of differences at least as high, or as low, if neither is better.
  public let pValueOfBetter: Double
  public let pValueOfWorse: Double

  /// Two-sided.
  public var pValue: Double { min(1, 2 * min(pValueOfBetter, pValueOfWorse)) }

  private static let mostExact = 12
  private static let flips = 10_000

  /// - Parameters: what was counted on each text, in the same order for both; more is better.
  public init(_ first: [Int], _ second: [Int]) {
    precondition(first.count == second.count, "networks that were measured on different texts")
    let differences = zip(first, second).map { $1 - $0 }.filter { $0 != 0 }
    gained = differences.count { $0 > 0 }
    lost = differences.count - gained
    let sum = differences.reduce(0, +)
    var (higher, lower) = (0, 0)
    func note(_ flipped: Int) {
      if flipped >= sum { higher += 1 }
      if flipped <= sum { lower += 1 }
    }
    let count: Int
    if differences.count <= Self.mostExact {
      count = 1 << differences.count
      for signs in 0..<count {
        note(differences.indices.reduce(0) { $0 + (signs >> $1 & 1 == 0 ? 1 : -1) * differences[$1] })
      }
    } else {
      // The one that was observed counts, too.
      count = Self.flips + 1
      note(sum)
      var random = SeededGenerator(seed: 1)
      for _ in 0..<Self.flips {
        var (flipped, bits) = (0, UInt64(0))
        for (index, difference) in differences.enumerated() {
          if index % 64 == 0 { bits = random.next() }
          flipped += bits & 1 == 0 ? difference : -difference
          bits >>= 1
        }
        note(flipped)
      }
    }
    pValueOfBetter = Double(higher) / Double(count)
    pValueOfWorse = Double(lower) / Double(count)
  }
}

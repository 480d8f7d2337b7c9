import Foundation

/// The exact test of McNemar (1947): whether two networks that answered the same questions differ by more than chance.
///
/// Only the questions count that one of them got right and the other wrong. If neither is better, each of these falls to
/// either side like a fair coin, so the number on one side is Binomial(n, ½).
public struct McNemarTest: Sendable, Equatable {
  /// Questions that the first network got wrong and the second right.
  public let gained: Int
  /// Questions that the first network got right and the second wrong.
  public let lost: Int

  public init(gained: Int, lost: Int) {
    precondition(gained >= 0 && lost >= 0)
    self.gained = gained
    self.lost = lost
  }

  /// From which questions were right, in the same order for both.
  public init(_ first: [Bool], _ second: [Bool]) {
    precondition(first.count == second.count, "networks that answered different questions")
    self.init(
      gained: zip(first, second).count { !$0 && $1 }, lost: zip(first, second).count { $0 && !$1 })
  }

  /// Two-sided: the probability of a split at least as uneven as this one if neither is better.
  public var pValue: Double { min(1, 2 * tail(min(gained, lost))) }

  /// One-sided: the probability of at least so many lost questions if the second is no worse.
  public var pValueOfWorse: Double { tail(gained) }

  /// P(X ≤ k) for X of Binomial(gained + lost, ½).
  private func tail(_ k: Int) -> Double {
    let n = gained + lost
    // log C(n, i) step by step: the coefficients themselves leave the range of Double.
    var logTerm = -Double(n) * log(2)
    var sum = 0.0
    for i in 0...k {
      sum += exp(logTerm)
      if i < n { logTerm += log(Double(n - i)) - log(Double(i + 1)) }
    }
    return min(1, sum)
  }
}

/// How far a share of right answers can be trusted.
public enum BinomialInterval {
  /// The score interval of Wilson (1927) for a share of `right` among `all`, at 95 % unless `z` says otherwise.
  public static func wilson(right: Int, all: Int, z: Double = 1.959964) -> ClosedRange<Double> {
    precondition(right >= 0 && right <= all)
    guard all > 0 else { return 0...1 }
    let n = Double(all)
    let share = Double(right) / n
    let middle = share + z * z / (2 * n)
    let half = z * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
    let scale = 1 + z * z / n
    return max(0, (middle - half) / scale)...min(1, (middle + half) / scale)
  }
}

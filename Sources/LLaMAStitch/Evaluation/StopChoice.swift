import Foundation

/// Which stitches deserve to be stops of the slider, by what was measured of them.
public enum StopChoice {
  public struct Candidate: Sendable, Equatable {
    public var id: String
    /// Which questions it got right; the same questions in the same order for all.
    public var isRight: [Bool]

    public init(id: String, isRight: [Bool]) {
      self.id = id
      self.isRight = isRight
    }
  }

  /// A candidate of which is known how often it says what the whole model does.
  public struct AgreeingCandidate: Sendable, Equatable {
    public var id: String
    /// At how many positions of each text; the same texts in the same order for all.
    public var agreeing: [Int]
    /// Whether it is the model that the others are measured by: it stays.
    public var isReference: Bool

    public init(id: String, agreeing: [Int], isReference: Bool = false) {
      self.id = id
      self.agreeing = agreeing
      self.isReference = isReference
    }
  }

  /// Texts by which stops can be chosen, at least: of fewer, no difference is more than chance at 5 %.
  public static let fewestTexts = 6

  /// Leaves out what a cheaper stop dominates by more than noise.
  ///
  /// From the cheapest on, a candidate is kept unless it is significantly worse than any cheaper one that was kept
  /// (`McNemarTest`, one-sided). Where that keeps fewer than `minimum`, those left out come back, the least clearly
  /// worse first, as long as none is significantly worse than the cheaper stop beside it. So in the answer no stop is
  /// significantly worse than its cheaper neighbour.
  /// - Parameters:
  ///   - candidates: cheapest first.
  ///   - minimum: how many stops to have if that can be; fewer may deserve it.
  ///   - level: the p value below which a candidate is worse.
  /// - Returns: ids, cheapest first.
  public static func stops(_ candidates: [Candidate], minimum: Int = 1, level: Double = 0.05) -> [String] {
    func pOfWorse(_ place: Int, than cheaper: Int) -> Double {
      McNemarTest(candidates[cheaper].isRight, candidates[place].isRight).pValueOfWorse
    }
    return places(
      candidates.count, minimum: minimum, level: level, pOfWorse: pOfWorse,
      deserves: { place, kept in kept.allSatisfy { pOfWorse(place, than: $0) >= level } }
    ).map { candidates[$0].id }
  }

  /// Leaves out what agrees no more than a cheaper stop, or more by no more than noise.
  ///
  /// From the cheapest on, a candidate is kept if it agrees with the whole model significantly more than every cheaper one
  /// that was kept (`SignFlipTest` on texts, one-sided). Where that keeps fewer than `minimum`, those left out come back
  /// as they do where answers are right or wrong.
  public static func stops(
    byAgreement candidates: [AgreeingCandidate], minimum: Int = 1, level: Double = 0.05
  ) -> [String] {
    func test(_ place: Int, _ cheaper: Int) -> SignFlipTest {
      SignFlipTest(candidates[cheaper].agreeing, candidates[place].agreeing)
    }
    return places(
      candidates.count, minimum: minimum, level: level, pOfWorse: { test($0, $1).pValueOfWorse },
      deserves: { place, kept in
        candidates[place].isReference || kept.allSatisfy { test(place, $0).pValueOfBetter < level }
      }
    ).map { candidates[$0].id }
  }

  /// - Parameter deserves: whether a candidate is to be kept after those cheaper ones.
  private static func places(
    _ count: Int, minimum: Int, level: Double, pOfWorse: (_ place: Int, _ cheaper: Int) -> Double,
    deserves: (_ place: Int, _ kept: [Int]) -> Bool
  ) -> [Int] {
    var kept: [Int] = []
    for place in 0..<count where deserves(place, kept) { kept.append(place) }
    while kept.count < minimum {
      var best: (place: Int, p: Double)?
      for place in 0..<count where !kept.contains(place) {
        // The first candidate is always kept.
        let p = pOfWorse(place, kept.last { $0 < place }!)
        let next = kept.first { $0 > place }
        guard p >= level, next.map({ pOfWorse($0, place) >= level }) ?? true else { continue }
        if p > best?.p ?? 0 { best = (place, p) }
      }
      guard let best else { break }
      kept = (kept + [best.place]).sorted()
    }
    return kept
  }
}

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

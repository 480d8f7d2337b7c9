/// Which stitches deserve to be stops of the slider, by what they answered right.
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
    var kept: [Int] = []
    for place in candidates.indices where !kept.contains(where: { pOfWorse(place, than: $0) < level }) {
      kept.append(place)
    }
    while kept.count < minimum {
      var best: (place: Int, p: Double)?
      for place in candidates.indices where !kept.contains(place) {
        // The first candidate is always kept.
        let p = pOfWorse(place, than: kept.last { $0 < place }!)
        let dearer = kept.first { $0 > place }
        guard p >= level, dearer.map({ pOfWorse($0, than: place) >= level }) ?? true else { continue }
        if p > best?.p ?? 0 { best = (place, p) }
      }
      guard let best else { break }
      kept = (kept + [best.place]).sorted()
    }
    return kept.map { candidates[$0].id }
  }
}

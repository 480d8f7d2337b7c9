import Foundation

/// What every stop would decode a second on this machine now, after what some of them were seen to.
///
/// What a stop makes is its share of the machine times what the machine has to give. Shares are known beforehand
/// (measured with the family, else from the bytes of weights that a token reads) and hardly change; what the machine
/// has to give changes with its load, and every reply measures it for all stops at once.
public struct SpeedEstimates: Sendable, Equatable {
  /// What is remembered of a stop, in logarithms.
  private struct Share: Sendable, Equatable {
    /// Speed on the machine that the family was measured on, or in proportion to it.
    var known: Double
    /// How far off that was seen to be here; forgotten little by little while other stops run.
    var correction = 0.0
  }

  private var ids: [String]
  private var shares: [Share]
  /// What this machine gives now, beside the one that the speeds were known of; `nil`: not known at all.
  private var load: Double?

  /// Beyond this the load has changed; less may be the stop's own.
  private static let surprise = 0.25
  private static let largestCorrection = 0.3
  private static let forgetting = 0.85

  /// - Parameter stops: cheapest first.
  public init(stops: [Stop]) {
    ids = stops.map(\.id)
    shares = Self.knownSpeeds(stops).map { Share(known: log($0)) }
    if stops.contains(where: { $0.tokensPerSecond ?? 0 > 0 }) { load = 0 }
  }

  /// Learns from a reply.
  public mutating func record(stitch: String, tokensPerSecond: Double) {
    guard let index = ids.firstIndex(of: stitch), tokensPerSecond > 0, tokensPerSecond.isFinite else { return }
    let measured = log(tokensPerSecond)
    for other in shares.indices where other != index { shares[other].correction *= Self.forgetting }
    guard let before = load else {
      load = measured - shares[index].known
      return
    }
    let difference = measured - before - shares[index].known - shares[index].correction
    let ownPart = abs(difference) > Self.surprise ? 0 : difference / 2
    let limit = Self.largestCorrection
    shares[index].correction = min(limit, max(-limit, shares[index].correction + ownPart))
    // What remains is the machine's, so that the estimate of this stop is what was measured.
    load = measured - shares[index].known - shares[index].correction
  }

  /// Tokens per second that a stop would make now; `nil` while nothing was measured, and for a stop that is not known.
  public func estimate(stitch: String) -> Double? { ids.firstIndex(of: stitch).flatMap(estimate) }

  /// Tokens per second that a stop would make now; `nil` while nothing was measured.
  public func estimate(_ index: Int) -> Double? {
    load.map { exp($0 + shares[index].known + shares[index].correction) }
  }

  /// Speeds in proportion to one another: as measured, and from the weights that a token reads where they were not.
  private static func knownSpeeds(_ stops: [Stop]) -> [Double] {
    let bytes = stops.map { Double(max(1, $0.weightBytes)) }
    let measured = stops.indices.filter { stops[$0].tokensPerSecond ?? 0 > 0 }
    return stops.indices.map { index in
      let nearest = measured.min { abs(log(bytes[$0] / bytes[index])) < abs(log(bytes[$1] / bytes[index])) }
      guard let nearest else { return 1e9 / bytes[index] }
      return stops[nearest].tokensPerSecond! * bytes[nearest] / bytes[index]
    }
  }
}

import Foundation

/// Holds a decoding speed by choosing the size: the best network that makes so many tokens a second.
///
/// What a stop makes is its share of the machine times what the machine has to give. Shares are known beforehand
/// (measured with the family, else from the bytes of weights that a token reads) and hardly change; what the machine
/// has to give changes with its load, and every reply measures it for all stops at once. So a load that comes or goes
/// is noticed with the first reply that feels it, and nothing measured long ago can hold the slider down.
public struct SpeedController: Sendable, Equatable {
  /// Tokens per second to hold.
  public var target: Double

  /// About three times as fast as people read.
  public static let comfortable = 20.0

  /// What is remembered of a stop, in logarithms.
  private struct Share: Sendable, Equatable {
    /// Speed on the machine that the family was measured on, or in proportion to it.
    var known: Double
    /// How far off that was seen to be here; forgotten little by little while other stops run.
    var correction = 0.0
    var quality: Double
  }

  private var ids: [String] = []
  private var shares: [Share] = []
  /// What this machine gives now, beside the one that the speeds were known of; `nil`: not known at all.
  private var load: Double?

  /// Beyond this the load has changed; less may be the stop's own.
  private static let surprise = 0.25
  private static let largestCorrection = 0.3
  private static let forgetting = 0.85
  /// Room above the target for moving to a stop, unless the one in use is faster than that, and below it for staying.
  private static let roomToMove = 1.1
  private static let roomToStay = 0.95

  /// - Parameter stops: cheapest first.
  public init(target: Double, stops: [Stop]) {
    self.target = target
    ids = stops.map(\.id)
    let known = Self.knownSpeeds(stops)
    let qualities = Self.qualities(stops)
    shares = stops.indices.map { Share(known: log(known[$0]), quality: qualities[$0]) }
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

  /// Tokens per second that a stop would make now; `nil` while nothing was measured.
  public func estimate(_ index: Int) -> Double? {
    load.map { exp($0 + shares[index].known + shares[index].correction) }
  }

  /// The stop to use: the best that reaches the target, or the fastest where none does.
  /// - Parameter current: stays where it reaches the target and none that surely does is better.
  public func choose(from current: Int) -> Int {
    guard load != nil, shares.indices.contains(current) else { return current }
    let speeds = shares.indices.map { estimate($0)! }
    let stays = speeds[current] >= target * Self.roomToStay
    let needed = speeds[current] > target * Self.roomToMove ? target : target * Self.roomToMove
    let reaching = shares.indices.filter { speeds[$0] >= needed }
    let best = reaching.max { (shares[$0].quality, speeds[$0]) < (shares[$1].quality, speeds[$1]) }
    if stays {
      guard let best, shares[best].quality > shares[current].quality else { return current }
      return best
    }
    return best ?? shares.indices.max { speeds[$0] < speeds[$1] }!
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

  /// Higher is better: what was measured of all stops, else their order.
  private static func qualities(_ stops: [Stop]) -> [Double] {
    if stops.allSatisfy({ $0.quality != nil }) { return stops.map { $0.quality! } }
    if stops.allSatisfy({ $0.agreement != nil }) { return stops.map { $0.agreement! } }
    if stops.allSatisfy({ $0.loss != nil }) { return stops.map { -$0.loss! } }
    return stops.indices.map(Double.init)
  }
}

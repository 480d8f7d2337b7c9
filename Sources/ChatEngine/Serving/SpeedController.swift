/// Holds a decoding speed by choosing the size: the best network that makes so many tokens a second.
///
/// A load that comes or goes is noticed with the first reply that feels it, for `SpeedEstimates` learns of all stops at
/// once; so nothing measured long ago can hold the slider down.
public struct SpeedController: Sendable, Equatable {
  /// Tokens per second to hold.
  public var target: Double

  /// About three times as fast as people read.
  public static let comfortable = 20.0

  private var speeds: SpeedEstimates
  private var qualities: [Double]

  /// Room above the target for moving to a stop, unless the one in use is faster than that, and below it for staying.
  private static let roomToMove = 1.1
  private static let roomToStay = 0.95

  /// - Parameters:
  ///   - stops: cheapest first.
  ///   - speeds: what replies have shown of them already; `nil`: nothing.
  public init(target: Double, stops: [Stop], speeds: SpeedEstimates? = nil) {
    self.target = target
    self.speeds = speeds ?? SpeedEstimates(stops: stops)
    qualities = Self.qualities(stops)
  }

  /// Learns from a reply.
  public mutating func record(stitch: String, tokensPerSecond: Double) {
    speeds.record(stitch: stitch, tokensPerSecond: tokensPerSecond)
  }

  /// Tokens per second that a stop would make now; `nil` while nothing was measured.
  public func estimate(_ index: Int) -> Double? { speeds.estimate(index) }

  /// The stop to use: the best that reaches the target, or the fastest where none does.
  /// - Parameter current: stays where it reaches the target and none that surely does is better.
  public func choose(from current: Int) -> Int {
    let speeds = qualities.indices.compactMap(estimate)
    guard speeds.count == qualities.count, speeds.indices.contains(current) else { return current }
    let stays = speeds[current] >= target * Self.roomToStay
    let needed = speeds[current] > target * Self.roomToMove ? target : target * Self.roomToMove
    let reaching = speeds.indices.filter { speeds[$0] >= needed }
    let best = reaching.max { (qualities[$0], speeds[$0]) < (qualities[$1], speeds[$1]) }
    if stays {
      guard let best, qualities[best] > qualities[current] else { return current }
      return best
    }
    return best ?? speeds.indices.max { speeds[$0] < speeds[$1] }!
  }

  /// Higher is better: what was measured of all stops, else their order.
  private static func qualities(_ stops: [Stop]) -> [Double] {
    if stops.allSatisfy({ $0.quality != nil }) { return stops.map { $0.quality! } }
    if stops.allSatisfy({ $0.agreement != nil }) { return stops.map { $0.agreement! } }
    if stops.allSatisfy({ $0.loss != nil }) { return stops.map { -$0.loss! } }
    return stops.indices.map(Double.init)
  }
}

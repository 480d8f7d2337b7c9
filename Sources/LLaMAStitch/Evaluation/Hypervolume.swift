import Foundation

/// The area that a set of networks dominates: one number for a whole frontier of quality against cost (Zitzler and
/// Thiele, 1998).
///
/// Cost is scaled so that families and methods compare: log₁₀ of the FLOPs per token, 0 at the cheapest anchor and 1 at
/// the most expensive. Quality is a share from 0 to 1. With the usual reference point, cost 1.05 and quality 0, the most expensive
/// anchor itself still counts, and a perfect network at the cost of the cheapest anchor would have 1.05.
public struct Hypervolume: Sendable, Equatable, Codable {
  /// A network, or the reference point.
  public struct Point: Sendable, Equatable, Codable {
    /// Scaled; less is better.
    public var cost: Double
    /// More is better.
    public var quality: Double

    public init(cost: Double, quality: Double) {
      self.cost = cost
      self.quality = quality
    }
  }

  /// FLOPs per token of the cheapest anchor: cost 0.
  public var cheapest: Double
  /// FLOPs per token of the most expensive anchor: cost 1.
  public var mostExpensive: Double
  /// Only what is cheaper and better than this counts.
  public var reference: Point

  private enum CodingKeys: String, CodingKey {
    case cheapest, reference
    // As files have always called it.
    case mostExpensive = "dearest"
  }

  public init(cheapest: Double, mostExpensive: Double, reference: Point = Point(cost: 1.05, quality: 0)) {
    precondition(cheapest > 0 && mostExpensive > 0)
    self.cheapest = cheapest
    self.mostExpensive = mostExpensive
    self.reference = reference
  }

  /// The scaled cost of a network; 0 for all where the anchors cost the same.
  public func cost(flopsPerToken: Double) -> Double {
    mostExpensive == cheapest ? 0 : log10(flopsPerToken / cheapest) / log10(mostExpensive / cheapest)
  }

  /// The area that networks of these FLOPs per token and qualities dominate.
  public func callAsFunction(_ networks: [(flopsPerToken: Double, quality: Double)]) -> Double {
    Self.area(
      networks.map { Point(cost: cost(flopsPerToken: $0.flopsPerToken), quality: $0.quality) }, reference: reference)
  }

  /// The area of all that some point is at least as good as, and that is at least as good as the reference point: the
  /// union of the rectangles between the points and the reference point.
  public static func area(_ points: [Point], reference: Point) -> Double {
    var area = 0.0
    var reached = reference.quality
    let frontier = frontier(points).map { points[$0] }.filter { $0.cost < reference.cost }
    for point in frontier where point.quality > reached {
      // The strip that this point adds reaches from its cost to the reference's.
      area += (reference.cost - point.cost) * (point.quality - reached)
      reached = point.quality
    }
    return area
  }

  /// The points that no other beats in one respect without being worse in the other, by ascending cost; of equal ones
  /// the first.
  public static func frontier(_ points: [Point]) -> [Int] {
    let order = points.indices.sorted {
      (points[$0].cost, -points[$0].quality, $0) < (points[$1].cost, -points[$1].quality, $1)
    }
    var kept: [Int] = []
    for place in order where kept.last.map({ points[place].quality > points[$0].quality }) ?? true {
      kept.append(place)
    }
    return kept
  }
}

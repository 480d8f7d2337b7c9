import Foundation

/// One axis of a chart: what it says, how it is scaled, and which values it shows.
public struct Axis: Sendable, Equatable {
  public enum Scale: Sendable, Equatable {
    case linear
    /// Values must be positive; others have no place on the axis.
    case log10
  }

  /// With its unit: `FLOPs per token`.
  public var label: String
  public var scale: Scale
  /// The values shown; `nil` for those of the data with some room around them. On a log10 axis both ends are positive.
  public var range: ClosedRange<Double>?

  public init(_ label: String, scale: Scale = .linear, range: ClosedRange<Double>? = nil) {
    precondition(scale == .linear || range.map { $0.lowerBound > 0 } ?? true, "a log10 axis shows positive values only")
    self.label = label
    self.scale = scale
    self.range = range
  }

  /// Whether a value has a place on an axis of this scale.
  func accepts(_ value: Double) -> Bool { value.isFinite && (scale == .linear || value > 0) }

  /// The values shown for this data: `range`, or the data's with a twentieth of their extent on both sides.
  func shownRange(of values: [Double]) -> ClosedRange<Double> {
    if let range, range.lowerBound < range.upperBound { return range }
    let inner = (range.map { [$0.lowerBound] } ?? values.filter(accepts)).map(place)
    guard let low = inner.min(), let high = inner.max() else { return scale == .log10 ? 1...10 : 0...1 }
    let room = high > low ? (high - low) / 20 : (scale == .log10 ? 0.5 : max(abs(high) / 10, 0.5))
    return value(at: low - room)...value(at: high + room)
  }

  /// Where a value lies, as a share of the range; 0 at its lower end.
  func share(of value: Double, in range: ClosedRange<Double>) -> Double {
    (place(value) - place(range.lowerBound)) / (place(range.upperBound) - place(range.lowerBound))
  }

  /// Round values inside the range, ascending, about `count` of them: multiples of 1, 2 or 5 times a power of ten. On a
  /// log10 axis powers of ten, every second or third one where there are many, and 2 and 5 times them where there are
  /// few; over less than that the multiples of a linear axis.
  package func ticks(in range: ClosedRange<Double>, count: Int = 6) -> [Double] {
    guard scale == .log10 else { return Self.multiples(in: range, count: count) }
    // A little more than the range, so that rounding loses no tick at its ends.
    let (low, high) = (log10(range.lowerBound) - 1e-9, log10(range.upperBound) + 1e-9)
    let (first, last) = (Int(low.rounded(.up)), Int(high.rounded(.down)))
    let step = max(1, (last - first + count) / count)
    let powers = stride(from: first, through: last, by: step).map { pow(10, Double($0)) }
    if powers.count >= 3 { return powers }
    var finer: [Double] = []
    for decade in first - 1...max(first, last) {
      for digit in [1.0, 2, 5] {
        let tick = digit * pow(10, Double(decade))
        if (low...high).contains(log10(tick)) { finer.append(tick) }
      }
    }
    return finer.count >= 3 ? finer : Self.multiples(in: range, count: count)
  }

  private static func multiples(in range: ClosedRange<Double>, count: Int) -> [Double] {
    let extent = range.upperBound - range.lowerBound
    guard extent > 0, extent.isFinite else { return [range.lowerBound] }
    let rough = extent / Double(max(1, count - 1))
    let power = pow(10, log10(rough).rounded(.down))
    let step = power * ([1.0, 2, 5, 10].first { $0 * power >= rough * (1 - 1e-9) } ?? 10)
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  /// A tick for people: `0.25`, `40`, `2.5M`; tiny ones with an exponent.
  package static func text(of tick: Double) -> String {
    let size = abs(tick)
    func plain(_ value: Double) -> String { String(format: "%.6g", value == 0 ? 0 : value) }
    if size >= 1e15 || (size > 0 && size < 1e-4) { return String(format: "%.3g", tick) }
    for (unit, name) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] where size >= unit * (1 - 1e-9) {
      return plain(tick / (name == "k" ? 1e3 : unit)) + name
    }
    return plain(tick)
  }

  private func place(_ value: Double) -> Double { scale == .log10 ? log10(value) : value }
  private func value(at place: Double) -> Double { scale == .log10 ? pow(10, place) : place }
}

import ChatEngine
import Figures
import Foundation
import LLaMAStitch

extension Frontier {
  /// Quality against cost: every stitch, the stops by name, and the line of what is not dominated. Where no answer can
  /// be checked, the loss takes the place of exact match.
  func chart(title: String) -> Chart {
    let hasExactMatch = stitches.contains { $0.exactMatch != nil }
    func quality(_ row: Measurement) -> Double { hasExactMatch ? 100 * (row.exactMatch ?? 0) : row.loss }
    func point(_ row: Measurement, label: String? = nil, interval: ClosedRange<Double>? = nil) -> Series.Point {
      Series.Point(Double(row.flopsPerToken), quality(row), interval: interval, label: label)
    }
    func interval(_ row: Measurement) -> ClosedRange<Double>? {
      guard let right = row.isRight else { return nil }
      let share = BinomialInterval.wilson(right: right.count { $0 }, all: right.count)
      return 100 * share.lowerBound...100 * share.upperBound
    }
    let best = Hypervolume.frontier(
      stitches.map { .init(cost: Double($0.flopsPerToken), quality: hasExactMatch ? quality($0) : -$0.loss) })
    return Chart(
      title: title, x: Axis("FLOPs per token", scale: .log10),
      y: Axis(
        hasExactMatch ? "exact match, % of \(questions) questions in \(data)" : "loss, nats per token of \(data)"),
      series: [
        Series("not dominated", best.map { point(stitches[$0]) }, marker: .none, line: .staircase, colour: 2),
        Series(
          hasExactMatch ? "stops, with 95 % intervals" : "stops",
          stitches.filter(\.isStop).map { point($0, label: $0.id, interval: interval($0)) }, colour: 0),
        Series("other stitches", stitches.filter { !$0.isStop }.map { point($0) }, marker: .ring, colour: 1),
      ])
  }
}

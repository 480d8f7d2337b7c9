import Foundation

/// What leaving out each span costs: as it was measured, or guessed from spans nearby that were.
package struct SpanCosts {
  /// All spans to choose from, in order.
  package let spans: [Range<Int>]
  private var measured: [Range<Int>: Double] = [:]

  package init(_ spans: [Range<Int>]) { self.spans = spans }

  /// - Parameter cost: not finite where there is no layer.
  package mutating func note(_ span: Range<Int>, cost: Double) {
    measured[span] = max(cost, .leastNormalMagnitude)
  }

  package func isMeasured(_ span: Range<Int>) -> Bool { measured[span] != nil }
  package var measuredCount: Int { measured.count }

  /// Spans to begin with, from which the others can be guessed: three lengths of every third exit.
  package var scouts: [Range<Int>] {
    let longest = spans.map(\.count).max() ?? 0
    let lengths = Set([min(2, longest), (longest + 1) / 2, longest])
    return spans.filter { $0.lowerBound % 3 == 1 && lengths.contains($0.count) }
  }

  /// Of all spans. A cost grows about exponentially with a span's length at first and depends little on one block more or
  /// less: log(cost / length) is the mean of the neighbours', weighted by 1/distance⁴.
  package var all: [Range<Int>: Double] {
    let known = measured.filter(\.value.isFinite).sorted {
      ($0.key.lowerBound, $0.key.upperBound) < ($1.key.lowerBound, $1.key.upperBound)
    }.map { (span: $0.key, value: log($0.value / Double($0.key.count))) }
    guard !known.isEmpty else { return measured }
    return Dictionary(
      uniqueKeysWithValues: spans.map { span in
        if let cost = measured[span] { return (span, cost) }
        var (sum, weights) = (0.0, 0.0)
        for (other, value) in known {
          let (exits, entries) = (
            span.lowerBound - other.lowerBound, span.upperBound - other.upperBound
          )
          let distance = Double(exits * exits + entries * entries)
          let weight = 1 / (distance * distance)
          sum += weight * value
          weights += weight
        }
        return (span, Double(span.count) * exp(sum / weights))
      })
  }
}

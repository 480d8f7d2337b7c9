import Foundation

/// How much more a frontier of cost and loss may come to dominate (expected hypervolume improvement: Emmerich et al. 2006; Daulton
/// et al. 2020, arXiv 2006.05078), where the cost of a candidate is known and its loss is normal.
///
/// Over each stretch of cost between neighbours of the frontier the best loss so far is one number b, and what is gained there is
/// the stretch's width times E max(0, b − loss).
package struct HypervolumeGain {
  /// From a cost on, until the next one's, the best loss.
  private let steps: [(cost: Double, loss: Double)]
  private let end: Double

  /// - Parameter reference: only what is below both of its numbers counts.
  package init(_ points: [(cost: Double, loss: Double)], reference: (cost: Double, loss: Double)) {
    end = reference.cost
    var steps = [(cost: -Double.infinity, loss: reference.loss)]
    for point in points.sorted(by: { ($0.cost, $0.loss) < ($1.cost, $1.loss) }) where point.loss < steps.last!.loss {
      steps.append(point)
    }
    self.steps = steps
  }

  /// Of a candidate whose loss has this mean and deviation.
  package func expected(cost: Double, mean: Double, deviation: Double) -> Double {
    var gain = 0.0
    for (index, step) in steps.enumerated() {
      let to = min(end, index + 1 < steps.count ? steps[index + 1].cost : end)
      let from = max(cost, step.cost)
      if from < to { gain += (to - from) * Self.improvement(on: step.loss, mean: mean, deviation: deviation) }
    }
    return gain
  }

  /// E max(0, b − x), x normal.
  package static func improvement(on best: Double, mean: Double, deviation: Double) -> Double {
    let z = (best - mean) / deviation
    return (best - mean) * Normal.share(below: z) + deviation * Normal.density(z)
  }
}

/// The standard normal distribution.
package enum Normal {
  package static func density(_ z: Double) -> Double { exp(-z * z / 2) / (2 * Double.pi).squareRoot() }
  package static func share(below z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }

  /// Below which a share of it lies, by halving.
  package static func quantile(_ share: Double) -> Double {
    var (low, high) = (-10.0, 10.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if Self.share(below: middle) < share { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// Numbers by their order alone: quantiles of their ranks, of equals the same; what is no number counts as the largest.
  package static func scores(_ values: [Double]) -> [Double] {
    let known = values.map { $0.isFinite ? $0 : .infinity }
    return known.map { value in
      let (less, same) = known.reduce((0, 0)) { ($1 < value ? $0.0 + 1 : $0.0, $1 == value ? $0.1 + 1 : $0.1) }
      return quantile((Double(less) + Double(same) / 2) / Double(values.count))
    }
  }
}

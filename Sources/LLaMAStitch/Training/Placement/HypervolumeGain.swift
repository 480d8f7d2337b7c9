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

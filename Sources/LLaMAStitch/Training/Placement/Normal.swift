import Foundation

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

import Foundation

/// L of a positive definite matrix L Lᵀ, of some hundred rows at most.
package struct Cholesky {
  /// Row after row; what is above the diagonal is not looked at.
  private var lower: [Double]
  private let n: Int

  /// - Parameter matrix: row after row, of which the part below the diagonal is read.
  /// - Returns: `nil` where it is not positive definite.
  package init?(_ matrix: [Double], _ n: Int) {
    lower = matrix
    self.n = n
    for row in 0..<n {
      for column in 0...row {
        var sum = lower[row * n + column]
        for k in 0..<column { sum -= lower[row * n + k] * lower[column * n + k] }
        if row == column {
          guard sum > 0 else { return nil }
          lower[row * n + row] = sum.squareRoot()
        } else {
          lower[row * n + column] = sum / lower[column * n + column]
        }
      }
    }
  }

  /// ½ log |L Lᵀ|
  package var halfLogDeterminant: Double { (0..<n).reduce(0) { $0 + log(lower[$1 * n + $1]) } }

  /// L⁻¹ b
  package func solvedForward(_ b: [Double]) -> [Double] {
    var x = b
    for row in 0..<n {
      var sum = x[row]
      for k in 0..<row { sum -= lower[row * n + k] * x[k] }
      x[row] = sum / lower[row * n + row]
    }
    return x
  }

  /// (L Lᵀ)⁻¹ b
  package func solved(_ b: [Double]) -> [Double] {
    var x = solvedForward(b)
    for row in (0..<n).reversed() {
      x[row] /= lower[row * n + row]
      for k in 0..<row { x[k] -= lower[row * n + k] * x[row] }
    }
    return x
  }

  /// (L Lᵀ)⁻¹; what is above the diagonal means nothing.
  package func inverse() -> [Double] {
    // L⁻¹, each column as a row.
    var inverted = [Double](repeating: 0, count: n * n)
    for column in 0..<n {
      inverted[column * n + column] = 1 / lower[column * n + column]
      for row in column + 1..<n {
        var sum = 0.0
        for k in column..<row { sum -= lower[row * n + k] * inverted[column * n + k] }
        inverted[column * n + row] = sum / lower[row * n + row]
      }
    }
    var result = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      for column in 0...row {
        var sum = 0.0
        for k in row..<n { sum += inverted[row * n + k] * inverted[column * n + k] }
        result[row * n + column] = sum
      }
    }
    return result
  }
}

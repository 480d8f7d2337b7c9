import COpenBLAS
import Foundation

/// The inverse of a symmetric positive definite matrix A [n × n], through OpenBLAS, which must have been loaded.
package struct PositiveDefiniteInverse {
  private let n: Int
  /// A⁻¹, row after row.
  private var values: [Double]
  /// ½ log |A|
  package let halfLogDeterminant: Double

  /// - Parameter matrix: A, row after row; what is below the diagonal is not looked at.
  /// - Returns: `nil` where A is not positive definite.
  package init?(of matrix: [Double], _ n: Int) {
    precondition(matrix.count == n * n)
    self.n = n
    var factor = matrix
    values = [Double](repeating: 0, count: n * n)
    for index in 0..<n { values[index * n + index] = 1 }
    guard cob_dposv(Int32(n), Int32(n), &factor, &values) == 0 else { return nil }
    halfLogDeterminant = (0..<n).reduce(0) { [factor] in $0 + log(factor[$1 * n + $1]) }
  }

  package subscript(row: Int, column: Int) -> Double { values[row * n + column] }

  /// A⁻¹ b
  package func times(_ b: [Double]) -> [Double] {
    (0..<n).map { row in
      var sum = 0.0
      for column in 0..<n { sum += values[row * n + column] * b[column] }
      return sum
    }
  }
}

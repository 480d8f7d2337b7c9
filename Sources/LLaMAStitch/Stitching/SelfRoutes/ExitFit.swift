import COpenBLAS
import Support

/// Least squares for all stitching layers that leave an anchor after the same block and enter it again: y ≈ x + D x + b,
/// W = 1 + D, with the intercept unpenalised and a ridge on D, so that where the text says nothing the layer leaves the
/// stream as it is.
///
/// A token counts 1/rms(x): the normal matrix, and its factor, are the same for all entries. It is summed up in double
/// precision, the right-hand sides, which are many and small beside it, in single.
package struct ExitFit {
  /// Of one entry.
  package struct Layer: Sendable {
    package var projection: Projection
    /// Σ w·|y − W x − b|² / Σ w·|y|²
    package var residual: Double
  }

  private let ridge: Double
  private static let rowsAtOnce = 1024
  /// Bytes of right-hand sides that are solved together.
  private static let solvedBytes = 256 << 20

  package init(ridge: Double) { self.ridge = ridge }

  /// - Parameters:
  ///   - x: `[N × d]`
  ///   - ys: `[N × d]` each.
  ///   - leftOut: rows that do not count.
  /// - Returns: one for each of `ys`; `nil` where there is no finite answer.
  package func layers(x: MatrixView, ys: [MatrixView], leftOut: Set<Int>) -> [Layer?] {
    let size = x.columns
    let width = size + 1
    let rows = (0..<x.rows).filter { !leftOut.contains($0) }
    if rows.isEmpty { return ys.map { _ in nil } }
    var gram = [Double](repeating: 0, count: width * width)
    let moments = ys.map { _ in FloatBuffer(count: size * width).matrix(rows: size, columns: width) }
    var squares = ys.map { _ in (difference: 0.0, target: 0.0) }
    let room = min(Self.rowsAtOnce, rows.count)
    let left = FloatBuffer(count: room * width).matrix(rows: room, columns: width)
    let right = FloatBuffer(count: room * size).matrix(rows: room, columns: size)
    var exact = [Double](repeating: 0, count: room * width)
    for start in stride(from: 0, to: rows.count, by: Self.rowsAtOnce) {
      let chunk = rows[start..<min(start + Self.rowsAtOnce, rows.count)]
      let weights = chunk.map { row in
        let rms = (TrainingKernels.sumOfSquares(x.row(row)) / Double(size)).squareRoot()
        return Float((1 / max(rms, 1e-6)).squareRoot())
      }
      for (place, row) in chunk.enumerated() {
        let (values, scaled) = (x.row(row), left.row(place))
        scaled.slice(0..<size).copy(from: values)
        scaled[size] = 1
        TrainingKernels.scale(scaled, by: weights[place])
        for column in 0..<width { exact[place * width + column] = Double(scaled.base[column]) }
      }
      cob_dsyrk(Int32(width), Int32(chunk.count), 1, exact, Int32(width), 1, &gram, Int32(width))
      for (index, y) in ys.enumerated() {
        for (place, row) in chunk.enumerated() {
          let difference = right.row(place)
          difference.copy(from: y.row(row))
          squares[index].target += Double(weights[place] * weights[place]) * TrainingKernels.sumOfSquares(difference)
          TrainingKernels.scale(difference, by: -1)
          TrainingKernels.add(x.row(row), to: difference)
          TrainingKernels.scale(difference, by: -weights[place])
          squares[index].difference += TrainingKernels.sumOfSquares(difference)
        }
        LinearAlgebra.multiply(
          right.rows(0..<chunk.count).transposed, left.rows(0..<chunk.count), into: moments[index], beta: 1)
      }
    }
    let atOnce = max(1, Self.solvedBytes / (8 * size * width))
    return stride(from: 0, to: ys.count, by: atOnce).flatMap { start in
      let group = start..<min(start + atOnce, ys.count)
      return solve(gram, Array(moments[group]), Array(squares[group]))
    }
  }

  private func solve(
    _ gram: [Double], _ moments: [MatrixView], _ squares: [(difference: Double, target: Double)]
  ) -> [Layer?] {
    guard let size = moments.first?.rows else { return [] }
    let width = size + 1
    let mean = (0..<size).reduce(0) { $0 + gram[$1 * width + $1] } / Double(size)
    var strength = ridge * max(mean, 1e-12)
    let right = moments.flatMap { $0.dense.array.map(Double.init) }
    // A degenerate stream (fewer tokens than dimensions) needs more.
    for _ in 0..<6 {
      var (factor, solution) = (gram, right)
      for index in 0..<size { factor[index * width + index] += strength }
      if cob_dposv(Int32(width), Int32(moments.count * size), &factor, &solution) == 0 {
        return moments.indices.map { index in
          let offset = index * size * width
          let weight = FloatBuffer(count: size * size).matrix(rows: size, columns: size)
          let bias = FloatBuffer(count: size).vector
          var (explained, penalty) = (0.0, 0.0)
          for row in 0..<size {
            let start = offset + row * width
            for column in 0..<size {
              let value = solution[start + column]
              explained += value * right[start + column]
              penalty += value * value
              weight.base[row * size + column] = Float(value) + (row == column ? 1 : 0)
            }
            explained += solution[start + size] * right[start + size]
            bias.base[row] = Float(solution[start + size])
          }
          let left = squares[index].difference - explained - strength * penalty
          guard left.isFinite, TrainingKernels.sumOfSquares(weight.dense).isFinite,
            TrainingKernels.sumOfSquares(bias).isFinite
          else { return nil }
          return Layer(
            projection: Projection(weight: WeightMatrix(weight), bias: WeightVector(bias)),
            residual: max(0, left) / max(squares[index].target, .leastNormalMagnitude))
        }
      }
      strength *= 100
    }
    return moments.map { _ in nil }
  }
}

import COpenBLAS
import Support

/// Least squares for all stitching layers that leave an anchor after the same block and enter it again: y ≈ x + D x + b,
/// W = 1 + D, with the intercept unpenalised and a ridge on D, so that where the text says nothing the layer leaves the
/// stream as it is.
///
/// A token counts 1/rms(x), which depends on x alone: the normal matrix is the same for all entries. It is summed up in
/// double precision, the right-hand sides, which are many and made of small differences, in single. The first token of a
/// sequence counts, too: all later ones attend to it, and its activations are so large that a layer fitted without it sends
/// it anywhere.
package struct ExitFit: Sendable {
  /// Of one entry.
  package struct Layer: Sendable {
    package var projection: Projection
    /// Σ w·|y − W x − b|² / Σ w·|y|²
    package var residual: Double
  }

  /// `[N × d]`
  private let x: MatrixView
  /// √w of each row.
  private let weights: [Float]
  /// Σ w·x̃x̃ᵀ, x̃ = (x, 1), upper triangle, `[(d+1) × (d+1)]`
  private let gram: [Double]
  private let ridge: Double
  private static let rowsAtOnce = 1024
  /// Bytes of right-hand sides that are solved together.
  private static let solvedBytes = 256 << 20

  /// - Parameters:
  ///   - x: the state after the exit, `[N × d]`.
  ///   - ridge: share of the mean diagonal added to it.
  package init(x: MatrixView, ridge: Double) {
    self.x = x
    self.ridge = ridge
    weights = (0..<x.rows).map { row in
      let rms = (TrainingKernels.sumOfSquares(x.row(row)) / Double(x.columns)).squareRoot()
      return Float((1 / max(rms, 1e-6)).squareRoot())
    }
    let width = x.columns + 1
    var gram = [Double](repeating: 0, count: width * width)
    Self.forEachChunk(x, weights) { _, left in
      let exact = left.dense.array.map(Double.init)
      cob_dsyrk(Int32(width), Int32(left.rows), 1, exact, Int32(width), 1, &gram, Int32(width))
    }
    self.gram = gram
  }

  /// Bytes that a fit keeps.
  static func bytes(width: Int) -> Int { 8 * (width + 1) * (width + 1) }

  /// Visits √w·(x, 1), `[n × (d+1)]`, some rows after the other.
  private static func forEachChunk(
    _ x: MatrixView, _ weights: [Float], _ visit: (Range<Int>, MatrixView) -> Void
  ) {
    let room = FloatBuffer(count: min(rowsAtOnce, x.rows) * (x.columns + 1))
    for start in stride(from: 0, to: x.rows, by: rowsAtOnce) {
      let chunk = start..<min(start + rowsAtOnce, x.rows)
      let left = room.matrix(rows: chunk.count, columns: x.columns + 1)
      for row in chunk {
        let scaled = left.row(row - start)
        scaled.slice(0..<x.columns).copy(from: x.row(row))
        scaled[x.columns] = 1
        TrainingKernels.scale(scaled, by: weights[row])
      }
      visit(chunk, left)
    }
  }

  /// - Parameter ys: the states before entries, `[N × d]` each.
  /// - Returns: one for each of `ys`; `nil` where there is no finite answer.
  package func layers(_ ys: [MatrixView]) -> [Layer?] {
    if x.rows == 0 { return ys.map { _ in nil } }
    let size = x.columns
    let moments = ys.map { _ in
      FloatBuffer(count: size * (size + 1)).matrix(rows: size, columns: size + 1)
    }
    var squares = ys.map { _ in (difference: 0.0, target: 0.0) }
    let room = FloatBuffer(count: min(Self.rowsAtOnce, x.rows) * size)
    Self.forEachChunk(x, weights) { chunk, left in
      let right = room.matrix(rows: chunk.count, columns: size)
      for (index, y) in ys.enumerated() {
        for row in chunk {
          // √w·(y − x)
          let difference = right.row(row - chunk.lowerBound)
          difference.copy(from: y.row(row))
          squares[index].target +=
            Double(weights[row] * weights[row]) * TrainingKernels.sumOfSquares(difference)
          TrainingKernels.scale(difference, by: -1)
          TrainingKernels.add(x.row(row), to: difference)
          TrainingKernels.scale(difference, by: -weights[row])
          squares[index].difference += TrainingKernels.sumOfSquares(difference)
        }
        LinearAlgebra.multiply(right.transposed, left, into: moments[index], beta: 1)
      }
    }
    let atOnce = max(1, Self.solvedBytes / (8 * size * (size + 1)))
    return stride(from: 0, to: ys.count, by: atOnce).flatMap { start in
      let group = start..<min(start + atOnce, ys.count)
      return solve(Array(moments[group]), Array(squares[group]))
    }
  }

  private func solve(
    _ moments: [MatrixView], _ squares: [(difference: Double, target: Double)]
  )
    -> [Layer?]
  {
    let size = x.columns
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
          let places = index * size * width..<(index + 1) * size * width
          return layer(solution[places], right[places], squares[index], strength)
        }
      }
      strength *= 100
    }
    return moments.map { _ in nil }
  }

  /// - Parameters:
  ///   - solution: (D, b), `[d × (d+1)]`.
  ///   - right: the right-hand sides it solves.
  private func layer(
    _ solution: ArraySlice<Double>, _ right: ArraySlice<Double>,
    _ squares: (difference: Double, target: Double),
    _ strength: Double
  ) -> Layer? {
    let size = x.columns
    let weight = FloatBuffer(count: size * size).matrix(rows: size, columns: size)
    let bias = FloatBuffer(count: size).vector
    var (explained, penalty) = (0.0, 0.0)
    for row in 0..<size {
      let start = solution.startIndex + row * (size + 1)
      let values = weight.row(row)
      for column in 0..<size {
        let value = solution[start + column]
        explained += value * right[start + column]
        penalty += value * value
        values[column] = Float(value)
      }
      values[row] += 1
      explained += solution[start + size] * right[start + size]
      bias[row] = Float(solution[start + size])
    }
    let left = squares.difference - explained - strength * penalty
    guard left.isFinite, TrainingKernels.sumOfSquares(weight.dense).isFinite,
      TrainingKernels.sumOfSquares(bias).isFinite
    else { return nil }
    return Layer(
      projection: Projection(weight: WeightMatrix(weight), bias: WeightVector(bias)),
      residual: max(0, left) / max(squares.target, .leastNormalMagnitude))
  }
}

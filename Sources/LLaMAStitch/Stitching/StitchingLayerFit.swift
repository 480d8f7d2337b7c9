import COpenBLAS
import Support

/// Weighted least squares for one stitching layer: y ≈ W x + b, with the intercept unpenalised and a ridge on W.
///
/// Only the normal equations are kept, in double precision: memory is (d₁+1)·(d₁+1+d₂) doubles however many tokens
/// there are.
///
/// `@unchecked Sendable`: each fit belongs to one part of a job at a time; `ComputePool.run` orders jobs.
package final class StitchingLayerFit: @unchecked Sendable {
  package let inputs: Int
  package let outputs: Int
  /// Σ w·x̃x̃ᵀ, x̃ = (x, 1), upper triangle, [(d₁+1) × (d₁+1)]
  private var gram: [Double]
  /// Σ w·y x̃ᵀ, [d₂ × (d₁+1)]
  private var moments: [Double]
  private(set) var tokens = 0
  /// What `solve` found; `nil` where there are no tokens or no finite answer.
  package private(set) var solution: Projection?

  package init(inputs: Int, outputs: Int) {
    self.inputs = inputs
    self.outputs = outputs
    gram = Array(repeating: 0, count: (inputs + 1) * (inputs + 1))
    moments = Array(repeating: 0, count: outputs * (inputs + 1))
  }

  /// Bytes one fit keeps.
  static func bytes(inputs: Int, outputs: Int) -> Int { 8 * (inputs + 1) * (inputs + 1 + outputs) }

  /// Adds rows of x [N × d₁] and y [N × d₂]. A token counts 1/rms(y), so that the few tokens with enormous
  /// activations do not decide alone; rows in `leftOut` (the first of each sequence) do not count at all.
  package func add(x: MatrixView, y: MatrixView, leftOut: Set<Int>) {
    precondition(x.rows == y.rows && x.columns == inputs && y.columns == outputs)
    let width = inputs + 1
    let rows = (0..<x.rows).filter { !leftOut.contains($0) }
    if rows.isEmpty { return }
    var left = [Double](repeating: 0, count: rows.count * width)
    var right = [Double](repeating: 0, count: rows.count * outputs)
    for (place, row) in rows.enumerated() {
      var squares = 0.0
      for column in 0..<outputs { squares += Double(y[row, column]) * Double(y[row, column]) }
      let weight = 1 / max(squares / Double(outputs), 1e-12).squareRoot().squareRoot()  // √(1/rms)
      for column in 0..<inputs { left[place * width + column] = weight * Double(x[row, column]) }
      left[place * width + inputs] = weight
      for column in 0..<outputs { right[place * outputs + column] = weight * Double(y[row, column]) }
    }
    cob_dsyrk(Int32(width), Int32(rows.count), 1, left, Int32(width), 1, &gram, Int32(width))
    cob_dgemm(
      1, 0, Int32(outputs), Int32(width), Int32(rows.count), 1, right, Int32(outputs), left, Int32(width), 1,
      &moments, Int32(width))
    tokens += rows.count
  }

  /// Solves for W [d₂ × d₁] and b [d₂] and lets go of the normal equations; the ridge is `ridge` times the mean of the
  /// diagonal of Σ w·xxᵀ.
  package func solve(ridge: Double) {
    solution = tokens > 0 ? solved(ridge: ridge) : nil
    (gram, moments) = ([], [])
  }

  private func solved(ridge: Double) -> Projection? {
    let width = inputs + 1
    var factor = gram
    let mean = (0..<inputs).reduce(0) { $0 + gram[$1 * width + $1] } / Double(max(1, inputs))
    var strength = ridge * max(mean, 1e-12)
    var solution = moments
    // A degenerate stream (fewer tokens than dimensions) needs more.
    for _ in 0..<6 {
      factor = gram
      solution = moments
      for index in 0..<inputs { factor[index * width + index] += strength }
      if cob_dposv(Int32(width), Int32(outputs), &factor, &solution) == 0 {
        let weight = FloatBuffer(count: outputs * inputs).matrix(rows: outputs, columns: inputs)
        let bias = FloatBuffer(count: outputs).vector
        for row in 0..<outputs {
          let values = weight.row(row)
          for column in 0..<inputs { values[column] = Float(solution[row * width + column]) }
          bias[row] = Float(solution[row * width + inputs])
          guard (0..<inputs).allSatisfy({ values[$0].isFinite }), bias[row].isFinite else { return nil }
        }
        return Projection(weight: WeightMatrix(weight), bias: WeightVector(bias))
      }
      strength *= 100
    }
    return nil
  }
}

extension Route {
  /// Layers for each junction: W normal of variance 1/d₁, b zero. Routes take their numbers in order from `random`.
  /// - Parameter widths: of the anchors' hidden states.
  func randomLayers(widths: [Int], _ random: inout SeededGenerator) -> [Projection] {
    junctions.map { junction in
      let (from, to) = (widths[junction.from], widths[junction.to])
      let deviation = 1 / Double(from).squareRoot()
      let weight = (0..<to * from).map { _ in Float(deviation * random.normal()) }
      return Projection(
        weight: WeightMatrix(FloatBuffer(weight).matrix(rows: to, columns: from)),
        bias: WeightVector(FloatBuffer(count: to).vector))
    }
  }
}

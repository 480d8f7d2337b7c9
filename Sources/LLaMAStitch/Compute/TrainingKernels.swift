import CKernels

/// Views' names for the C kernels of training. Dense matrices unless said otherwise.
package enum TrainingKernels {
  /// y = weight ∘ x / rms(x). x, y [N × d], weight [d], inverseRMS [N].
  package static func rmsNorm(
    _ x: MatrixView, weight: VectorView, epsilon: Float, into y: MatrixView, inverseRMS: VectorView
  ) {
    ck_rmsnorm_forward(x.base, weight.base, epsilon, y.base, inverseRMS.base, x.rows, x.columns)
  }

  package static func rmsNormBackward(
    _ dy: MatrixView, x: MatrixView, weight: VectorView, inverseRMS: VectorView, addingTo dx: MatrixView,
    weightGradient: VectorView?
  ) {
    ck_rmsnorm_backward(
      dy.base, x.base, weight.base, inverseRMS.base, dx.base, weightGradient?.base, x.rows, x.columns)
  }

  /// Rotates heads in place. x [N × heads·headDimension].
  package static func rotate(
    _ x: MatrixView, heads: Int, positions: IndexBuffer, table: RotaryTable, backward: Bool = false
  ) {
    ck_rotate_halves(
      x.base, x.rows, heads, x.columns / heads, x.stride, positions.base, table.cosines.base,
      table.sines.base, backward ? -1 : 1)
  }

  /// Scores become probabilities in place; row i sees `first + i + 1` columns.
  package static func causalSoftmax(
    _ scores: MatrixView, first: Int, logSums: VectorView, stride: Int
  ) {
    ck_causal_softmax_forward(scores.base, scores.rows, scores.columns, first, logSums.base, stride)
  }

  /// A row becomes probabilities in place; `logSum` is log Σ exp of it.
  package static func softmax(_ row: VectorView, logSum: inout Float) {
    ck_causal_softmax_forward(row.base, 1, row.count, row.count - 1, &logSum, 1)
  }

  package static func causalSoftmaxAgain(
    _ scores: MatrixView, first: Int, logSums: VectorView, stride: Int
  ) {
    ck_causal_softmax_again(scores.base, scores.rows, scores.columns, first, logSums.base, stride)
  }

  package static func softmaxBackward(probabilities: MatrixView, gradient: MatrixView, scale: Float) {
    ck_softmax_backward(probabilities.base, gradient.base, gradient.rows, gradient.columns, scale)
  }

  package static func siluMultiply(gate: MatrixView, up: MatrixView, into out: MatrixView) {
    ck_silu_multiply_forward(gate.base, up.base, out.base, gate.rows * gate.columns)
  }

  /// The gradients replace gate and up.
  package static func siluMultiplyBackward(gate: MatrixView, up: MatrixView, dout: MatrixView) {
    ck_silu_multiply_backward(gate.base, up.base, dout.base, gate.rows * gate.columns)
  }

  /// The derivatives of silu(gate) · up by gate and by up take their places.
  package static func siluMultiplyDerivatives(gate: MatrixView, up: MatrixView) {
    ck_silu_multiply_derivatives(gate.base, up.base, gate.rows * gate.columns)
  }

  /// y = y ∘ x
  package static func multiply(_ y: MatrixView, by x: MatrixView) { ck_multiply(y.base, x.base, y.rows * y.columns) }

  /// Sum of the rows' losses; logits become ∂(scale · loss)/∂logits.
  package static func crossEntropy(
    logits: MatrixView, targets: IndexBuffer, scale: Float, losses: VectorView?
  ) -> Double {
    ck_cross_entropy(logits.base, targets.base, logits.rows, logits.columns, scale, losses?.base)
  }

  /// Sum of the rows' losses share · KL(teacher ‖ student) + (1 − share) · cross-entropy; logits become
  /// ∂(scale · loss)/∂logits, the teacher's logits are lost.
  package static func distill(
    logits: MatrixView, teacher: MatrixView, targets: IndexBuffer, scale: Float, share: Float, losses: VectorView?
  ) -> Double {
    ck_distill(logits.base, teacher.base, targets.base, logits.rows, logits.columns, scale, share, losses?.base)
  }

  /// Sum of the rows' losses cross-entropy + weight · mean over the vocabulary of (logits − teacher's)²; logits become
  /// ∂(scale · loss)/∂logits, the teacher's logits are lost.
  package static func matchLogits(
    logits: MatrixView, teacher: MatrixView, targets: IndexBuffer, scale: Float, weight: Float, losses: VectorView?
  ) -> Double {
    ck_match_logits(logits.base, teacher.base, targets.base, logits.rows, logits.columns, scale, weight, losses?.base)
  }

  package static func add(_ x: MatrixView, to y: MatrixView) { ck_add(y.base, x.base, x.rows * x.columns) }
  package static func add(_ x: VectorView, to y: VectorView) { ck_add(y.base, x.base, x.count) }
  package static func scale(_ y: VectorView, by factor: Float) { ck_scale(y.base, factor, y.count) }
  /// y += factor · x
  package static func addScaled(_ x: MatrixView, by factor: Float, to y: MatrixView) {
    ck_add_scaled(y.base, x.base, factor, x.rows * x.columns)
  }
  package static func addBias(_ bias: VectorView, to y: MatrixView) {
    ck_add_bias(y.base, bias.base, y.rows, y.columns)
  }
  package static func addColumnSums(of x: MatrixView, to out: VectorView) {
    ck_add_column_sums(out.base, x.base, x.rows, x.columns)
  }
  /// Each row, number by number, times factors.
  package static func multiplyColumns(of y: MatrixView, by factors: VectorView) {
    ck_multiply_columns(y.base, factors.base, y.rows, y.columns)
  }
  /// out += Σ over rows of x ∘ y
  package static func addColumnProducts(of x: MatrixView, and y: MatrixView, to out: VectorView) {
    ck_add_column_products(out.base, x.base, y.base, x.rows, x.columns)
  }
  package static func gatherRows(of table: MatrixView, _ indices: IndexBuffer, into out: MatrixView) {
    ck_gather_rows(table.base, indices.base, out.base, out.rows, out.columns)
  }
  package static func scatterAddRows(of x: MatrixView, to table: MatrixView, _ indices: IndexBuffer) {
    ck_scatter_add_rows(table.base, indices.base, x.base, x.rows, x.columns)
  }
  package static func sumOfSquares(_ x: VectorView) -> Double { ck_sum_of_squares(x.base, x.count) }
  package static func dot(_ x: VectorView, _ y: VectorView) -> Double { ck_dot(x.base, y.base, x.count) }
  package static func sumOfAbsoluteProducts(_ x: VectorView, _ y: VectorView) -> Double {
    ck_sum_of_absolute_products(x.base, y.base, x.count)
  }

  package static func adamW(
    values: VectorView, gradient: VectorView, firstMoment: VectorView, secondMoment: VectorView,
    gradientScale: Float, learningRate: Float, beta1: Float, beta2: Float, epsilon: Float,
    weightDecay: Float, start: VectorView?, startDecay: Float, correction1: Float, correction2: Float
  ) {
    ck_adamw(
      values.base, gradient.base, firstMoment.base, secondMoment.base, values.count, gradientScale,
      learningRate, beta1, beta2, epsilon, weightDecay, start?.base, startDecay, correction1, correction2)
  }
}

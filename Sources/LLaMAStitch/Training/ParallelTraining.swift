/// A parallel adapter, forward and backward.
extension TrainingPass {
  /// Adds s · (U relu(D x + b) + c) to `out`; returns relu(D x + b), [N × width].
  func forward(_ adapter: ParallelAdapter, _ x: MatrixView, addingTo out: MatrixView) -> MatrixView {
    let active = arena.matrix(x.rows, adapter.width)
    LinearAlgebra.multiply(x, adapter.down.floatsInPlace!.transposed, into: active)
    TrainingKernels.addBias(adapter.downBias.values, to: active)
    TrainingKernels.rectify(active)
    LinearAlgebra.multiply(active, adapter.up.floatsInPlace!.transposed, into: out, alpha: adapter.scale, beta: 1)
    let mark = scratch.mark
    let bias = scratch.vector(out.columns)
    bias.copy(from: adapter.upBias.values)
    TrainingKernels.scale(bias, by: adapter.scale)
    TrainingKernels.addBias(bias, to: out)
    scratch.release(to: mark)
    return active
  }

  /// Adds the gradients of D, b, U and c, and ∂L/∂x to `dx`.
  /// - Parameter active: what the forward pass returned.
  func backward(
    _ adapter: ParallelAdapter, x: MatrixView, active: MatrixView, dy: MatrixView, dx: MatrixView,
    _ gradients: GradientBuffer
  ) {
    let mark = scratch.mark
    let scaled = scratch.matrix(dy.rows, dy.columns)
    scaled.dense.copy(from: dy.dense)
    TrainingKernels.scale(scaled.dense, by: adapter.scale)
    if let gradient = gradients.matrix(adapter.up) {
      LinearAlgebra.multiply(scaled.transposed, active, into: gradient, beta: 1)
    }
    if let gradient = gradients.vector(adapter.upBias) { TrainingKernels.addColumnSums(of: scaled, to: gradient) }
    let dActive = scratch.matrix(dy.rows, adapter.width)
    LinearAlgebra.multiply(scaled, adapter.up.floatsInPlace!, into: dActive)
    TrainingKernels.rectifyBackward(dActive, active: active)
    if let gradient = gradients.matrix(adapter.down) {
      LinearAlgebra.multiply(dActive.transposed, x, into: gradient, beta: 1)
    }
    if let gradient = gradients.vector(adapter.downBias) { TrainingKernels.addColumnSums(of: dActive, to: gradient) }
    LinearAlgebra.multiply(dActive, adapter.down.floatsInPlace!, into: dx, beta: 1)
    scratch.release(to: mark)
  }
}

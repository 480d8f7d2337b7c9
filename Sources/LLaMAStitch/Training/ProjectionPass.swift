/// A projection with its deltas, forward and backward.
extension TrainingPass {
  /// out = W x + b + Σ deltas; returns what the deltas keep.
  func forward(_ projection: Projection, _ x: MatrixView, into out: MatrixView) -> Reduced {
    projection.weight.multiply(x, into: out, scratch: scratch)
    if let bias = projection.bias { TrainingKernels.addBias(bias.values, to: out) }
    var kept: Reduced = []
    for delta in projection.deltas {
      switch delta {
      case .bias(let bias): TrainingKernels.addBias(bias.values, to: out)
      case .lowRank(let update):
        let reduced = arena.matrix(x.rows, update.rank)
        LinearAlgebra.multiply(x, update.a.floatsInPlace!.transposed, into: reduced)
        LinearAlgebra.multiply(reduced, update.b.floatsInPlace!.transposed, into: out, alpha: update.scale, beta: 1)
        kept.append(reduced)
      case .kronecker(let sum): kept.append(forward(sum, x, addingTo: out))
      case .scale(let scale):
        let unscaled = arena.matrix(out.rows, out.columns)
        unscaled.dense.copy(from: out.dense)
        TrainingKernels.multiplyColumns(of: out, by: scale.values)
        kept.append(unscaled)
      }
    }
    return kept
  }

  /// Adds the gradients of the projection's parts, and writes (or adds) ∂L/∂x to `dx`, if it is given.
  func backward(
    _ projection: Projection, x: MatrixView, reduced: Reduced, dy: MatrixView,
    dx: MatrixView?, accumulate: Bool, _ gradients: GradientBuffer
  ) {
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    var dy = dy
    if let scale = projection.scale, let unscaled = reduced.last {
      if let gradient = gradients.vector(scale) {
        TrainingKernels.addColumnProducts(of: dy, and: unscaled, to: gradient)
      }
      let scaled = scratch.matrix(dy.rows, dy.columns)
      scaled.dense.copy(from: dy.dense)
      TrainingKernels.multiplyColumns(of: scaled, by: scale.values)
      dy = scaled
    }
    if let gradient = gradients.matrix(projection.weight) {
      LinearAlgebra.multiply(dy.transposed, x, into: gradient, beta: 1)
    }
    if let bias = projection.bias, let gradient = gradients.vector(bias) {
      TrainingKernels.addColumnSums(of: dy, to: gradient)
    }
    if let dx { projection.weight.multiplyBackward(dy, into: dx, accumulate: accumulate, scratch: scratch) }
    var kept = reduced.makeIterator()
    for delta in projection.deltas {
      switch delta {
      case .bias(let bias):
        if let gradient = gradients.vector(bias) { TrainingKernels.addColumnSums(of: dy, to: gradient) }
      case .lowRank(let update): backward(update, x: x, reduced: kept.next()!, dy: dy, dx: dx, gradients)
      case .kronecker(let sum): backward(sum, x: x, found: kept.next()!, dy: dy, dx: dx, gradients)
      case .scale: break
      }
    }
  }

  /// Adds the gradients of A and B, and ∂L/∂x to `dx`, if it is given.
  func backward(
    _ update: LowRank, x: MatrixView, reduced: MatrixView, dy: MatrixView, dx: MatrixView?, _ gradients: GradientBuffer
  ) {
    if let gradient = gradients.matrix(update.b) {
      LinearAlgebra.multiply(dy.transposed, reduced, into: gradient, alpha: update.scale, beta: 1)
    }
    let mark = scratch.mark
    let dReduced = scratch.matrix(x.rows, update.rank)
    LinearAlgebra.multiply(dy, update.b.floatsInPlace!, into: dReduced, alpha: update.scale)
    if let gradient = gradients.matrix(update.a) {
      LinearAlgebra.multiply(dReduced.transposed, x, into: gradient, beta: 1)
    }
    if let dx { LinearAlgebra.multiply(dReduced, update.a.floatsInPlace!, into: dx, beta: 1) }
    scratch.release(to: mark)
  }
}

/// How what a block computes is kept for the backward pass.
public enum SavedActivations: String, Sendable, Codable, CaseIterable {
  /// As it is.
  case exact
  /// Of each block, what enters it; the rest is computed again (activation recomputation, or checkpointing: Chen et al. 2016,
  /// arXiv 1604.06174). The gradients are the same to the bit, for about a third more time.
  case recomputed = "recompute"
  /// What non-linear functions are differentiated by at four bits, the rest as it is (after S2A: Jin et al. 2025, arXiv
  /// 2503.08154, whose second part keeps “activations based on their derivatives” of non-parametric structures at 4 bits).
  ///
  /// Of the paper is what is kept so, and that the forward pass stays exact. Chosen here, since it is about networks for
  /// images: of silu(gate) · up its two derivatives, *up* · silu′(gate) and silu(gate); of an RMS norm what enters it, for
  /// its derivative is a function of that and its root mean square, which is kept as it is; blocks of 32 numbers, rounded to
  /// the nearest of 16 between their ends. A softmax keeps nothing but a number a row here: its probabilities are computed
  /// again from queries and keys, which stay exact, as values and what attention adds up to do.
  case fourBit = "4bit"
}

extension TrainingPass {
  /// What the norms and the product of the MLP are differentiated by.
  enum NonlinearInputs {
    /// What enters the block and its MLP, `[N × d]`, and the product's factors, `[N × f]`, which the backward pass replaces by
    /// their gradients.
    case exact(input: MatrixView, middle: MatrixView, gate: MatrixView, up: MatrixView)
    /// The same, but for the product, of which the derivatives are kept, and the product itself where the last projection has a
    /// use for it.
    case fourBit(
      input: FourBitMatrix, middle: FourBitMatrix, byGate: FourBitMatrix, byUp: FourBitMatrix, active: FourBitMatrix?)
  }

  /// What is kept of a block.
  enum KeptBlock {
    case whole(BlockActivations)
    case input(MatrixView)
  }

  /// A block forward, and what is kept of it as was chosen.
  /// - Parameter stream: may be lost.
  func keeping(_ block: Block, _ stream: MatrixView, _ rows: RowPlan) -> (kept: KeptBlock, out: MatrixView) {
    switch activations {
    case .exact, .fourBit:
      let kept = forward(block, stream, rows, keepsFourBits: activations == .fourBit)
      return (.whole(kept), kept.out)
    case .recomputed:
      let out = arena.matrix(stream.rows, stream.columns)
      let mark = arena.mark
      out.dense.copy(from: forward(block, stream, rows).out.dense)
      arena.release(to: mark)
      return (.input(stream), out)
    }
  }

  /// See `backward(_:_:_:gradient:needsInput:_:)` of the activations.
  func backward(
    _ block: Block, _ kept: KeptBlock, _ rows: RowPlan, gradient: MatrixView, needsInput: Bool,
    _ gradients: GradientBuffer
  ) {
    let mark = arena.mark
    let activations: BlockActivations
    switch kept {
    case .whole(let kept): activations = kept
    case .input(let input): activations = forward(block, input, rows)
    }
    backward(block, activations, rows, gradient: gradient, needsInput: needsInput, gradients)
    arena.release(to: mark)
  }

  // MARK: What a block's backward pass reads, until its scratch is released

  /// silu(gate) · up.
  func active(_ kept: NonlinearInputs) -> MatrixView {
    switch kept {
    case .exact(_, _, let gate, let up):
      let active = scratch.matrix(gate.rows, gate.columns)
      TrainingKernels.siluMultiply(gate: gate, up: up, into: active)
      return active
    case .fourBit(_, _, _, _, let active): return unpacked(active!)
    }
  }

  /// The gradients of gate and up.
  func productGradients(_ kept: NonlinearInputs, _ dActive: MatrixView) -> (gate: MatrixView, up: MatrixView) {
    switch kept {
    case .exact(_, _, let gate, let up):
      TrainingKernels.siluMultiplyBackward(gate: gate, up: up, dout: dActive)
      return (gate, up)
    case .fourBit(_, _, let byGate, let byUp, _):
      let (gate, up) = (unpacked(byGate), unpacked(byUp))
      TrainingKernels.multiply(gate, by: dActive)
      TrainingKernels.multiply(up, by: dActive)
      return (gate, up)
    }
  }

  /// What entered the block and its MLP.
  func streams(_ kept: NonlinearInputs) -> (input: MatrixView, middle: MatrixView) {
    switch kept {
    case .exact(let input, let middle, _, _): (input, middle)
    case .fourBit(let input, let middle, _, _, _): (unpacked(input), unpacked(middle))
    }
  }

  /// A norm of what entered it, once more.
  func normAgain(_ x: MatrixView, _ norm: WeightVector, _ block: Block, into normed: MatrixView) {
    TrainingKernels.rmsNorm(
      x, weight: norm.values, epsilon: block.configuration.normEpsilon, into: normed,
      inverseRMS: scratch.vector(x.rows))
  }

  private func unpacked(_ matrix: FourBitMatrix) -> MatrixView {
    let floats = scratch.matrix(matrix.rows, matrix.columns)
    matrix.unpack(into: floats)
    return floats
  }
}

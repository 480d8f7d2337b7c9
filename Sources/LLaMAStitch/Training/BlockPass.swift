/// A block, forward and backward.
extension TrainingPass {
  /// Normed streams and, where nothing is rounded, the activation of the feed-forward part are computed again: they are quickly had and large.
  struct BlockActivations {
    var inverse1: VectorView  // [N]
    var query, key, value: MatrixView  // [N × heads·headDimension], rotated
    var attended: MatrixView  // [N × heads·headDimension]
    var logSums: VectorView  // [N × heads]
    var inverse2: VectorView  // [N]
    var nonlinear: NonlinearInputs
    var out: MatrixView  // [N × d]
    var reducedQuery, reducedKey, reducedValue, reducedOutput: Reduced
    var reducedGate, reducedUp, reducedDown: Reduced
    var parallel: MatrixView?  // [N × width], of what stands beside the MLP
  }

  /// - Parameter keepsFourBits: keep what the norms and the MLP's product are to be differentiated by at four bits; the
  ///   output then takes the place of the input.
  func forward(
    _ block: Block, _ input: MatrixView, _ rows: RowPlan, keepsFourBits: Bool = false
  ) -> BlockActivations {
    let n = input.rows
    let width = input.columns
    // What is kept at four bits is needed as it is only while the block runs.
    let passing = keepsFourBits ? scratch : arena
    let rotary = rotary(block, rows)
    let mark = scratch.mark
    let keptInput = keepsFourBits ? FourBitMatrix(input, in: arena) : nil
    let inverse1 = arena.vector(n)
    let normed1 = scratch.matrix(n, width)
    TrainingKernels.rmsNorm(
      input, weight: block.attentionNorm.values, epsilon: block.configuration.normEpsilon, into: normed1,
      inverseRMS: inverse1)
    let query = arena.matrix(n, block.attention.query.outputSize)
    let key = arena.matrix(n, block.attention.key.outputSize)
    let value = arena.matrix(n, block.attention.value.outputSize)
    let reducedQuery = forward(block.attention.query, normed1, into: query)
    let reducedKey = forward(block.attention.key, normed1, into: key)
    let reducedValue = forward(block.attention.value, normed1, into: value)
    TrainingKernels.rotate(
      query, heads: block.configuration.headCount, positions: rows.positions, table: rotary)
    TrainingKernels.rotate(
      key, heads: block.configuration.keyValueHeadCount, positions: rows.positions, table: rotary)
    let attended = arena.matrix(n, query.columns)
    let logSums = arena.vector(n * block.configuration.headCount)
    attention.forward(
      block, query: query, key: key, value: value, into: attended, logSums: logSums,
      sequences: rows.sequences)
    let middle = passing.matrix(n, width)
    let reducedOutput = forward(block.attention.output, attended, into: middle)
    TrainingKernels.add(input, to: middle)

    let inverse2 = arena.vector(n)
    let normed2 = scratch.matrix(n, width)
    TrainingKernels.rmsNorm(
      middle, weight: block.mlpNorm.values, epsilon: block.configuration.normEpsilon, into: normed2,
      inverseRMS: inverse2)
    let gate = passing.matrix(n, block.mlp.gate.outputSize)
    let up = passing.matrix(n, block.mlp.up.outputSize)
    let reducedGate = forward(block.mlp.gate, normed2, into: gate)
    let reducedUp = forward(block.mlp.up, normed2, into: up)
    let active = scratch.matrix(n, gate.columns)
    TrainingKernels.siluMultiply(gate: gate, up: up, into: active)
    let nonlinear: NonlinearInputs
    if let keptInput {
      TrainingKernels.siluMultiplyDerivatives(gate: gate, up: up)
      nonlinear = .fourBit(
        input: keptInput, middle: FourBitMatrix(middle, in: arena), byGate: FourBitMatrix(gate, in: arena),
        byUp: FourBitMatrix(up, in: arena),
        active: block.mlp.down.hasUseForInput ? FourBitMatrix(active, in: arena) : nil)
    } else {
      nonlinear = .exact(input: input, middle: middle, gate: gate, up: up)
    }
    let out = keepsFourBits ? input : arena.matrix(n, width)
    let reducedDown = forward(block.mlp.down, active, into: out)
    let parallel = block.mlp.parallel.map { forward($0, normed2, addingTo: out) }
    TrainingKernels.add(middle, to: out)
    scratch.release(to: mark)
    return BlockActivations(
      inverse1: inverse1, query: query, key: key, value: value, attended: attended, logSums: logSums,
      inverse2: inverse2, nonlinear: nonlinear, out: out, reducedQuery: reducedQuery, reducedKey: reducedKey,
      reducedValue: reducedValue, reducedOutput: reducedOutput, reducedGate: reducedGate, reducedUp: reducedUp,
      reducedDown: reducedDown, parallel: parallel)
  }

  /// Turns `gradient`, ∂L/∂out, into ∂L/∂input in place; into nothing of use where the input needs none.
  func backward(
    _ block: Block, _ kept: BlockActivations, _ rows: RowPlan, gradient: MatrixView,
    needsInput: Bool, _ gradients: GradientBuffer
  ) {
    let rotary = rotary(block, rows)
    let mark = scratch.mark
    let n = gradient.rows
    let dNormed = scratch.matrix(n, gradient.columns)
    let normed = scratch.matrix(n, gradient.columns)

    let dActive = scratch.matrix(n, block.mlp.gate.outputSize)
    let active = block.mlp.down.hasUseForInput ? self.active(kept.nonlinear) : nil
    backward(
      block.mlp.down, x: active ?? dActive, reduced: kept.reducedDown, dy: gradient, dx: dActive, accumulate: false,
      gradients)
    let (dGate, dUp) = productGradients(kept.nonlinear, dActive)
    let (input, middle) = streams(kept.nonlinear)
    if block.mlp.gate.hasUseForInput || block.mlp.up.hasUseForInput || kept.parallel != nil {
      normAgain(middle, block.mlpNorm, block, into: normed)
    }
    backward(
      block.mlp.gate, x: normed, reduced: kept.reducedGate, dy: dGate, dx: dNormed, accumulate: false, gradients)
    backward(
      block.mlp.up, x: normed, reduced: kept.reducedUp, dy: dUp, dx: dNormed, accumulate: true, gradients)
    if let parallel = block.mlp.parallel, let active = kept.parallel {
      backward(parallel, x: normed, active: active, dy: gradient, dx: dNormed, gradients)
    }
    TrainingKernels.rmsNormBackward(
      dNormed, x: middle, weight: block.mlpNorm.values, inverseRMS: kept.inverse2,
      addingTo: gradient, weightGradient: gradients.vector(block.mlpNorm))

    let dAttended = scratch.matrix(n, kept.attended.columns)
    backward(
      block.attention.output, x: kept.attended, reduced: kept.reducedOutput, dy: gradient, dx: dAttended,
      accumulate: false, gradients)
    let dQuery = scratch.matrix(n, kept.query.columns)
    let dKey = scratch.matrix(n, kept.key.columns)
    let dValue = scratch.matrix(n, kept.value.columns)
    attention.backward(
      block, query: kept.query, key: kept.key, value: kept.value, logSums: kept.logSums,
      dAttended: dAttended, dQuery: dQuery, dKey: dKey, dValue: dValue, sequences: rows.sequences, gradients)
    TrainingKernels.rotate(
      dQuery, heads: block.configuration.headCount, positions: rows.positions, table: rotary, backward: true)
    TrainingKernels.rotate(
      dKey, heads: block.configuration.keyValueHeadCount, positions: rows.positions, table: rotary,
      backward: true)
    if block.attention.query.hasUseForInput || block.attention.key.hasUseForInput
      || block.attention.value.hasUseForInput
    {
      normAgain(input, block.attentionNorm, block, into: normed)
    }
    let dInput = needsInput || block.attentionNorm.parameter != nil ? dNormed : nil
    backward(
      block.attention.query, x: normed, reduced: kept.reducedQuery, dy: dQuery, dx: dInput, accumulate: false, gradients
    )
    backward(
      block.attention.key, x: normed, reduced: kept.reducedKey, dy: dKey, dx: dInput, accumulate: true, gradients)
    backward(
      block.attention.value, x: normed, reduced: kept.reducedValue, dy: dValue, dx: dInput, accumulate: true, gradients)
    if let dInput {
      TrainingKernels.rmsNormBackward(
        dInput, x: input, weight: block.attentionNorm.values, inverseRMS: kept.inverse1,
        addingTo: gradient, weightGradient: gradients.vector(block.attentionNorm))
    }
    scratch.release(to: mark)
  }
}

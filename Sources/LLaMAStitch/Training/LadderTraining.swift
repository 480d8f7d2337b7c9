/// The forward and backward pass of a network with a side network, of which alone something is trained (LST: Sung et al.
/// 2022, arXiv 2206.06522). The blocks of the anchors run as if nothing were trained: of each, only what a rung reads is
/// kept.
extension TrainingPass {
  /// What a rung keeps for the backward pass.
  private struct KeptRung {
    let rung: LadderNetwork.Rung
    /// x̂, `[N × hidden]`
    let read: MatrixView
    /// D x̂ and the state before, `[N × width]`
    let down, before: MatrixView
    let activations: KeptBlock
  }

  /// See `run`.
  func runLadder(
    _ network: Network, _ side: LadderNetwork, batch: PackedBatch, lossScale: Float, gradients: GradientBuffer?,
    losses: ((Float) -> Void)?
  ) -> Double {
    precondition(network.firstTrainedStage == network.stages.count, "only the side network can be trained")
    let rows = RowPlan(batch)
    var stream = arena.matrix(batch.rows, network.embedding.columns)
    network.embedding.gatherRows(batch.tokens, into: stream)
    let read = divided(stream)
    let entered = arena.matrix(batch.rows, side.width)
    side.entry.multiply(read, into: entered, scratch: scratch)
    var state = entered
    var kept: [KeptRung] = []
    for (stage, rung) in zip(network.stages, side.rungs) {
      stream = advanced(stage, stream, rows)
      guard let rung else { continue }
      let read = divided(stream)
      let down = arena.matrix(batch.rows, side.width)
      rung.down.multiply(read, into: down, scratch: scratch)
      let mixed = arena.matrix(batch.rows, side.width)
      mixed.dense.copy(from: down.dense)
      TrainingKernels.scale(mixed.dense, by: rung.openness)
      TrainingKernels.addScaled(state, by: 1 - rung.openness, to: mixed)
      let (activations, out) = keeping(rung.block, mixed, rows)
      kept.append(KeptRung(rung: rung, read: read, down: down, before: state, activations: activations))
      state = out
    }
    let inverse = arena.vector(batch.rows)
    let normed = arena.matrix(batch.rows, side.width)
    TrainingKernels.rmsNorm(
      state, weight: side.norm.values, epsilon: SideNetwork.epsilon, into: normed, inverseRMS: inverse)
    let added = arena.matrix(batch.rows, stream.columns)
    side.exit.multiply(normed, into: added, scratch: scratch)
    TrainingKernels.add(added, to: stream)
    // What was added has no further use.
    let gradient = added
    let total = head(
      network, stream, rows, lesson: nil, lossScale: lossScale, gradients: gradients, streamGradient: gradient,
      losses: losses)
    guard let gradients else { return total }

    if let exit = gradients.matrix(side.exit) {
      LinearAlgebra.multiply(gradient.transposed, normed, into: exit, beta: 1)
    }
    let dNormed = arena.matrix(batch.rows, side.width)
    side.exit.multiplyBackward(gradient, into: dNormed, accumulate: false, scratch: scratch)
    let flowing = arena.matrix(batch.rows, side.width)
    flowing.dense.fill(0)
    TrainingKernels.rmsNormBackward(
      dNormed, x: state, weight: side.norm.values, inverseRMS: inverse, addingTo: flowing,
      weightGradient: gradients.vector(side.norm))
    for kept in kept.reversed() {
      backward(kept.rung.block, kept.activations, rows, gradient: flowing, needsInput: true, gradients)
      let openness = kept.rung.openness
      if let gate = gradients.vector(kept.rung.gate) {
        let difference =
          TrainingKernels.dot(flowing.dense, kept.down.dense) - TrainingKernels.dot(flowing.dense, kept.before.dense)
        gate[0] += Float(difference) * openness * (1 - openness) / LadderNetwork.Rung.temperature
      }
      if let down = gradients.matrix(kept.rung.down) {
        LinearAlgebra.multiply(flowing.transposed, kept.read, into: down, alpha: openness, beta: 1)
      }
      TrainingKernels.scale(flowing.dense, by: 1 - openness)
    }
    if let entry = gradients.matrix(side.entry) {
      LinearAlgebra.multiply(flowing.transposed, read, into: entry, beta: 1)
    }
    return total
  }

  /// The stream after a stage, of which nothing else is kept; `stream` may be lost.
  func advanced(_ stage: Stage, _ stream: MatrixView, _ rows: RowPlan) -> MatrixView {
    switch stage {
    case .block(let block):
      let mark = arena.mark
      stream.dense.copy(from: forward(block, stream, rows).out.dense)
      arena.release(to: mark)
      return stream
    case .stitch(let layer):
      let out = arena.matrix(stream.rows, layer.outputSize)
      let mark = arena.mark
      _ = forward(layer, stream, into: out)
      arena.release(to: mark)
      return out
    }
  }

  /// Rows over their root mean squares, kept.
  func divided(_ stream: MatrixView) -> MatrixView {
    let divided = arena.matrix(stream.rows, stream.columns)
    let mark = scratch.mark
    let ones = scratch.vector(stream.columns)
    ones.fill(1)
    TrainingKernels.rmsNorm(
      stream, weight: ones, epsilon: SideNetwork.epsilon, into: divided, inverseRMS: scratch.vector(stream.rows))
    scratch.release(to: mark)
    return divided
  }
}

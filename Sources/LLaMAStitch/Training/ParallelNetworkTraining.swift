import Foundation

/// The forward and backward pass of a network with a side network that reads all blocks' outputs at once, of which alone
/// something is trained (`ParallelNetwork`). The blocks before it speaks run as if nothing were trained: of each, only what
/// is read is kept. Those behind are kept whole, one after another, and the gradient flows through them.
extension TrainingPass {
  /// What was read at one place, and what became of it.
  struct KeptReading {
    let reader: ParallelNetwork.Reader
    /// x̂, `[N × hidden]`
    let read: MatrixView
    /// D x̂; where it is rectified, what that leaves. `[N × width]`
    let down: MatrixView
    /// z, `[N × width]`
    let z: MatrixView
    /// Of the norm, `[N]`; or F r + r and σ(G r), `[N × width]`.
    let inverse: VectorView?
    let mixed: MatrixView?
    let opened: MatrixView?
  }

  /// See `run`.
  func runParallel(
    _ network: Network, _ side: ParallelNetwork, batch: PackedBatch, lossScale: Float, gradients: GradientBuffer?,
    losses: ((Float) -> Void)?
  ) -> Double {
    precondition(network.firstTrainedStage == network.stages.count, "only the side network can be trained")
    let rows = RowPlan(batch)
    var stream = arena.matrix(batch.rows, network.embedding.columns)
    network.embedding.gatherRows(batch.tokens, into: stream)
    var readings: [KeptReading] = []
    for place in 0...side.insertion {
      if place > 0 { stream = advanced(network.stages[place - 1], stream, rows) }
      if let reader = side.readers[place] { readings.append(kept(reader, stream)) }
    }
    let before = stream
    let merging: any Merging =
      switch side.merge {
      case .attention(let confidence, let projection, let norm):
        AttentionMerging(
          readings.map(\.z), rows.sequences, confidence: confidence, projection: projection, norm: norm, arena, scratch)
      case .antiRedundancy(let weighing, _):
        AntiRedundancyMerging(readings.map(\.z), weighing: weighing, arena)
      }
    let added = arena.matrix(batch.rows, side.exit.rows)
    side.exit.multiply(merging.out, into: added, scratch: scratch)
    let keptShare = side.keptShare
    stream = arena.matrix(batch.rows, side.exit.rows)
    stream.dense.copy(from: added.dense)
    TrainingKernels.addScaled(before, by: keptShare, to: stream)

    var late: [(block: Block, activations: KeptBlock)] = []
    for stage in network.stages[side.insertion...] {
      guard case .block(let block) = stage else { preconditionFailure("a stitching layer behind a side network") }
      if gradients == nil {
        stream = advanced(.block(block), stream, rows)
      } else {
        let (activations, out) = keeping(block, stream, rows)
        late.append((block, activations))
        stream = out
      }
    }
    // What was added has no further use.
    let gradient = added
    let total = head(
      network, stream, rows, lesson: nil, lossScale: lossScale, gradients: gradients, streamGradient: gradient,
      losses: losses)
    guard let gradients else { return total }

    for (block, activations) in late.reversed() {
      backward(block, activations, rows, gradient: gradient, needsInput: true, gradients)
    }
    if case .antiRedundancy(_, let keep) = side.merge, let slope = gradients.vector(keep) {
      let tangent = keptShare - 1
      slope[0] +=
        Float(TrainingKernels.dot(gradient.dense, before.dense)) * (1 - tangent * tangent)
        / ParallelNetwork.temperature
    }
    if let exit = gradients.matrix(side.exit) {
      LinearAlgebra.multiply(gradient.transposed, merging.out, into: exit, beta: 1)
    }
    let dOut = arena.matrix(batch.rows, side.width)
    side.exit.multiplyBackward(gradient, into: dOut, accumulate: false, scratch: scratch)
    for (reading, dz) in zip(readings, merging.backward(dOut, gradients)) { backward(reading, dz, gradients) }
    return total
  }

  /// What a reader makes of the stream, which may be lost afterwards.
  private func kept(_ reader: ParallelNetwork.Reader, _ stream: MatrixView) -> KeptReading {
    let read = divided(stream)
    let width = reader.down.rows
    func matrix() -> MatrixView { arena.matrix(stream.rows, width) }
    let (down, z) = (matrix(), matrix())
    reader.down.multiply(read, into: down, scratch: scratch)
    switch reader {
    case .normed(_, let norm):
      let inverse = arena.vector(stream.rows)
      TrainingKernels.rmsNorm(
        down, weight: norm.values, epsilon: SideNetwork.epsilon, into: z, inverseRMS: inverse)
      return KeptReading(reader: reader, read: read, down: down, z: z, inverse: inverse, mixed: nil, opened: nil)
    case .gated(_, let mixing, let opening):
      down.dense.rectify()
      let (mixed, opened) = (matrix(), matrix())
      mixing.multiply(down, into: mixed, scratch: scratch)
      TrainingKernels.add(down, to: mixed)
      opening.multiply(down, into: opened, scratch: scratch)
      opened.dense.sigmoid()
      z.dense.copy(from: mixed.dense)
      z.dense.multiply(by: opened.dense)
      return KeptReading(reader: reader, read: read, down: down, z: z, inverse: nil, mixed: mixed, opened: opened)
    }
  }

  /// - Parameter dz: is lost.
  private func backward(_ kept: KeptReading, _ dz: MatrixView, _ gradients: GradientBuffer) {
    let mark = scratch.mark
    let down = scratch.matrix(dz.rows, dz.columns)
    switch kept.reader {
    case .normed(_, let norm):
      down.dense.fill(0)
      TrainingKernels.rmsNormBackward(
        dz, x: kept.down, weight: norm.values, inverseRMS: kept.inverse!, addingTo: down,
        weightGradient: gradients.vector(norm))
    case .gated(_, let mixing, let opening):
      let (mixed, opened) = (kept.mixed!.dense, kept.opened!.dense)
      // ∂L/∂(G r), then ∂L/∂(F r + r).
      let dOpened = scratch.matrix(dz.rows, dz.columns)
      dOpened.dense.copy(from: dz.dense)
      dOpened.dense.multiply(by: mixed)
      dOpened.dense.sigmoidBackward(opened)
      dz.dense.multiply(by: opened)
      for (weights, gradient) in [(mixing, dz), (opening, dOpened)] {
        if let own = gradients.matrix(weights) {
          LinearAlgebra.multiply(gradient.transposed, kept.down, into: own, beta: 1)
        }
      }
      down.dense.copy(from: dz.dense)
      mixing.multiplyBackward(dz, into: down, accumulate: true, scratch: scratch)
      opening.multiplyBackward(dOpened, into: down, accumulate: true, scratch: scratch)
      down.dense.rectifyBackward(kept.down.dense)
    }
    if let own = gradients.matrix(kept.reader.down) {
      LinearAlgebra.multiply(down.transposed, kept.read, into: own, beta: 1)
    }
    scratch.release(to: mark)
  }
}

/// How all z become one, forward and backward.
protocol Merging {
  /// `[N × width]`
  var out: MatrixView { get }
  /// ∂L/∂z of each, the guide's last; adds up the gradients of what merges.
  func backward(_ dOut: MatrixView, _ gradients: GradientBuffer) -> [MatrixView]
}

extension VectorView {
  /// max(0, x), number by number.
  func rectify() {
    for index in 0..<count { base[index] = max(0, base[index]) }
  }

  /// A gradient becomes that of what was rectified to `result`.
  func rectifyBackward(_ result: VectorView) {
    precondition(result.count == count)
    for index in 0..<count where result.base[index] <= 0 { base[index] = 0 }
  }

  func sigmoid() {
    for index in 0..<count { base[index] = 1 / (1 + exp(-base[index])) }
  }

  /// A gradient becomes that of what σ made `result` of.
  func sigmoidBackward(_ result: VectorView) {
    precondition(result.count == count)
    for index in 0..<count { base[index] *= result.base[index] * (1 - result.base[index]) }
  }

  /// Number by number.
  func multiply(by other: VectorView) {
    precondition(other.count == count)
    for index in 0..<count { base[index] *= other.base[index] }
  }
}

/// One worker's forward and backward pass over a network.
///
/// Shapes: N rows (tokens of all sequences of the batch, one after another), d the width of the hidden state.
/// Not thread-safe: each worker has its own.
final class TrainingPass {
  /// What is kept for the backward pass.
  let arena = Arena()
  /// What is not: of the head, of one block forward or one block backward.
  let scratch = Arena()
  private let attention = TrainingAttention()
  private let tables: RotaryTables

  /// - Parameter tables: of rotary angles, which workers have in common.
  init(tables: RotaryTables = RotaryTables()) { self.tables = tables }

  /// The angles of every position of a batch.
  private func rotary(_ block: Block, _ rows: RowPlan) -> RotaryTable {
    let table = tables.table(block.configuration, positions: rows.longestSequence)
    table.cover(rows.longestSequence)
    return table
  }

  /// Rows of logits held at a time, and floats that they may take where that leaves enough rows for a fast product.
  private static let headRows = 256
  private static let headLength = 4 << 20
  private static let leastHeadRows = 64

  /// The sum of the losses of the batch's targets, in nats.
  ///
  /// - Parameters:
  ///   - teacher: whose distribution is to be met, besides the targets.
  ///   - gradients: where ∂(lossScale · Σ loss)/∂θ is added for each trainable θ; `nil` to only measure.
  ///   - losses: if given, receives the loss of each target in order of rows.
  func run(
    _ network: Network, batch: PackedBatch, teacher: Teacher? = nil, lossScale: Float, gradients: GradientBuffer?,
    losses: ((Float) -> Void)? = nil
  ) -> Double {
    if batch.rows == 0 { return 0 }
    arena.reset()
    scratch.reset()
    if let side = network.side {
      precondition(teacher == nil, "a side network learns the replies alone")
      return runLadder(network, side, batch: batch, lossScale: lossScale, gradients: gradients, losses: losses)
    }
    let rows = RowPlan(batch)
    var stream = arena.matrix(batch.rows, network.embedding.columns)
    network.embedding.gatherRows(batch.tokens, into: stream)
    let shared = teacher?.sharedStages ?? 0
    let firstKept = gradients == nil ? network.stages.count : network.firstTrainedStage
    precondition(shared <= network.firstTrainedStage, "a teacher that shares what is trained")
    stream = advance(network.stages[..<shared], stream, rows)
    let lesson = teacher.map {
      Lesson($0, stream: advance($0.network.stages[shared...], start(of: $0, stream, batch), rows))
    }
    stream = advance(network.stages[shared..<firstKept], stream, rows)

    var kept: [Kept] = []
    for stage in network.stages[firstKept...] {
      switch stage {
      case .block(let block):
        let activations = forward(block, stream, rows)
        stream = activations.out
        kept.append(.block(block, activations))
      case .stitch(let layer):
        let out = arena.matrix(batch.rows, layer.outputSize)
        let reduced = forward(layer, stream, into: out)
        kept.append(.stitch(layer, input: stream, reduced: reduced))
        stream = out
      }
    }

    let gradient = arena.matrix(batch.rows, stream.columns)
    let total = head(
      network, stream, rows, lesson: lesson, lossScale: lossScale, gradients: gradients, streamGradient: gradient,
      losses: losses)
    guard let gradients else { return total }

    var flowing = gradient
    for (index, item) in kept.enumerated().reversed() {
      // Nothing before the first trained stage has a use for its gradient, but an embedding that is trained.
      let isNeeded = index > 0 || network.embedding.parameter != nil
      switch item {
      case .block(let block, let activations):
        backward(block, activations, rows, gradient: flowing, needsInput: isNeeded, gradients)
      case .stitch(let layer, let input, let reduced):
        let below = isNeeded ? arena.matrix(batch.rows, layer.inputSize) : nil
        backward(layer, x: input, reduced: reduced, dy: flowing, dx: below, accumulate: false, gradients)
        if let below { flowing = below }
      }
    }
    if let table = gradients.matrix(network.embedding) {
      TrainingKernels.scatterAddRows(of: flowing, to: table, rows.tokens)
    }
    return total
  }

  /// Visits an anchor's hidden state [N × d] after `end` blocks and each smaller number of them, from where it
  /// starts on. What is visited is valid during the visit.
  /// - Parameter start: the stream after some blocks, at most `end`, to go on from; if absent, the embedding.
  func hiddenStates(
    _ anchor: LlamaModel, batch: PackedBatch, from start: (depth: Int, state: MatrixView)?, to end: Int,
    visit: (Int, MatrixView) -> Void
  ) {
    arena.reset()
    scratch.reset()
    let rows = RowPlan(batch)
    var stream = arena.matrix(batch.rows, anchor.configuration.hiddenSize)
    if let start {
      stream.dense.copy(from: start.state.dense)
    } else {
      anchor.embedding.gatherRows(batch.tokens, into: stream)
    }
    let first = start?.depth ?? 0
    visit(first, stream)
    for index in first..<end {
      stream = advance([.block(anchor.blocks[index])], stream, rows)
      visit(index + 1, stream)
    }
  }

  /// The stream after some stages, of which nothing else is kept; `stream` stays as it is.
  private func advance(_ stages: ArraySlice<Stage>, _ stream: MatrixView, _ rows: RowPlan) -> MatrixView {
    var stream = stream
    let bottom = arena.mark
    for stage in stages {
      switch stage {
      case .block(let block): stream = forward(block, stream, rows).out
      case .stitch(let layer):
        let out = arena.matrix(stream.rows, layer.outputSize)
        _ = forward(layer, stream, into: out)
        stream = out
      }
      stream = keepOnly(stream, since: bottom)
    }
    return stream
  }

  // MARK: Distillation

  /// What a teacher makes of a batch.
  struct Lesson {
    let teacher: Teacher
    /// Its stream after the last stage, [N × d].
    let stream: MatrixView

    init(_ teacher: Teacher, stream: MatrixView) {
      self.teacher = teacher
      self.stream = stream
    }
  }

  /// Where a teacher's own stages begin: behind what it shares, or at its embedding.
  private func start(of teacher: Teacher, _ shared: MatrixView, _ batch: PackedBatch) -> MatrixView {
    if teacher.sharedStages > 0 { return shared }
    let start = arena.matrix(batch.rows, teacher.network.embedding.columns)
    teacher.network.embedding.gatherRows(batch.tokens, into: start)
    return start
  }

  /// Moves a matrix down to the mark and frees the rest. Copies through a spare so that overlap does no harm.
  private func keepOnly(_ matrix: MatrixView, since mark: Arena.Mark) -> MatrixView {
    let values = matrix.rows * matrix.columns
    if spare == nil || spare!.count < values { spare = FloatBuffer(count: values) }
    let copy = spare!.vector(offset: 0, count: values)
    copy.copy(from: matrix.dense)
    arena.release(to: mark)
    let moved = arena.matrix(matrix.rows, matrix.columns)
    moved.dense.copy(from: copy)
    return moved
  }
  private var spare: FloatBuffer?

  // MARK: What a stage keeps for the backward pass

  /// A x of each low-rank delta of a projection, [N × rank], in order.
  typealias Reduced = [MatrixView]

  private enum Kept {
    case block(Block, BlockActivations)
    case stitch(Projection, input: MatrixView, reduced: Reduced)
  }

  /// Normed streams and the activation of the feed-forward part are computed again: they are quickly had and large.
  struct BlockActivations {
    var input: MatrixView  // [N × d]
    var inverse1: VectorView  // [N]
    var query, key, value: MatrixView  // [N × heads·headDimension], rotated
    var attended: MatrixView  // [N × heads·headDimension]
    var logSums: VectorView  // [N × heads]
    var middle: MatrixView  // [N × d], after attention
    var inverse2: VectorView  // [N]
    var gate, up: MatrixView  // [N × f]
    var out: MatrixView  // [N × d]
    var reducedQuery, reducedKey, reducedValue, reducedOutput: Reduced
    var reducedGate, reducedUp, reducedDown: Reduced
  }

  // MARK: Projection

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
  private func backward(
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
      case .scale: break
      }
    }
  }

  /// Adds the gradients of A and B, and ∂L/∂x to `dx`, if it is given.
  private func backward(
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

  // MARK: Block

  func forward(_ block: Block, _ input: MatrixView, _ rows: RowPlan) -> BlockActivations {
    let n = input.rows
    let width = input.columns
    let rotary = rotary(block, rows)
    let mark = scratch.mark
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
    let middle = arena.matrix(n, width)
    let reducedOutput = forward(block.attention.output, attended, into: middle)
    TrainingKernels.add(input, to: middle)

    let inverse2 = arena.vector(n)
    let normed2 = scratch.matrix(n, width)
    TrainingKernels.rmsNorm(
      middle, weight: block.mlpNorm.values, epsilon: block.configuration.normEpsilon, into: normed2,
      inverseRMS: inverse2)
    let gate = arena.matrix(n, block.mlp.gate.outputSize)
    let up = arena.matrix(n, block.mlp.up.outputSize)
    let reducedGate = forward(block.mlp.gate, normed2, into: gate)
    let reducedUp = forward(block.mlp.up, normed2, into: up)
    let active = scratch.matrix(n, gate.columns)
    TrainingKernels.siluMultiply(gate: gate, up: up, into: active)
    let out = arena.matrix(n, width)
    let reducedDown = forward(block.mlp.down, active, into: out)
    TrainingKernels.add(middle, to: out)
    scratch.release(to: mark)
    return BlockActivations(
      input: input, inverse1: inverse1, query: query, key: key, value: value, attended: attended, logSums: logSums,
      middle: middle, inverse2: inverse2, gate: gate, up: up, out: out, reducedQuery: reducedQuery,
      reducedKey: reducedKey,
      reducedValue: reducedValue, reducedOutput: reducedOutput, reducedGate: reducedGate, reducedUp: reducedUp,
      reducedDown: reducedDown)
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

    let dActive = scratch.matrix(n, kept.gate.columns)
    let active = scratch.matrix(n, kept.gate.columns)
    if block.mlp.down.hasUseForInput { TrainingKernels.siluMultiply(gate: kept.gate, up: kept.up, into: active) }
    backward(
      block.mlp.down, x: active, reduced: kept.reducedDown, dy: gradient, dx: dActive, accumulate: false, gradients)
    TrainingKernels.siluMultiplyBackward(gate: kept.gate, up: kept.up, dout: dActive)
    if block.mlp.gate.hasUseForInput || block.mlp.up.hasUseForInput {
      TrainingKernels.rmsNorm(
        kept.middle, weight: block.mlpNorm.values, epsilon: block.configuration.normEpsilon, into: normed,
        inverseRMS: kept.inverse2)
    }
    backward(
      block.mlp.gate, x: normed, reduced: kept.reducedGate, dy: kept.gate, dx: dNormed, accumulate: false, gradients)
    backward(
      block.mlp.up, x: normed, reduced: kept.reducedUp, dy: kept.up, dx: dNormed, accumulate: true, gradients)
    TrainingKernels.rmsNormBackward(
      dNormed, x: kept.middle, weight: block.mlpNorm.values, inverseRMS: kept.inverse2,
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
      dAttended: dAttended, dQuery: dQuery, dKey: dKey, dValue: dValue, sequences: rows.sequences)
    TrainingKernels.rotate(
      dQuery, heads: block.configuration.headCount, positions: rows.positions, table: rotary, backward: true)
    TrainingKernels.rotate(
      dKey, heads: block.configuration.keyValueHeadCount, positions: rows.positions, table: rotary,
      backward: true)
    if block.attention.query.hasUseForInput || block.attention.key.hasUseForInput
      || block.attention.value.hasUseForInput
    {
      TrainingKernels.rmsNorm(
        kept.input, weight: block.attentionNorm.values, epsilon: block.configuration.normEpsilon, into: normed,
        inverseRMS: kept.inverse1)
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
        dInput, x: kept.input, weight: block.attentionNorm.values, inverseRMS: kept.inverse1,
        addingTo: gradient, weightGradient: gradients.vector(block.attentionNorm))
    }
    scratch.release(to: mark)
  }

  // MARK: Head and loss

  /// The final norm of a network, [N × d].
  private func normed(_ stream: MatrixView, _ network: Network, inverseRMS: VectorView) -> MatrixView {
    let normed = scratch.matrix(stream.rows, stream.columns)
    TrainingKernels.rmsNorm(
      stream, weight: network.finalNorm.values, epsilon: network.finalNormEpsilon, into: normed,
      inverseRMS: inverseRMS)
    return normed
  }

  /// Some rows of a matrix.
  private func gathered(_ rows: IndexBuffer, of matrix: MatrixView) -> MatrixView {
    let gathered = scratch.matrix(rows.count, matrix.columns)
    TrainingKernels.gatherRows(of: matrix, rows, into: gathered)
    return gathered
  }

  /// Final norm, logits and cross-entropy of the rows that have targets, a chunk of rows at a time so that the
  /// logits of a large vocabulary never exist all at once. `streamGradient` becomes ∂L/∂stream.
  func head(
    _ network: Network, _ stream: MatrixView, _ rows: RowPlan, lesson: Lesson?, lossScale: Float,
    gradients: GradientBuffer?, streamGradient: MatrixView, losses: ((Float) -> Void)?
  ) -> Double {
    let mark = scratch.mark
    let width = stream.columns
    let inverse = scratch.vector(stream.rows)
    let normed = self.normed(stream, network, inverseRMS: inverse)
    let taught = lesson.map { self.normed($0.stream, $0.teacher.network, inverseRMS: scratch.vector(stream.rows)) }
    let dNormed = scratch.matrix(stream.rows, width)
    if gradients != nil { dNormed.dense.fill(0) }

    let most = max(Self.leastHeadRows, min(Self.headRows, Self.headLength / max(1, network.head.outputSize)))
    var total = 0.0
    var start = 0
    while start < rows.targetRows.count {
      let chunk = rows.targetRows[start..<min(start + most, rows.targetRows.count)]
      start = chunk.endIndex
      let chunkMark = scratch.mark
      let indices = IndexBuffer(chunk)
      let targets = IndexBuffer(chunk.map { rows.targets[Int($0)] })
      let x = gathered(indices, of: normed)
      let logits = scratch.matrix(chunk.count, network.head.outputSize)
      network.head.weight.multiply(x, into: logits, scratch: scratch)
      let each = losses == nil ? nil : scratch.vector(chunk.count)
      if let lesson, let taught {
        let head = lesson.teacher.network.head.weight
        let teacher = scratch.matrix(chunk.count, head.rows)
        head.multiply(gathered(indices, of: taught), into: teacher, scratch: scratch)
        total += TrainingKernels.distill(
          logits: logits, teacher: teacher, targets: targets, scale: lossScale, share: lesson.teacher.share,
          losses: each)
      } else {
        total += TrainingKernels.crossEntropy(logits: logits, targets: targets, scale: lossScale, losses: each)
      }
      if let each, let losses { for index in 0..<each.count { losses(each[index]) } }
      if let gradients {
        if let gradient = gradients.matrix(network.head.weight) {
          LinearAlgebra.multiply(logits.transposed, x, into: gradient, beta: 1)
        }
        let dx = scratch.matrix(chunk.count, width)
        network.head.weight.multiplyBackward(logits, into: dx, accumulate: false, scratch: scratch)
        TrainingKernels.scatterAddRows(of: dx, to: dNormed, indices)
      }
      scratch.release(to: chunkMark)
    }
    if let gradients {
      streamGradient.dense.fill(0)
      TrainingKernels.rmsNormBackward(
        dNormed, x: stream, weight: network.finalNorm.values, inverseRMS: inverse,
        addingTo: streamGradient, weightGradient: gradients.vector(network.finalNorm))
    }
    scratch.release(to: mark)
    return total
  }
}

/// A batch as the kernels want it.
struct RowPlan {
  let tokens: IndexBuffer
  let positions: IndexBuffer
  let sequences: [Range<Int>]
  let targets: [Int32]
  /// Rows that have a target.
  let targetRows: [Int32]
  let longestSequence: Int

  init(_ batch: PackedBatch) {
    tokens = IndexBuffer(batch.tokens)
    sequences = (0..<batch.sequenceCount).map { batch.range(ofSequence: $0) }
    positions = IndexBuffer(sequences.flatMap { range in range.indices.map { Int32($0 - range.lowerBound) } })
    longestSequence = sequences.map(\.count).max() ?? 0
    targets = batch.targets
    targetRows = batch.targets.indices.filter { batch.targets[$0] != PackedBatch.ignored }.map(Int32.init)
  }
}

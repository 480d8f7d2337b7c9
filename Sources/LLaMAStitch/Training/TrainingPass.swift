extension Network {
  /// The parameters of a store that it uses, each once, by the point of the backward pass behind which nothing is added to
  /// their gradients: behind the head, behind each stage from the last one to the first, and at the end.
  var parametersByPoint: [[Int]] {
    let end = stages.count + 1
    var points: [Int: Int] = [:]
    func use(_ parameters: [Int], until point: Int) {
      for parameter in parameters { points[parameter] = max(points[parameter] ?? 0, point) }
    }
    use([finalNorm.parameter].compactMap { $0 } + head.parameters, until: 0)
    for (index, stage) in stages.enumerated() { use(stage.parameters, until: stages.count - index) }
    use([embedding.parameter].compactMap { $0 } + (prompt?.parameters ?? []), until: end)
    // What a side network has is read here and there.
    if side != nil { use(parameters, until: end) }
    return (0...end).map { point in points.filter { $0.value == point }.keys.sorted() }
  }
}

/// One worker's forward and backward pass over a network.
///
/// Shapes: N rows (tokens of all sequences of the batch, one after another), d the width of the hidden state.
/// Not thread-safe: each worker has its own.
final class TrainingPass {
  /// What is kept for the backward pass.
  let arena = Arena()
  /// What is not: of the head, of one block forward or one block backward.
  let scratch = Arena()
  let attention = TrainingAttention()
  let activations: SavedActivations
  private let tables: RotaryTables

  /// - Parameters:
  ///   - tables: of rotary angles, which workers have in common.
  ///   - activations: how blocks keep what they compute for the backward pass.
  init(tables: RotaryTables = RotaryTables(), activations: SavedActivations = .exact) {
    self.tables = tables
    self.activations = activations
  }

  /// The angles of every position of a batch.
  func rotary(_ block: Block, _ rows: RowPlan) -> RotaryTable {
    let table = tables.table(block.configuration, positions: rows.positionCount)
    table.cover(rows.positionCount)
    return table
  }

  /// The sum of the losses of the batch's targets, in nats.
  ///
  /// - Parameters:
  ///   - teacher: whose distribution is to be met, besides the targets.
  ///   - gradients: where ∂(lossScale · Σ loss)/∂θ is added for each trainable θ; `nil` to only measure.
  ///   - reach: hears of each point of the backward pass (`Network.parametersByPoint`), behind which nothing is added to
  ///     the gradients of its parameters.
  ///   - losses: if given, receives the loss of each target in order of rows.
  func run(
    _ network: Network, batch: PackedBatch, teacher: Teacher? = nil, lossScale: Float, gradients: GradientBuffer?,
    reach: (Int) -> Void = { _ in }, losses: ((Float) -> Void)? = nil
  ) -> Double {
    if batch.rows == 0 { return 0 }
    arena.reset()
    scratch.reset()
    if let side = network.side {
      precondition(teacher == nil, "a side network learns the replies alone")
      switch side {
      case .ladder(let side):
        return runLadder(network, side, batch: batch, lossScale: lossScale, gradients: gradients, losses: losses)
      case .parallel(let side):
        return runParallel(network, side, batch: batch, lossScale: lossScale, gradients: gradients, losses: losses)
      }
    }
    precondition(
      teacher.map { $0.network.vocabularySize == network.vocabularySize } ?? true, "a teacher of another vocabulary")
    let taughtBatch = batch
    let (batch, rows) = Self.plan(network, batch)
    var stream = embed(network, rows)
    let shared = teacher?.sharedStages ?? 0
    let firstKept = gradients == nil ? network.stages.count : network.firstTrainedStage
    precondition(shared <= network.firstTrainedStage, "a teacher that shares what is trained")
    stream = advance(network.stages[..<shared], stream, rows)
    let lesson = teacher.map { teacher in
      let rows = shared > 0 ? rows : Self.plan(teacher.network, taughtBatch).rows
      let start = shared > 0 ? stream : embed(teacher.network, rows)
      return Lesson(teacher, rows, stream: advance(teacher.network.stages[shared...], start, rows))
    }
    stream = advance(network.stages[shared..<firstKept], stream, rows)

    var kept: [Kept] = []
    for stage in network.stages[firstKept...] {
      switch stage {
      case .block(let block):
        let one = keeping(block, stream, rows)
        stream = one.out
        kept.append(.block(block, one.kept))
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

    reach(0)
    var flowing = gradient
    for (index, item) in kept.enumerated().reversed() {
      // Nothing before the first trained stage has a use for its gradient, but an embedding that is trained.
      let isNeeded = index > 0 || network.trainsInput
      switch item {
      case .block(let block, let activations):
        backward(block, activations, rows, gradient: flowing, needsInput: isNeeded, gradients)
      case .stitch(let layer, let input, let reduced):
        let below = isNeeded ? arena.matrix(batch.rows, layer.inputSize) : nil
        backward(layer, x: input, reduced: reduced, dy: flowing, dx: below, accumulate: false, gradients)
        if let below { flowing = below }
      }
      reach(kept.count - index)
    }
    if let prompt = network.prompt, network.trainsInput { backward(prompt, flowing, rows, gradients) }
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
    /// What it reads: the student's tokens.
    let rows: RowPlan
    /// Its stream after the last stage, [N × d].
    let stream: MatrixView

    init(_ teacher: Teacher, _ rows: RowPlan, stream: MatrixView) {
      self.teacher = teacher
      self.rows = rows
      self.stream = stream
    }
  }

  /// What a network reads of a batch, with the rows of its prompt.
  private static func plan(_ network: Network, _ batch: PackedBatch) -> (batch: PackedBatch, rows: RowPlan) {
    let batch = network.prompt.map { batch.preceded(by: $0.length) } ?? batch
    // The rows of a prompt have positions; a prefix is no rows.
    return (batch, RowPlan(batch, offset: network.prompt == nil ? network.virtualTokens : 0))
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
    case block(Block, KeptBlock)
    case stitch(Projection, input: MatrixView, reduced: Reduced)
  }
}

import Support

/// A shallower anchor out of one: some of its blocks left out for good, the same width, a plain LLaMA again.
///
/// A LLaMA has no place for a stitching layer *y = W x + b* on the hidden state between two blocks. What it has a place for is a
/// linear map of what the MLP before it adds to the hidden state: *W* times the weights of its last projection, exactly. So
/// that map is fitted instead (ReplaceMe: Shopkhoev et al. 2025, arXiv 2505.02819): *h + W m + b ≈ h′*, *m* being what that MLP
/// adds, *h* the state before that, *h′* the state behind the blocks that are left out. Other than in the paper there is
/// an intercept, which becomes a bias of the MLP, a token counts 1/rms(*m*), and the ridge pulls *W* to the identity, as it does
/// for the layers of self-routes.
public struct ShrunkAnchor {
  public enum Method: String, Sendable, CaseIterable {
    /// A linear map in place of the blocks, in the MLP before them.
    case fold
    /// Nothing in their place.
    case drop
  }

  public let model: LlamaModel
  /// What is left of each map's error, Σ w·|h + W m + b − h′|² / Σ w·|h′ − h|², in order of the spans; empty for `drop`.
  public let residuals: [Double]

  /// - Parameters:
  ///   - spans: the blocks to leave out, never the first or the last.
  ///   - batches: text to fit maps on.
  /// - Throws: `AnchorSizeError`, `ComputeError`.
  public init(
    _ anchor: LlamaModel, without spans: [Range<Int>], method: Method, batches: [PackedBatch], ridge: Double = 1e-4,
    pool: ComputePool
  ) throws {
    let depth = anchor.blocks.count
    guard depth > 2 else { throw AnchorSizeError.tooShallow(depth, needed: 3) }
    let spans = spans.sorted { $0.lowerBound < $1.lowerBound }
    for (index, span) in spans.enumerated() {
      let before = index == 0 ? 1 : spans[index - 1].upperBound
      guard !span.isEmpty, span.lowerBound >= before, span.upperBound < depth else {
        throw AnchorSizeError.span("\(span.lowerBound)-\(span.upperBound - 1)", depth: depth)
      }
    }
    let left = anchor.blocks.indices.filter { block in !spans.contains { $0.contains(block) } }
    guard method == .fold else {
      model = anchor.with(blocks: left.map { anchor.blocks[$0] })
      residuals = []
      return
    }
    try LinearAlgebra.load()
    let states = SpanStates(anchor.preparedForTraining, batches, spans: spans, pool: pool)
    let full = anchor.withMLPBiases()
    var blocks = full.blocks
    var residuals: [Double] = []
    for (index, span) in spans.enumerated() {
      let fit = ExitFit(x: states.added[index], ridge: ridge)
      guard let layer = fit.layers([states.missing[index]])[0] else {
        throw AnchorSizeError.notANumber("the map in place of blocks \(span.lowerBound)-\(span.upperBound - 1)")
      }
      residuals.append(layer.residual)
      let place = span.lowerBound - 1
      blocks[place].mlp.down = blocks[place].mlp.down.followed(by: layer.projection)
    }
    self.residuals = residuals
    model = full.with(blocks: left.map { blocks[$0] })
  }

  /// The blocks to leave out where nobody says which: those that change the hidden state least.
  /// - Parameter count: how many to leave out, two less than there are at most.
  /// - Returns: for `drop` the blocks of least influence (ShortGPT), for `fold` the consecutive ones before and behind which
  ///   states have the largest cosine, as ReplaceMe has it.
  /// - Throws: `AnchorSizeError`.
  public static func spans(
    _ anchor: LlamaModel, leavingOut count: Int, method: Method, batches: [PackedBatch], pool: ComputePool
  ) throws -> [Range<Int>] {
    let depth = anchor.blocks.count
    guard depth > 2 else { throw AnchorSizeError.tooShallow(depth, needed: 3) }
    guard (1...depth - 2).contains(count) else {
      throw AnchorSizeError.blocks(depth - count, of: depth, possible: 2...depth - 1)
    }
    try LinearAlgebra.load()
    let prepared = anchor.preparedForTraining
    switch method {
    case .drop:
      return BlockInfluence(prepared, batches, pool: pool).route(dropping: count, anchor: 0).leftOut
    case .fold:
      let cosines = SpanStates.cosines(prepared, batches, length: count, pool: pool)
      let best = cosines.indices.max { (cosines[$0], -$0) < (cosines[$1], -$1) }!
      return [best + 1..<best + 1 + count]
    }
  }
}

extension Route {
  /// Whether it is one anchor without some of its blocks.
  public var isWithin: Bool {
    !isAnchor && Set(segments.map(\.anchor)).count == 1
      && zip(segments, segments.dropFirst()).allSatisfy { $0.blocks.upperBound < $1.blocks.lowerBound }
  }
}

extension Projection {
  /// One projection after which another map comes, as one: `W (V x + a) + b`. Both without deltas.
  fileprivate func followed(by map: Projection) -> Projection {
    let (outputs, inputs) = (map.outputSize, inputSize)
    let first = FloatBuffer(weight.floats()).matrix(rows: outputSize, columns: inputs)
    let second = FloatBuffer(map.weight.floats()).matrix(rows: outputs, columns: outputSize)
    let product = FloatBuffer(count: outputs * inputs).matrix(rows: outputs, columns: inputs)
    LinearAlgebra.multiply(second, first, into: product)
    let bias = FloatBuffer(map.bias?.values.array ?? [Float](repeating: 0, count: outputs)).vector
    if let own = self.bias {
      for row in 0..<outputs { bias[row] += Float(TrainingKernels.dot(second.row(row), own.values)) }
    }
    return Projection(weight: WeightMatrix(product), bias: WeightVector(bias))
  }
}

/// What an anchor computes around spans of its blocks.
private struct SpanStates {
  /// What the MLP before each span adds to the hidden state, `[N × d]`.
  let added: [MatrixView]
  /// What it would have to add for the state behind the span, `[N × d]`.
  let missing: [MatrixView]

  /// - Parameter anchor: prepared for training.
  init(_ anchor: LlamaModel, _ batches: [PackedBatch], spans: [Range<Int>], pool: ComputePool) {
    let width = anchor.configuration.hiddenSize
    let rows = batches.reduce(0) { $0 + $1.rows }
    let added = spans.map { _ in FloatBuffer(count: rows * width).matrix(rows: rows, columns: width) }
    let missing = spans.map { _ in FloatBuffer(count: rows * width).matrix(rows: rows, columns: width) }
    // The same, whose MLPs before spans add nothing.
    var blocks = anchor.blocks
    for span in spans { blocks[span.lowerBound - 1].mlp.down = .nothing(like: blocks[span.lowerBound - 1].mlp.down) }
    let muted = LlamaModel(
      configuration: anchor.configuration, embedding: anchor.embedding, blocks: blocks, finalNorm: anchor.finalNorm,
      head: anchor.head)
    let starts = batches.indices.map { index in batches[..<index].reduce(0) { $0 + $1.rows } }
    let last = spans.map(\.upperBound).max() ?? 0
    let passes = PassPool()
    pool.run(parts: batches.count) { part in
      let batch = batches[part]
      let range = starts[part]..<starts[part] + batch.rows
      passes.lend { worker in
        let before = spans.map { _ in worker.scratch.matrix(batch.rows, width) }
        worker.pass.hiddenStates(anchor, batch: batch, from: nil, to: last) { depth, state in
          for (index, span) in spans.enumerated() {
            if depth == span.lowerBound - 1 { before[index].dense.copy(from: state.dense) }
            if depth == span.lowerBound { added[index].rows(range).dense.copy(from: state.dense) }
            if depth == span.upperBound { missing[index].rows(range).dense.copy(from: state.dense) }
          }
        }
        for (index, span) in spans.enumerated() {
          let place = span.lowerBound - 1
          worker.pass.hiddenStates(muted, batch: batch, from: (place, before[index]), to: place + 1) { depth, state in
            guard depth == place + 1 else { return }
            TrainingKernels.addScaled(state, by: -1, to: added[index].rows(range))
            TrainingKernels.addScaled(state, by: -1, to: missing[index].rows(range))
          }
        }
      }
    }
    (self.added, self.missing) = (added, missing)
  }

  /// The mean cosine of the states before and behind each run of so many blocks, by the number of the block before it.
  static func cosines(_ anchor: LlamaModel, _ batches: [PackedBatch], length: Int, pool: ComputePool) -> [Double] {
    let (depth, width) = (anchor.blocks.count, anchor.configuration.hiddenSize)
    let places = depth - 1 - length
    let passes = PassPool()
    let sums = Slots(count: batches.count * places)
    pool.run(parts: batches.count) { part in
      passes.lend { worker in
        let states = (1..<depth).map { _ in worker.scratch.matrix(batches[part].rows, width) }
        worker.pass.hiddenStates(anchor, batch: batches[part], from: nil, to: depth - 1) { blocks, state in
          if blocks > 0 { states[blocks - 1].dense.copy(from: state.dense) }
        }
        for place in 0..<places {
          sums[part * places + place] = BlockInfluence.cosines(states[place], states[place + length])
        }
      }
    }
    let rows = Double(max(1, batches.reduce(0) { $0 + $1.rows }))
    return (0..<places).map { place in batches.indices.reduce(0) { $0 + sums[$1 * places + place] } / rows }
  }
}

extension Projection {
  /// One of the same shape whose output is zero.
  fileprivate static func nothing(like other: Projection) -> Projection {
    Projection(
      weight: WeightMatrix(
        FloatBuffer(count: other.weight.elementCount).matrix(rows: other.outputSize, columns: other.inputSize)))
  }
}

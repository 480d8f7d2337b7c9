/// How far a route is from its anchor whole, on held-out text.
///
/// The anchor's states after every block and its probabilities are computed once; a route is computed from its first
/// stitching layer on.
///
/// `@unchecked Sendable`: parts are filled in before `init` returns, each by one part of a job, and only read afterwards.
package final class RouteJudge: @unchecked Sendable {
  /// What a route loses.
  package struct Verdict: Sendable, Equatable {
    /// KL(anchor ‖ route), the mean over positions, in nats.
    package var divergence: Double
    /// The share of positions where the most likely token is the same.
    package var agreement: Double
  }

  /// A route within the anchor, with its layers.
  package struct Candidate: Sendable {
    package var spans: [Range<Int>]
    package var layers: [Projection]

    package init(spans: [Range<Int>], layers: [Projection]) {
      precondition(spans.count == layers.count && !spans.isEmpty)
      self.spans = spans
      self.layers = layers
    }
  }

  /// Some of the text.
  private struct Part {
    let batch: PackedBatch
    /// After 0 … depth blocks, `[rows × d]`
    var states: [MatrixView] = []
    /// Rows that count: all but the first of each sequence.
    let counted: [Int]
    /// Of the anchor, of each counted row.
    let distributions: KeptDistributions
  }

  package let anchor: LlamaModel
  private var parts: [Part]
  private let passes: PassPool
  private let pool: ComputePool
  /// Floats of logits at a time.
  private static let logitsLength = 8 << 20

  /// - Parameter batches: of the held-out text, for each a part of a job.
  package convenience init(_ anchor: LlamaModel, _ batches: [PackedBatch], pool: ComputePool) {
    self.init(anchor, batches, passes: PassPool(), pool: pool)
  }

  init(_ anchor: LlamaModel, _ batches: [PackedBatch], passes: PassPool, pool: ComputePool) {
    self.anchor = anchor
    self.passes = passes
    self.pool = pool
    let vocabulary = anchor.head.outputSize
    parts = batches.map { batch in
      let starts = Set(batch.starts)
      let counted = (0..<batch.rows).filter { !starts.contains($0) }
      return Part(
        batch: batch, counted: counted,
        distributions: KeptDistributions(rows: counted.count, vocabulary: vocabulary))
    }
    let filled = Results<Part>(count: parts.count)
    pool.run(parts: parts.count) { [self] index in
      filled[index] = passes.lend { fill(parts[index], $0) }
    }
    parts = (0..<parts.count).map { filled[$0]! }
  }

  /// How many positions count in the first `parts` parts, or all.
  package func positions(ofFirst count: Int? = nil) -> Int {
    parts.prefix(count ?? parts.count).reduce(0) { $0 + $1.counted.count }
  }

  /// How many of the first parts have about so many tokens.
  func parts(of tokens: Int) -> Int {
    var rows = 0
    for (index, part) in parts.enumerated() {
      rows += part.batch.rows
      if rows >= tokens { return index + 1 }
    }
    return parts.count
  }

  /// Measures routes, on the first `count` parts or all.
  package func measure(_ candidates: [Candidate], onFirst count: Int? = nil) -> [Verdict] {
    let used = min(count ?? parts.count, parts.count)
    let (divergences, agreements) = (
      Slots(count: candidates.count * used), Slots(count: candidates.count * used)
    )
    pool.run(parts: candidates.count * used) { [self] job in
      let sums = passes.lend { compare(candidates[job / used], on: parts[job % used], $0) }
      (divergences[job], agreements[job]) = (sums.divergence, Double(sums.agreeing))
    }
    let positions = Double(max(1, positions(ofFirst: used)))
    return candidates.indices.map { candidate in
      let jobs = candidate * used..<(candidate + 1) * used
      return Verdict(
        divergence: jobs.reduce(0) { $0 + divergences[$1] } / positions,
        agreement: jobs.reduce(0) { $0 + agreements[$1] } / positions)
    }
  }

  // MARK: One part

  private func fill(_ part: Part, _ worker: PassPool.Worker) -> Part {
    var part = part
    let (rows, width) = (part.batch.rows, anchor.configuration.hiddenSize)
    worker.pass.hiddenStates(anchor, batch: part.batch, from: nil, to: anchor.blocks.count) {
      _, state in
      let copy = FloatBuffer(count: rows * width).matrix(rows: rows, columns: width)
      copy.dense.copy(from: state.dense)
      part.states.append(copy)
    }
    forEachLogits(of: part.states[anchor.blocks.count], part.counted, worker) { part.distributions.keep($1, at: $0) }
    return part
  }

  private func compare(
    _ candidate: Candidate, on part: Part, _ worker: PassPool.Worker
  ) -> (divergence: Double, agreeing: Int) {
    let (rows, width) = (part.batch.rows, anchor.configuration.hiddenSize)
    let (state, crossed) = (worker.scratch.matrix(rows, width), worker.scratch.matrix(rows, width))
    state.dense.copy(from: part.states[candidate.spans[0].lowerBound].dense)
    for (index, (span, layer)) in zip(candidate.spans, candidate.layers).enumerated() {
      layer.weight.multiply(state, into: crossed, scratch: worker.scratch)
      if let bias = layer.bias { TrainingKernels.addBias(bias.values, to: crossed) }
      let next =
        index + 1 < candidate.spans.count
        ? candidate.spans[index + 1].lowerBound : anchor.blocks.count
      worker.pass.hiddenStates(
        anchor, batch: part.batch, from: (span.upperBound, crossed), to: next
      ) {
        depth, visited in
        if depth == next { state.dense.copy(from: visited.dense) }
      }
    }
    var (divergence, agreeing) = (0.0, 0)
    forEachLogits(of: state, part.counted, worker) { place, logits in
      let difference = part.distributions.compare(logits, at: place)
      divergence += difference.divergence
      if difference.agrees { agreeing += 1 }
    }
    return (divergence, agreeing)
  }

  /// Visits the logits `[vocabulary]` of some rows of the last block's state, some rows at a time.
  private func forEachLogits(
    of state: MatrixView, _ rows: [Int], _ worker: PassPool.Worker,
    _ visit: (Int, VectorView) -> Void
  ) {
    let vocabulary = anchor.head.outputSize
    let atOnce = max(1, min(rows.count, Self.logitsLength / max(1, vocabulary)))
    let mark = worker.scratch.mark
    let (normed, inverse) = (
      worker.scratch.matrix(state.rows, state.columns), worker.scratch.vector(state.rows)
    )
    TrainingKernels.rmsNorm(
      state, weight: anchor.finalNorm.values, epsilon: anchor.configuration.normEpsilon,
      into: normed,
      inverseRMS: inverse)
    let (some, logits) = (
      worker.scratch.matrix(atOnce, state.columns), worker.scratch.matrix(atOnce, vocabulary)
    )
    for start in stride(from: 0, to: rows.count, by: atOnce) {
      let chunk = start..<min(start + atOnce, rows.count)
      for (place, row) in rows[chunk].enumerated() { some.row(place).copy(from: normed.row(row)) }
      let found = logits.rows(0..<chunk.count)
      anchor.head.weight.multiply(some.rows(0..<chunk.count), into: found, scratch: worker.scratch)
      if let bias = anchor.head.bias { TrainingKernels.addBias(bias.values, to: found) }
      for place in chunk { visit(place, found.row(place - start)) }
    }
    worker.scratch.release(to: mark)
  }
}

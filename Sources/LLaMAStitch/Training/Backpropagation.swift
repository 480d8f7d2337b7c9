import Support

/// Takes steps by backpropagation: cuts a batch into parts, divides them between processes and threads, adds their
/// gradients up in a fixed order, clips, and updates by AdamW.
///
/// The parts depend on the batches alone, and the order in which their gradients are added on the number of parts
/// (`SumTree`): the same batches give the same bytes, however many threads and processes there are.
public final class Backpropagation: StepRule {
  public let store: ParameterStore
  private let pool: ComputePool
  private let communicator: any Communicator
  private let passes: [TrainingPass]
  private let sum: GradientSum
  private let optimizer: AdamW

  /// - Parameters:
  ///   - holdsStart: keep a copy of the values as they are now, for the start decay of the optimiser.
  ///   - activations: how blocks keep what they compute for the backward pass.
  public init(
    store: ParameterStore, pool: ComputePool, communicator: any Communicator = SingleProcess(),
    holdsStart: Bool = false, activations: SavedActivations = .exact
  ) throws(ComputeError) {
    try LinearAlgebra.load()
    self.store = store
    self.pool = pool
    self.communicator = communicator
    let tables = RotaryTables()
    passes = (0..<pool.threads).map { _ in TrainingPass(tables: tables, activations: activations) }
    sum = GradientSum(of: store, pool: pool, communicator: communicator)
    optimizer = AdamW(store, holdsStart: holdsStart)
  }

  public func step(
    _ network: Network, _ microBatches: [PackedBatch], teacher: Teacher?, optimizer settings: OptimizerSettings,
    learningRate: Float, number: Int, gate: () -> Void
  ) -> StepResult {
    let active = network.parameters
    let slices = store.slices(of: active)
    let (loss, targets, gradient) = accumulate(network, microBatches, teacher, slices: slices, gate: gate)
    let (squares, products) = measure(gradient, slices)
    let norm = squares.squareRoot()
    let scale = settings.clip > 0 && norm > Double(settings.clip) ? Float(Double(settings.clip) / norm) : 1
    if norm.isFinite {
      optimizer.update(
        active, slices, gradient: gradient, settings: settings, learningRate: learningRate, gradientScale: scale,
        pool: pool)
    }
    return StepResult(
      loss: loss / Double(max(1, targets)), targets: targets, tokens: microBatches.reduce(0) { $0 + $1.rows },
      gradientNorm: norm,
      sensitivity: products / Double(max(1, active.reduce(0) { $0 + store.parameters[$1].count })))
  }

  /// Bytes that the threads have needed so far for what they keep for a backward pass and for what they do not.
  package var passBytes: Int { passes.reduce(0) { $0 + $1.arena.byteCount + $1.scratch.byteCount } }

  /// The loss and the gradient of every parameter, by name, with nothing changed.
  package func gradients(
    _ network: Network, _ batch: PackedBatch, teacher: Teacher? = nil
  ) -> (loss: Double, gradients: [String: [Float]]) {
    let active = network.parameters
    let slices = store.slices(of: active)
    let (loss, targets, gradient) = accumulate(network, [batch], teacher, slices: slices, gate: {})
    var named: [String: [Float]] = [:]
    for index in active { named[store.parameters[index].name] = gradient.vector(index).array }
    return (loss / Double(max(1, targets)), named)
  }

  public func loss(_ network: Network, _ batch: PackedBatch, teacher: Teacher?) -> Double {
    let losses = run(batch.parts) { parts, losses, _, _ in
      run(parts: parts.count) { part, pass in
        losses[part] = pass.run(network, batch: parts[part], teacher: teacher, lossScale: 1, gradients: nil)
      }
    }
    return communicator.gather(losses).reduce(0, +) / Double(max(1, batch.targetCount))
  }

  // MARK: Parts of a step

  /// Gradient accumulation: this process's parts, as many at a time as there are threads. What is final of the last of them
  /// travels to the other processes while their backward pass goes on.
  /// - Returns: the sum of the losses, the number of targets, and the sum of the gradients, of all processes.
  private func accumulate(
    _ network: Network, _ microBatches: [PackedBatch], _ teacher: Teacher?, slices: [Range<Int>], gate: () -> Void
  ) -> (loss: Double, targets: Int, gradient: GradientBuffer) {
    let targets = microBatches.reduce(0) { $0 + $1.targetCount }
    let scale = 1 / Float(max(1, targets))
    let parts = microBatches.flatMap(\.parts)
    let points = communicator.count == 1 ? [] : network.parametersByPoint.map(store.slices)
    sum.begin(parts: parts.count)
    let losses = run(parts) { parts, losses, first, isLast in
      gate()
      let gradients = sum.buffers(parts.count, slices: slices)
      let travel = isLast && communicator.count > 1 ? sum.travel(gradients, ofPartsFrom: first, points: points) : nil
      run(parts: parts.count) { part, pass in
        losses[part] = pass.run(
          network, batch: parts[part], teacher: teacher, lossScale: scale, gradients: gradients[part],
          reach: { travel?.reach($0, part: part) })
      }
      if travel == nil { sum.add(gradients, ofPartsFrom: first, slices: slices) }
    }
    let gradient = sum.finish(points)
    return (communicator.gather(losses).reduce(0, +), targets, gradient)
  }

  /// Has this process's share of a batch's parts computed, as many at a time as there are threads.
  /// - Parameter round: computes some parts, writes their losses, and is told which the first of them is, and whether they
  ///   are the last.
  /// - Returns: the losses of this process's parts, in order.
  private func run(
    _ parts: [PackedBatch], round: ([PackedBatch], Slots, _ first: Int, _ isLast: Bool) -> Void
  ) -> [Double] {
    let own = communicator.share(of: parts.count)
    var losses: [Double] = []
    for first in stride(from: own.lowerBound, to: own.upperBound, by: passes.count) {
      let end = min(first + passes.count, own.upperBound)
      let slots = Slots(count: end - first)
      round(Array(parts[first..<end]), slots, first, end == own.upperBound)
      losses += (first..<end).map { slots[$0 - first] }
    }
    return losses
  }

  /// Σ g² and Σ |θ·g|.
  private func measure(_ gradient: GradientBuffer, _ slices: [Range<Int>]) -> (squares: Double, products: Double) {
    let squares = Slots(count: slices.count)
    let products = Slots(count: slices.count)
    let values = store.values
    sum.each(slices) { index, slice in
      let part = gradient.vector(slice)
      squares[index] = TrainingKernels.sumOfSquares(part)
      products[index] = TrainingKernels.sumOfAbsoluteProducts(
        part, values.vector(offset: slice.lowerBound, count: slice.count))
    }
    return (squares.sum, products.sum)
  }

  private func run(parts: Int, _ body: @escaping @Sendable (Int, TrainingPass) -> Void) {
    let passes = PassList(passes)
    pool.run(parts: parts) { part in body(part, passes[part]) }
  }
}

/// A pass for each part.
///
/// `@unchecked Sendable`: `ComputePool.run` gives each part, and so each pass, to one thread at a time.
private struct PassList: @unchecked Sendable {
  private let passes: [TrainingPass]
  init(_ passes: [TrainingPass]) { self.passes = passes }
  subscript(part: Int) -> TrainingPass { passes[part] }
}

import Support

/// Takes steps by backpropagation: divides a batch between workers, adds their gradients up in a fixed order, clips, and
/// updates by AdamW.
///
/// The division depends on the number of workers and not on how many threads happen to run, so at a fixed number of
/// workers the same batches give the same bytes.
public final class Backpropagation: StepRule {
  public let store: ParameterStore
  private let pool: ComputePool
  private let communicator: any Communicator
  private let passes: [TrainingPass]
  private let gradients: [GradientBuffer]
  private let optimizer: AdamW

  /// - Parameter holdsStart: keep a copy of the values as they are now, for the start decay of the optimiser.
  public init(
    store: ParameterStore, pool: ComputePool, communicator: any Communicator = SingleProcess(), holdsStart: Bool = false
  ) throws(ComputeError) {
    try LinearAlgebra.load()
    self.store = store
    self.pool = pool
    self.communicator = communicator
    let tables = RotaryTables()
    passes = (0..<pool.threads).map { _ in TrainingPass(tables: tables) }
    gradients = (0..<pool.threads).map { _ in GradientBuffer(of: store) }
    optimizer = AdamW(store, holdsStart: holdsStart)
  }

  public func step(
    _ network: Network, _ microBatches: [PackedBatch], teacher: Teacher?, optimizer settings: OptimizerSettings,
    learningRate: Float, gate: () -> Void
  ) -> StepResult {
    let active = network.parameters
    let slices = store.slices(of: active)
    let (loss, targets) = accumulate(network, microBatches, teacher, slices: slices, gate: gate)
    let (squares, products) = reduce(slices)
    let norm = squares.squareRoot()
    let scale = settings.clip > 0 && norm > Double(settings.clip) ? Float(Double(settings.clip) / norm) : 1
    if norm.isFinite {
      optimizer.update(
        active, slices, gradient: gradients[0], settings: settings, learningRate: learningRate, gradientScale: scale,
        pool: pool)
    }
    return StepResult(
      loss: loss / Double(max(1, targets)), targets: targets, tokens: microBatches.reduce(0) { $0 + $1.rows },
      gradientNorm: norm,
      sensitivity: products / Double(max(1, active.reduce(0) { $0 + store.parameters[$1].count })))
  }

  /// The loss and the gradient of every parameter, by name, with nothing changed.
  package func gradients(
    _ network: Network, _ batch: PackedBatch, teacher: Teacher? = nil
  ) -> (loss: Double, gradients: [String: [Float]]) {
    let active = network.parameters
    let slices = store.slices(of: active)
    let (loss, targets) = accumulate(network, [batch], teacher, slices: slices, gate: {})
    _ = reduce(slices)
    var named: [String: [Float]] = [:]
    for index in active { named[store.parameters[index].name] = gradients[0].vector(index).array }
    return (loss / Double(max(1, targets)), named)
  }

  public func loss(_ network: Network, _ batch: PackedBatch, teacher: Teacher?) -> Double {
    let parts = batch.divided(into: passes.count)
    let sums = Slots(count: parts.count)
    run(parts: parts.count) { part, pass in
      sums[part] = pass.run(network, batch: parts[part], teacher: teacher, lossScale: 1, gradients: nil)
    }
    return sums.sum / Double(max(1, batch.targetCount))
  }

  // MARK: Parts of a step

  /// Gradient accumulation: this process's micro-batches, one after another, each divided between the workers.
  /// - Returns: the sum of the losses, and the number of targets, of all processes.
  private func accumulate(
    _ network: Network, _ microBatches: [PackedBatch], _ teacher: Teacher?, slices: [Range<Int>], gate: () -> Void
  ) -> (loss: Double, targets: Int) {
    let targets = microBatches.reduce(0) { $0 + $1.targetCount }
    let scale = 1 / Float(max(1, targets))
    let gradients = gradients
    run(parts: gradients.count) { part, _ in
      for slice in slices { gradients[part].floats.vector(offset: slice.lowerBound, count: slice.count).fill(0) }
    }
    var loss = 0.0
    for index in stride(from: communicator.rank, to: microBatches.count, by: communicator.count) {
      gate()
      let parts = microBatches[index].divided(into: gradients.count)
      let sums = Slots(count: parts.count)
      run(parts: parts.count) { part, pass in
        sums[part] = pass.run(
          network, batch: parts[part], teacher: teacher, lossScale: scale, gradients: gradients[part])
      }
      loss += sums.sum
    }
    return (communicator.sum(loss), targets)
  }

  /// Adds all workers' gradients to the first worker's, and those of all processes. Returns Σ g² and Σ |θ·g|.
  private func reduce(_ slices: [Range<Int>]) -> (squares: Double, products: Double) {
    let squares = Slots(count: slices.count)
    let products = Slots(count: slices.count)
    let gradients = gradients
    let values = store.values
    let parts = pool.threads
    func each(_ body: @escaping @Sendable (Int, VectorView) -> Void) {
      run(parts: parts) { part, _ in
        for index in stride(from: part, to: slices.count, by: parts) {
          body(index, gradients[0].floats.vector(offset: slices[index].lowerBound, count: slices[index].count))
        }
      }
    }
    @Sendable func addWorkers(_ index: Int, _ sum: VectorView) {
      for other in gradients.dropFirst() {
        TrainingKernels.add(other.floats.vector(offset: slices[index].lowerBound, count: sum.count), to: sum)
      }
    }
    @Sendable func measure(_ index: Int, _ sum: VectorView) {
      squares[index] = TrainingKernels.sumOfSquares(sum)
      products[index] = TrainingKernels.sumOfAbsoluteProducts(
        sum, values.vector(offset: slices[index].lowerBound, count: sum.count))
    }
    if communicator.count == 1 {
      each { index, sum in
        addWorkers(index, sum)
        measure(index, sum)
      }
    } else {
      each(addWorkers)
      for slice in slices {
        communicator.sum(gradients[0].floats.vector(offset: slice.lowerBound, count: slice.count))
      }
      each(measure)
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

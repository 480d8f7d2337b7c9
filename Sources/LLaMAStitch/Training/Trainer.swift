import Foundation

/// What one step did.
public struct StepResult: Sendable, Equatable {
  /// Mean loss of the step's targets, nats per token, before the update.
  public var loss: Double
  public var targets: Int
  /// Tokens that went through the network.
  public var tokens: Int
  /// Norm of the gradient before clipping.
  public var gradientNorm: Double
  /// mean |θ ⊙ ∂L/∂θ| over the parameters used, before the update (after Lee et al. 2019).
  public var sensitivity: Double
}

/// Takes optimiser steps: divides a batch between workers, adds their gradients up in a fixed order, clips, updates.
///
/// The division depends on `workers` and not on how many threads happen to run, so at a fixed number of workers the
/// same batches give the same bytes.
public final class Trainer {
  public let store: ParameterStore
  private let pool: ComputePool
  private let passes: [TrainingPass]
  private let gradients: [GradientBuffer]
  /// The values before the first step, where they are decayed towards.
  private let start: FloatBuffer?

  /// Floats handled at a time when gradients are summed and applied.
  private static let sliceLength = 32_768

  /// - Parameter holdsStart: keep a copy of the values as they are now, for the start decay of the optimiser.
  public init(store: ParameterStore, pool: ComputePool, holdsStart: Bool = false) throws(ComputeError) {
    try LinearAlgebra.load()
    self.store = store
    self.pool = pool
    passes = (0..<pool.threads).map { _ in TrainingPass() }
    gradients = (0..<pool.threads).map { _ in GradientBuffer(of: store) }
    start = holdsStart ? FloatBuffer(count: store.values.count) : nil
    start?.vector.copy(from: store.values.vector)
  }

  /// One step over `microbatches`, whose gradients are accumulated.
  ///
  /// The loss is the mean over all targets of all microbatches. Only the parameters that `network` uses change.
  /// - Parameter keepGoing: asked between microbatches; `false` abandons the step with nothing changed.
  public func step(
    _ network: TrainingNetwork, _ microbatches: [PackedBatch], settings: OptimizerSettings,
    learningRate: Float, keepGoing: () -> Bool = { true }
  ) -> StepResult? {
    let active = network.parameters
    let slices = Self.slices(of: active.map { store.parameters[$0] })
    guard let (loss, targets) = accumulate(network, microbatches, slices: slices, keepGoing: keepGoing)
    else { return nil }
    let (squares, products) = reduce(slices)
    let norm = squares.squareRoot()
    let scale = settings.clip > 0 && norm > Double(settings.clip) ? Float(Double(settings.clip) / norm) : 1
    let used = active.reduce(0) { $0 + store.parameters[$1].count }
    if norm.isFinite { update(active, slices, settings: settings, learningRate: learningRate, scale: scale) }
    return StepResult(
      loss: loss / Double(max(1, targets)), targets: targets,
      tokens: microbatches.reduce(0) { $0 + $1.rows }, gradientNorm: norm,
      sensitivity: products / Double(max(1, used)))
  }

  /// The loss and the gradient of every parameter, by name, with nothing changed.
  package func gradients(
    _ network: TrainingNetwork, _ batch: PackedBatch
  ) -> (loss: Double, gradients: [String: [Float]]) {
    let active = network.parameters
    let slices = Self.slices(of: active.map { store.parameters[$0] })
    let (loss, targets) = accumulate(network, [batch], slices: slices, keepGoing: { true })!
    _ = reduce(slices)
    var named: [String: [Float]] = [:]
    for index in active { named[store.parameters[index].name] = gradients[0].vector(index).array }
    return (loss / Double(max(1, targets)), named)
  }

  /// Mean loss of a batch's targets, nats per token.
  public func loss(_ network: TrainingNetwork, _ batch: PackedBatch) -> Double {
    let parts = batch.divided(into: passes.count)
    let sums = Slots(count: parts.count)
    run(parts: parts.count) { part, pass in
      sums[part] = pass.run(network, batch: parts[part], lossScale: 1, gradients: nil)
    }
    return sums.sum / Double(max(1, batch.targetCount))
  }

  // MARK: Parts of a step

  private func accumulate(
    _ network: TrainingNetwork, _ microbatches: [PackedBatch], slices: [Range<Int>],
    keepGoing: () -> Bool
  ) -> (loss: Double, targets: Int)? {
    let targets = microbatches.reduce(0) { $0 + $1.targetCount }
    let scale = 1 / Float(max(1, targets))
    let gradients = gradients
    run(parts: gradients.count) { part, _ in
      for slice in slices { gradients[part].floats.vector(offset: slice.lowerBound, count: slice.count).fill(0) }
    }
    var loss = 0.0
    for batch in microbatches {
      if !keepGoing() { return nil }
      let parts = batch.divided(into: gradients.count)
      let sums = Slots(count: parts.count)
      run(parts: parts.count) { part, pass in
        sums[part] = pass.run(network, batch: parts[part], lossScale: scale, gradients: gradients[part])
      }
      loss += sums.sum
    }
    return (loss, targets)
  }

  /// Adds all workers' gradients to the first worker's. Returns Σ g² and Σ |θ·g|.
  private func reduce(_ slices: [Range<Int>]) -> (squares: Double, products: Double) {
    let squares = Slots(count: slices.count)
    let products = Slots(count: slices.count)
    let gradients = gradients
    let values = store.values
    let parts = pool.threads
    run(parts: parts) { part, _ in
      for index in stride(from: part, to: slices.count, by: parts) {
        let slice = slices[index]
        let sum = gradients[0].floats.vector(offset: slice.lowerBound, count: slice.count)
        for other in gradients.dropFirst() {
          TrainingKernels.add(other.floats.vector(offset: slice.lowerBound, count: slice.count), to: sum)
        }
        squares[index] = TrainingKernels.sumOfSquares(sum)
        products[index] = TrainingKernels.sumOfAbsoluteProducts(
          sum, values.vector(offset: slice.lowerBound, count: slice.count))
      }
    }
    return (squares.sum, products.sum)
  }

  private func update(
    _ active: [Int], _ slices: [Range<Int>], settings: OptimizerSettings, learningRate: Float, scale: Float
  ) {
    struct Correction {
      var range: Range<Int>
      var rate: Float
      var decay: Float
      var first: Float
      var second: Float
    }
    let corrections = active.map { index in
      store.steps[index] += 1
      let parameter = store.parameters[index]
      let step = Double(store.steps[index])
      return Correction(
        range: parameter.range,
        rate: parameter.shape.count == 1 ? learningRate * (settings.vectorRateFactor ?? 1) : learningRate,
        decay: parameter.decays ? settings.weightDecay : 0,
        first: Float(1 - pow(Double(settings.beta1), step)),
        second: Float(1 - pow(Double(settings.beta2), step)))
    }
    let values = store.values
    let first = store.firstMoments
    let second = store.secondMoments
    let gradient = gradients[0].floats
    let start = start
    precondition(settings.startDecay == 0 || start != nil, "a decay to a start that is not held")
    let parts = pool.threads
    run(parts: parts) { part, _ in
      var owner = 0
      for (index, slice) in slices.enumerated() {
        while corrections[owner].range.upperBound <= slice.lowerBound { owner += 1 }
        if index % parts != part { continue }
        let correction = corrections[owner]
        TrainingKernels.adamW(
          values: values.vector(offset: slice.lowerBound, count: slice.count),
          gradient: gradient.vector(offset: slice.lowerBound, count: slice.count),
          firstMoment: first.vector(offset: slice.lowerBound, count: slice.count),
          secondMoment: second.vector(offset: slice.lowerBound, count: slice.count),
          gradientScale: scale, learningRate: correction.rate, beta1: settings.beta1, beta2: settings.beta2,
          epsilon: settings.epsilon, weightDecay: correction.decay,
          start: start?.vector(offset: slice.lowerBound, count: slice.count), startDecay: settings.startDecay,
          correction1: correction.first, correction2: correction.second)
      }
    }
  }

  /// Parameters cut into slices of bounded length, in order; none spans two parameters.
  private static func slices(of parameters: [Parameter]) -> [Range<Int>] {
    parameters.flatMap { parameter in
      stride(from: parameter.range.lowerBound, to: parameter.range.upperBound, by: sliceLength).map {
        $0..<min($0 + sliceLength, parameter.range.upperBound)
      }
    }
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

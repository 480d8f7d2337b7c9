import Foundation

/// AdamW and its learning-rate schedule.
public struct OptimizerSettings: Sendable, Equatable, Codable {
  /// The highest learning rate, reached after warm-up.
  public var learningRate: Float
  /// Steps of linear warm-up.
  public var warmupSteps: Int
  /// The learning rate falls along a cosine to this share of its highest value.
  public var finalShare: Float
  /// Decay of matrices towards zero.
  public var weightDecay: Float
  /// Decay of everything towards its value before the first step (L2-SP, Li et al. 2018, arXiv 1802.01483): what is
  /// learned changes no more than it must, and less is forgotten.
  public var startDecay: Float
  public var beta1: Float
  public var beta2: Float
  public var epsilon: Float
  /// Gradients are scaled down to this global norm; 0 leaves them.
  public var clip: Float
  /// The learning rate of vectors (biases, norms) is multiplied by this; 1 if absent.
  public var vectorRateFactor: Float?
  /// The learning rate of soft prompts is multiplied by this; 1 if absent.
  public var promptRateFactor: Float?

  public init(
    learningRate: Float, warmupSteps: Int = 50, finalShare: Float = 0.1, weightDecay: Float = 0,
    startDecay: Float = 0,
    beta1: Float = 0.9, beta2: Float = 0.95, epsilon: Float = 1e-8, clip: Float = 1,
    vectorRateFactor: Float? = nil
  ) {
    self.learningRate = learningRate
    self.warmupSteps = warmupSteps
    self.finalShare = finalShare
    self.weightDecay = weightDecay
    self.startDecay = startDecay
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.clip = clip
    self.vectorRateFactor = vectorRateFactor
  }

  /// The learning rate of a parameter where that of matrices is `rate`.
  func rate(of parameter: Parameter, _ rate: Float) -> Float {
    if AdapterLayout.isSoftPrompt(parameter.name) { return rate * (promptRateFactor ?? 1) }
    return parameter.shape.count == 1 ? rate * (vectorRateFactor ?? 1) : rate
  }

  /// The learning rate of step `step` (from 0) of `total`.
  public func learningRate(step: Int, total: Int) -> Float {
    if step < warmupSteps { return learningRate * Float(step + 1) / Float(warmupSteps) }
    let progress = Double(step - warmupSteps) / Double(max(1, total - warmupSteps))
    let cosine = Float(0.5 * (1 + cos(Double.pi * min(1, progress))))
    return learningRate * (finalShare + (1 - finalShare) * cosine)
  }
}

/// AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) over a store, a step of a parameter counting only where it was
/// touched.
final class AdamW {
  private let store: ParameterStore
  /// The values before the first step, where they are decayed towards.
  private let start: FloatBuffer?

  /// - Parameter holdsStart: keep a copy of the values as they are now, for the start decay.
  init(_ store: ParameterStore, holdsStart: Bool) {
    self.store = store
    start = holdsStart ? FloatBuffer(count: store.values.count) : nil
    start?.vector.copy(from: store.values.vector)
  }

  private struct Correction {
    var range: Range<Int>
    var rate: Float
    var decay: Float
    var first: Float
    var second: Float
  }

  /// Updates some parameters by their gradient.
  /// - Parameters:
  ///   - active: the parameters, ascending.
  ///   - slices: the same, as `ParameterStore.slices` cuts them.
  ///   - gradientScale: what the gradient is multiplied by.
  func update(
    _ active: [Int], _ slices: [Range<Int>], gradient: GradientBuffer, settings: OptimizerSettings,
    learningRate: Float, gradientScale: Float, pool: ComputePool
  ) {
    let corrections = active.map { index in
      store.steps[index] += 1
      let parameter = store.parameters[index]
      let step = Double(store.steps[index])
      return Correction(
        range: parameter.range,
        rate: settings.rate(of: parameter, learningRate),
        decay: parameter.decays ? settings.weightDecay : 0,
        first: Float(1 - pow(Double(settings.beta1), step)),
        second: Float(1 - pow(Double(settings.beta2), step)))
    }
    let values = store.values
    let first = store.firstMoments
    let second = store.secondMoments
    let gradient = gradient.floats
    let start = start
    precondition(settings.startDecay == 0 || start != nil, "a decay to a start that is not held")
    let parts = pool.threads
    pool.run(parts: parts) { part in
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
          gradientScale: gradientScale, learningRate: correction.rate, beta1: settings.beta1, beta2: settings.beta2,
          epsilon: settings.epsilon, weightDecay: correction.decay,
          start: start?.vector(offset: slice.lowerBound, count: slice.count), startDecay: settings.startDecay,
          correction1: correction.first, correction2: correction.second)
      }
    }
  }
}

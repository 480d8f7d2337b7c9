import Foundation

/// AdamW and the course of its learning rate.
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

  /// The learning rate of step `step` (from 0) of `total`.
  public func learningRate(step: Int, total: Int) -> Float {
    if step < warmupSteps { return learningRate * Float(step + 1) / Float(warmupSteps) }
    let progress = Double(step - warmupSteps) / Double(max(1, total - warmupSteps))
    let cosine = Float(0.5 * (1 + cos(Double.pi * min(1, progress))))
    return learningRate * (finalShare + (1 - finalShare) * cosine)
  }
}

/// How a training step changes the parameters that a network uses. Backpropagation is one rule.
public protocol StepRule: AnyObject {
  /// Takes one step over `microBatches`: their gradients are accumulated, and the loss is the mean over all their targets.
  /// Only the parameters that `network` uses change.
  /// - Parameters:
  ///   - teacher: whose distribution is to be met, besides the targets.
  ///   - optimizer: what turns gradients into updates.
  ///   - number: the step's, from 0: what is random in it depends on that alone.
  ///   - gate: called before each micro-batch; may block, to let something else have the processor.
  func step(
    _ network: Network, _ microBatches: [PackedBatch], teacher: Teacher?, optimizer: OptimizerSettings,
    learningRate: Float, number: Int, gate: () -> Void
  ) -> StepResult

  /// Mean loss of a batch's targets, nats per token, with nothing changed.
  func loss(_ network: Network, _ batch: PackedBatch, teacher: Teacher?) -> Double
}

extension StepRule {
  /// A step without a teacher.
  public func step(
    _ network: Network, _ microBatches: [PackedBatch], optimizer: OptimizerSettings, learningRate: Float,
    number: Int = 0, gate: () -> Void = {}
  ) -> StepResult {
    step(
      network, microBatches, teacher: nil, optimizer: optimizer, learningRate: learningRate, number: number, gate: gate)
  }

  /// The loss without a teacher.
  public func loss(_ network: Network, _ batch: PackedBatch) -> Double { loss(network, batch, teacher: nil) }
}

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

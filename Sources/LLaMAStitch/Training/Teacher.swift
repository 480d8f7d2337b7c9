/// A network that teaches another: distillation (Hinton et al. 2015, arXiv 1503.02531) at temperature 1.
///
/// The loss of a target is `share · KL(teacher ‖ student) + (1 − share) · cross-entropy`.
public struct Teacher: Sendable {
  public let network: Network
  /// Part of the loss that is the divergence from the teacher, 0 to 1.
  public let share: Float
  /// How many of the first stages compute the same in teacher and student, with nothing to train: they run once.
  package let sharedStages: Int

  public init(_ network: Network, share: Float) { self.init(network, share: share, sharedStages: 0) }

  package init(_ network: Network, share: Float, sharedStages: Int) {
    self.network = network
    self.share = share
    self.sharedStages = sharedStages
  }
}

/// A network that teaches another: distillation (Hinton et al. 2015, arXiv 1503.02531).
///
/// It reads the same tokens, each network with what it reads besides; their widths may differ, the vocabulary may not.
public struct Teacher: Sendable {
  /// What the student loses at a target.
  public enum Loss: Sendable, Equatable {
    /// share · KL(teacher ‖ student) + (1 − share) · cross-entropy, at temperature 1; share is 0 to 1.
    case divergence(share: Float)
    /// Cross-entropy + weight · the mean over the vocabulary of (student's logit − teacher's)², as in PANDA (Zhong et al.
    /// 2022, arXiv 2208.10160).
    case logits(weight: Float)
  }

  public let network: Network
  public let loss: Loss
  /// How many of the first stages compute the same in teacher and student, with nothing to train: they run once.
  package let sharedStages: Int

  public init(_ network: Network, share: Float) { self.init(network, .divergence(share: share)) }
  public init(_ network: Network, _ loss: Loss) { self.init(network, loss, sharedStages: 0) }

  package init(_ network: Network, share: Float, sharedStages: Int) {
    self.init(network, .divergence(share: share), sharedStages: sharedStages)
  }

  private init(_ network: Network, _ loss: Loss, sharedStages: Int) {
    self.network = network
    self.loss = loss
    self.sharedStages = sharedStages
  }

  /// What PANDA's teacher counts for, at most `most`: one of no likeness to what is learned, or of less, does not count.
  public static func weight(_ most: Float, similarity: Double) -> Float { most * Float(max(0, similarity)) }

  /// Whether held-out losses are what it makes of them; what only adds to the loss of the replies is not measured.
  var isMeasured: Bool { if case .divergence = loss { true } else { false } }
}

import Foundation
import Support

/// How a family is adapted: the project's own method, and the two it is measured against.
public enum AdaptationMethod: Sendable, Equatable, Codable {
  /// One stage, parameter-efficient, the whole family at once (arXiv 2311.17352).
  case esta
  /// A LoRA for each anchor, trained in turn; no stitches.
  case loraPerAnchor
  /// SN-Net (Pan et al. 2023): every weight of each anchor is fine-tuned by itself for `anchorSteps` of the steps, divided
  /// equally; then everything is trained jointly, with stitching layers fitted anew unless `keepsLayers`. Its third
  /// stage, the evaluation of every stitch, is no training.
  case snNet(anchorSteps: Int, keepsLayers: Bool)

  /// As the command line has it.
  public var name: String {
    switch self {
    case .esta: "esta"
    case .loraPerAnchor: "lora-per-anchor"
    case .snNet: "sn-net"
    }
  }
}

/// What every method of adaptation can do.
public protocol AdaptationTrainer: AnyObject {
  /// Distinct floats trained, over all stitches.
  var parameterCount: Int { get }
  /// Steps done.
  var step: Int { get }
  /// What the run has cost so far, the part before an interruption included.
  var cost: TrainingCost { get }
  /// Loss on held-out examples, by stitch id, nats per token; empty where nothing is held out.
  /// - Parameter all: of all stitches instead of the anchors alone.
  func heldOutLosses(all: Bool) -> [String: Double]

  /// Trains until all steps are done or the listener stops it. Resumes from `checkpoint` if it exists.
  /// - Parameters:
  ///   - interval: steps between checkpoints.
  ///   - measuring: when to measure what on held-out examples.
  ///   - gate: called before each part of a step; may block, to let something else have the processor.
  /// - Returns: whether all steps are done.
  /// - Throws: `TrainingError`, `FileError`, `SafetensorsError`, and what the listener throws.
  func run(
    checkpoint: URL?, interval: Int, measuring: HeldOutMeasuring, gate: () -> Void,
    listener: (FamilyTrainer.Progress) throws -> FamilyTrainer.Control
  ) throws -> Bool
}

/// What is measured on held-out examples during training.
public struct HeldOutMeasuring: Sendable {
  /// Steps between measurements; the last step is always measured.
  public var interval: Int
  /// Every stitch, not the anchors alone.
  public var measuresStitches: Bool
  /// Steps between measurements of every stitch that is trained, besides; `nil`: none.
  public var trainedInterval: Int?

  public init(interval: Int = 100, measuresStitches: Bool = false, trainedInterval: Int? = nil) {
    self.interval = interval
    self.measuresStitches = measuresStitches
    self.trainedInterval = trainedInterval
  }
}

import Foundation
import Support

/// How a family is adapted.
public struct AdaptationSettings: Sendable, Equatable, Codable {
  public var method: AdaptationMethod
  /// Which stitches `esta` trains.
  public var stitches: TrainedStitches
  public var steps: Int
  /// Tokens of a step, about.
  public var tokensPerStep: Int
  /// Tokens of a micro-batch, which go through the network at a time; the gradients of a step are accumulated.
  public var tokensPerMicroBatch: Int
  public var optimizer: OptimizerSettings
  public var options: AdapterOptions
  public var sampler: StitchSampler.Settings
  public var seed: UInt64
  /// Distillation by the dearest anchor, as it is when training begins: the part of the loss that is the divergence from
  /// it. `nil`: none.
  public var distillationShare: Float?
  /// Tokens that are held out to measure, at most, but for one example; 0: none. `nil`: as many as there are, and few with
  /// distillation, where every measurement runs the teacher, too.
  public var heldOutTokens: Int?
  /// What is trained; low-rank updates if absent.
  public var update: AdapterUpdate?
  /// How blocks keep what they compute for the backward pass; exact if absent.
  public var activations: SavedActivations?

  private enum CodingKeys: String, CodingKey {
    case method, stitches, steps, tokensPerStep, optimizer, options, sampler, seed, distillationShare, heldOutTokens,
      update, activations
    // As checkpoints have always called it.
    case tokensPerMicroBatch = "tokensAtOnce"
  }

  /// What a run's result depends on: computing something again changes nothing.
  var decisive: AdaptationSettings {
    var settings = self
    if activations != .fourBit { settings.activations = nil }
    return settings
  }

  /// Tokens held out to measure.
  var heldOutMost: Int { heldOutTokens ?? (distillationShare == nil ? .max : 2048) }

  /// Micro-batches that a step's tokens are cut into.
  var microBatchCount: Int { max(1, (tokensPerStep + tokensPerMicroBatch - 1) / tokensPerMicroBatch) }

  public init(
    method: AdaptationMethod = .esta, stitches: TrainedStitches = .all, steps: Int, tokensPerStep: Int = 2048,
    tokensPerMicroBatch: Int = 512, optimizer: OptimizerSettings? = nil,
    options: AdapterOptions = AdapterOptions(), sampler: StitchSampler.Settings = .init(), seed: UInt64 = 1
  ) {
    self.method = method
    self.stitches = stitches
    self.steps = steps
    self.tokensPerStep = tokensPerStep
    self.tokensPerMicroBatch = tokensPerMicroBatch
    self.optimizer =
      optimizer ?? OptimizerSettings(learningRate: 2e-3, warmupSteps: min(50, max(1, steps / 10)), finalShare: 0.1)
    self.options = options
    self.sampler = sampler
    self.seed = seed
  }
}

/// Which stitches of a family are trained.
public enum TrainedStitches: Sendable, Equatable {
  case all
  /// The stops of the slider.
  case stops
  /// Those of these ids, and no others.
  case named([String])
}

/// In checkpoints: a word, or a list of ids.
extension TrainedStitches: Codable {
  private enum Word: String, Codable { case all, stops }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do { self = try container.decode(Word.self) == .all ? .all : .stops } catch {
      self = .named(try container.decode([String].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .all: try container.encode(Word.all)
    case .stops: try container.encode(Word.stops)
    case .named(let ids): try container.encode(ids)
    }
  }
}

/// How a family is adapted: the project's own method, and the two it is measured against.
public enum AdaptationMethod: Sendable, Equatable, Codable {
  /// One stage, parameter-efficient, the whole family at once (arXiv 2311.17352).
  case esta
  /// The same, its steps taken by forward passes alone (MeZO, DiZO).
  case forwardOnly(ZerothOrderSettings)
  /// The same, of which a side network is trained and nothing else (LST, arXiv 2206.06522; UniPT, arXiv 2308.14316; SHERL,
  /// arXiv 2407.07523).
  case side(SideKind)
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
    case .forwardOnly(let settings): settings.projection == nil ? "mezo" : "dizo"
    case .side(let kind): kind.rawValue
    case .loraPerAnchor: "lora-per-anchor"
    case .snNet: "sn-net"
    }
  }

  /// Whether each step draws one of all stitches.
  var isOneStage: Bool {
    switch self {
    case .esta, .forwardOnly, .side: true
    case .loraPerAnchor, .snNet: false
    }
  }

  var isForwardOnly: Bool { if case .forwardOnly = self { true } else { false } }

  /// Whether a gradient flows through blocks, so that something of them is kept for it.
  public var keepsActivations: Bool {
    switch self {
    case .forwardOnly, .side(.unipt): false
    case .esta, .side, .loraPerAnchor, .snNet: true
    }
  }

  /// Whether no gradient flows through the anchors, or through their last blocks alone, whose weights are then read as they
  /// are stored.
  var leavesAnchors: Bool {
    switch self {
    case .forwardOnly, .side: true
    case .esta, .loraPerAnchor, .snNet: false
    }
  }
}

/// What of an adapter is trained.
public enum AdapterUpdate: String, Sendable, Codable, CaseIterable {
  /// Low-rank updates, with biases and those of stitching layers.
  case lora
  /// Biases, scales and norms (DiffFit, arXiv 2304.06648).
  case diffFit = "difffit"
  /// Sums of Kronecker products in the place of low-rank updates (ALoRE, arXiv 2412.08341).
  case alore
  /// Bottlenecks beside the MLPs (He et al. 2022, arXiv 2110.04366).
  case parallel
  /// Keys and values before every text (Li & Liang 2021, arXiv 2101.00190).
  case prefix
  /// A soft prompt, and a low-rank update of embeddings (DePT, arXiv 2309.05173).
  case dept
}

extension AdaptationSettings {
  /// Whether a tensor of an adapter is trained; what is not stays as the adapter has it.
  func trains(_ name: String) -> Bool {
    if case .side = method { return AdapterLayout.isSide(name) }
    return switch update {
    case nil, .lora: true
    case .diffFit: name.hasSuffix("bias") && !AdapterLayout.isParallel(name) || AdapterLayout.isScale(name)
    case .alore: name.hasSuffix("bias") && !AdapterLayout.isParallel(name) || AdapterLayout.isKronecker(name)
    case .parallel: AdapterLayout.isParallel(name)
    case .prefix: AdapterLayout.isPrefix(name)
    case .dept: AdapterLayout.isPrompt(name)
    }
  }

  /// What takes the method's steps.
  /// - Throws: `TrainingError.plan`, `ComputeError`.
  func stepRule(store: ParameterStore, pool: ComputePool, communicator: any Communicator) throws -> any StepRule {
    let holdsStart = optimizer.startDecay > 0
    if case .forwardOnly(let settings) = method {
      guard communicator.count == 1 else {
        throw TrainingError.plan(
          cause: "steps by forward passes alone are not divided between processes; run \(method.name) as one")
      }
      return MeZO(store: store, settings: settings, seed: seed, pool: pool, holdsStart: holdsStart)
    }
    return try Backpropagation(
      store: store, pool: pool, communicator: communicator, holdsStart: holdsStart, activations: activations ?? .exact)
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
  /// Loss on held-out examples, by stitch id, nats per token; empty where nothing is held out. With a teacher whose
  /// divergence is a share of the loss, what is minimised.
  /// - Parameter all: of all stitches instead of the anchors alone, or of what is trained where no anchor is.
  func heldOutLosses(all: Bool) -> [String: Double]
  /// The mean of such losses over the anchors, or over what is trained where no anchor is; `nil` where one is missing.
  func meanLoss(_ losses: [String: Double]) -> Double?

  /// Trains until all steps are done or the listener stops it. Resumes from `checkpoint` if it exists.
  /// - Parameters:
  ///   - interval: steps between checkpoints.
  ///   - measuring: when to measure what on held-out examples.
  ///   - gate: called before each micro-batch; may block, to let something else have the processor.
  /// - Returns: whether all steps are done.
  /// - Throws: `TrainingError`, `FileError`, `SafetensorsError`, and what the listener throws.
  func run(
    checkpoint: URL?, interval: Int, measuring: HeldOutMeasuring, gate: () -> Void,
    listener: (AdaptationProgress) throws -> AdaptationControl
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

/// What a listener hears after each step.
public struct AdaptationProgress: Sendable {
  public var step: Int
  public var totalSteps: Int
  /// Id of the stitch drawn.
  public var stitch: String
  public var loss: Double
  /// `AdaptationTrainer.meanLoss` on held-out examples, where it was measured at this step.
  public var heldOutLoss: Double?
  /// Loss on held-out examples of each stitch, by id, where it was measured at this step.
  public var stitchLosses: [String: Double]?
  public var tokensPerSecond: Double
  /// Tokens trained on so far.
  public var tokens: Int
  /// Time in steps so far, without measuring.
  public var trainingSeconds: Double
}

/// What a listener wants next.
public enum AdaptationControl: Sendable {
  case goOn
  /// Write a checkpoint and return.
  case end
}

/// What training has cost.
public struct TrainingCost: Sendable, Equatable, Codable {
  /// Tokens that went through the network in optimiser steps.
  public var tokens = 0
  /// Time in steps and in fitting stitching layers, without measuring and checkpoints.
  public var trainingSeconds = 0.0
  /// Time of the whole run.
  public var wallSeconds = 0.0
  /// Processor time of the whole run, all threads.
  public var cpuSeconds = 0.0
  /// Largest resident set of the process.
  public var peakMemoryBytes = 0

  public init() {}
}

/// What the process has used since it began.
struct ProcessUsage {
  var cpuSeconds: Double
  var peakMemoryBytes: Int

  static var now: ProcessUsage {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return ProcessUsage(
      cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
      peakMemoryBytes: Int(usage.ru_maxrss) * 1024)  // Linux counts in KiB
  }
}

import Foundation

/// How a family is adapted.
public struct AdaptationSettings: Sendable, Equatable, Codable {
  public var method: AdaptationMethod
  /// Which stitches `esta` trains.
  public var stitches: TrainedStitches
  public var steps: Int
  /// Tokens of a step, about.
  public var tokensPerStep: Int
  /// Tokens that go through the network at a time; gradients are accumulated.
  public var tokensAtOnce: Int
  public var optimizer: OptimizerSettings
  public var options: AdapterOptions
  public var sampler: StitchSampler.Settings
  public var seed: UInt64

  public init(
    method: AdaptationMethod = .esta, stitches: TrainedStitches = .all, steps: Int, tokensPerStep: Int = 2048,
    tokensAtOnce: Int = 512, optimizer: OptimizerSettings? = nil,
    options: AdapterOptions = AdapterOptions(), sampler: StitchSampler.Settings = .init(), seed: UInt64 = 1
  ) {
    self.method = method
    self.stitches = stitches
    self.steps = steps
    self.tokensPerStep = tokensPerStep
    self.tokensAtOnce = tokensAtOnce
    self.optimizer =
      optimizer ?? OptimizerSettings(learningRate: 2e-3, warmupSteps: min(50, max(1, steps / 10)), finalShare: 0.1)
    self.options = options
    self.sampler = sampler
    self.seed = seed
  }
}

/// Which stitches of a family are trained.
public enum TrainedStitches: String, Sendable, Codable, CaseIterable {
  case all
  /// The stops of the slider.
  case stops
}

/// One-stage adaptation of a whole family (ESTA, arXiv 2311.17352): each step draws one stitch and trains what it
/// owns or shares. With the method `loraPerAnchor`, each step trains the LoRA of one anchor, in turn.
///
/// `@unchecked Sendable`: made in one place and then used by the one thread that runs it; what others may have of it
/// are `Adapter` snapshots, which never change.
public final class FamilyTrainer: AdaptationTrainer, @unchecked Sendable {
  public struct Progress: Sendable {
    public var step: Int
    public var totalSteps: Int
    /// Id of the stitch drawn.
    public var stitch: String
    public var loss: Double
    /// Mean over the anchors of the loss on held-out examples, where it was measured at this step.
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
  public enum Control: Sendable {
    case goOn
    /// Write a checkpoint and return.
    case stop
  }

  public let family: Family
  public let settings: AdaptationSettings
  private let firstStep: Int
  private let networks: AdaptedNetworks
  private let loop: AdaptationLoop
  /// Indices of the stitches that are trained.
  private let trained: [Int]

  /// - Parameters:
  ///   - adapter: what to start from; its options win over those of `settings`.
  ///   - settings: the method is `esta` or `loraPerAnchor`; the latter has neither biases nor updates of stitching layers.
  ///   - examples: what to learn. A few are held out to measure, if there are enough.
  ///   - rehearsal: what the family knows and is not to forget; mixed in, more towards the end.
  /// - Throws: `TrainingError.noData`, `ComputeError`.
  public init(
    family: Family, adapter: Adapter?, settings: AdaptationSettings, examples: [TrainingExample],
    rehearsal: [TrainingExample] = [], pool: ComputePool
  ) throws {
    let data = try AdaptationData(examples, rehearsal: rehearsal)
    var settings = settings
    if let adapter { settings.options = adapter.options }
    let stops = Set(family.stops.map(\.id))
    trained = family.stitches.indices.filter { index in
      let stitch = family.stitches[index]
      return settings.method == .esta
        ? settings.stitches == .all || stops.contains(stitch.id) : stitch.route.join == nil
    }
    if settings.method == .loraPerAnchor {
      settings.options.trainsBiases = false
      settings.options.updatesLayers = false
    }
    self.family = family
    self.settings = settings
    firstStep = adapter?.step ?? 0
    let networks = AdaptedNetworks(family, options: settings.options, adapter: adapter, seed: settings.seed)
    self.networks = networks
    loop = try AdaptationLoop(
      family: family, settings: settings, data: data, stitches: trained, store: networks.store,
      network: { networks.network($0) },
      pool: pool)
  }

  public var step: Int { loop.step }
  public var parameterCount: Int { networks.store.count }
  public var cost: TrainingCost { loop.cost }
  /// How often each stitch was drawn, by id.
  public var drawn: [String: Int] { byID(Array(family.stitches.indices)) { loop.sampler.drawn[$0] } }
  /// Importance of each stitch that is trained, by id.
  public var importance: [String: Double] { byID(trained, loop.sampler.importance) }
  /// The stops that importance recommends: the best of each cost bin, and the anchors; the anchors alone where only they
  /// are trained. Cheapest first.
  public var deployedStops: [String] {
    let anchors = family.stitches.indices.filter { family.stitches[$0].route.join == nil }
    let stops = settings.method == .esta ? loop.sampler.deployed(always: anchors) : anchors
    return stops.map { family.stitches[$0].id }
  }

  private func byID<Value>(_ indices: [Int], _ value: (Int) -> Value) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: indices.map { (family.stitches[$0].id, value($0)) })
  }

  /// The adapter as it is now, copied.
  public func snapshot() -> Adapter {
    networks.snapshot(step: firstStep + step, importance: importance)
  }

  public func heldOutLosses(all: Bool) -> [String: Double] { loop.heldOutLosses(all: all) }

  public func run(
    checkpoint: URL? = nil, interval: Int = 100, measuring: HeldOutMeasuring = .init(), gate: () -> Void = {},
    listener: (Progress) throws -> Control
  ) throws -> Bool {
    let course = AdaptationLoop.Course(
      stitch: { [settings, trained] in settings.method == .esta ? nil : trained[$0 % trained.count] },
      learningRate: { [settings] in settings.optimizer.learningRate(step: $0, total: settings.steps) })
    return try loop.run(
      course, checkpoint: checkpoint, interval: interval, measuring: measuring, gate: gate, listener: listener)
  }

  // MARK: For tests

  package var store: ParameterStore { networks.store }
  package func trainingNetwork(_ route: Route) -> TrainingNetwork { networks.network(route) }
}

import Foundation

/// How a family is adapted.
public struct AdaptationSettings: Sendable, Equatable, Codable {
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
    steps: Int, tokensPerStep: Int = 2048, tokensAtOnce: Int = 2048, optimizer: OptimizerSettings? = nil,
    options: AdapterOptions = AdapterOptions(), sampler: StitchSampler.Settings = .init(), seed: UInt64 = 1
  ) {
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

/// One-stage adaptation of a whole family (ESTA, arXiv 2311.17352): each step draws one stitch and trains what it
/// owns or shares.
///
/// `@unchecked Sendable`: made in one place and then used by the one thread that runs it; what others may have of it
/// are `Adapter` snapshots, which never change.
public final class FamilyTrainer: @unchecked Sendable {
  public struct Progress: Sendable {
    public var step: Int
    public var totalSteps: Int
    /// Id of the stitch drawn.
    public var stitch: String
    public var loss: Double
    /// Mean over the anchors of the loss on held-out examples, where it was measured at this step.
    public var heldOutLoss: Double?
    public var tokensPerSecond: Double
  }

  /// What a listener wants next.
  public enum Control: Sendable {
    case goOn
    /// Write a checkpoint and return.
    case stop
  }

  private struct State: Codable {
    var settings: AdaptationSettings
    var family: String
    var examples: Int
    var step: Int
    var sampler: StitchSampler
    var random: SeededGenerator
  }

  public let family: Family
  public let settings: AdaptationSettings
  public private(set) var step = 0
  private let firstStep: Int
  private let networks: AdaptedNetworks
  private let trainer: Trainer
  private let stream: ExampleStream
  private let heldOut: PackedBatch
  private var sampler: StitchSampler
  private var random: SeededGenerator

  /// - Parameters:
  ///   - adapter: what to start from; its options win over those of `settings`.
  ///   - examples: what to learn. A few are held out to measure, if there are enough.
  ///   - rehearsal: what the family knows and is not to forget; about half of what is trained on is drawn from it.
  public init(
    family: Family, adapter: Adapter?, settings: AdaptationSettings, examples: [TrainingExample],
    rehearsal: [TrainingExample] = [], pool: ComputePool
  ) throws {
    let usable = examples.filter { $0.tokens.count > 1 && $0.predicted.dropFirst().contains(true) }
    guard !usable.isEmpty else { throw TrainingError.noData(what: "the data has no reply to learn") }
    let heldOutCount = min(48, usable.count / 20)
    var heldOut = PackedBatch()
    for example in usable.suffix(heldOutCount) { heldOut.append(example.tokens, predicted: example.predicted) }
    var settings = settings
    if let adapter { settings.options = adapter.options }
    self.family = family
    self.settings = settings
    self.heldOut = heldOut
    firstStep = adapter?.step ?? 0
    networks = AdaptedNetworks(family, options: settings.options, adapter: adapter, seed: settings.seed)
    trainer = try Trainer(store: networks.store, pool: pool)
    let lesson = Array(usable.dropLast(heldOutCount))
    // Few examples are repeated until they are as many as what is rehearsed.
    let copies = max(1, (rehearsal.count + lesson.count / 2) / lesson.count)
    stream = ExampleStream(
      rehearsal.isEmpty ? lesson : (0..<copies).flatMap { _ in lesson } + rehearsal, seed: settings.seed)
    sampler = StitchSampler(costs: family.stitches.map(\.flopsPerToken), settings: settings.sampler)
    random = SeededGenerator(seed: settings.seed, stream: 5)
  }

  /// Floats that are trained.
  public var parameterCount: Int { networks.store.count }
  /// How often each stitch was drawn, by id.
  public var drawn: [String: Int] { byID(sampler.drawn) }
  /// Importance of each stitch, by id.
  public var importance: [String: Double] { byID(family.stitches.indices.map(sampler.importance)) }
  /// The stops that importance recommends: the best of each cost bin, and the anchors. Cheapest first.
  public var deployedStops: [String] {
    let anchors = family.stitches.indices.filter { family.stitches[$0].route.join == nil }
    return sampler.deployed(always: anchors).map { family.stitches[$0].id }
  }

  private func byID<Value>(_ values: [Value]) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: zip(family.stitches.map(\.id), values))
  }

  /// The adapter as it is now, copied.
  public func snapshot() -> Adapter {
    networks.snapshot(step: firstStep + step, importance: importance)
  }

  /// Trains until all steps are done or the listener stops it. Resumes from `checkpoint` if it exists.
  /// - Parameters:
  ///   - gate: called before each part of a step; may block, to let something else have the processor.
  /// - Returns: whether all steps are done.
  public func run(
    checkpoint: URL? = nil, interval: Int = 100, heldOutInterval: Int = 50, gate: () -> Void = {},
    listener: (Progress) throws -> Control
  ) throws -> Bool {
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) {
      let state = try TrainingCheckpoint.read(networks.store, state: State.self, from: checkpoint) { state in
        func other(_ what: String) -> TrainingError { .otherRun(file: checkpoint.path, what: what) }
        guard state.settings == settings else { throw other("setting") }
        guard state.family == family.identity else { throw other("family") }
        guard state.examples == stream.examples.count else { throw other("data") }
      }
      (step, sampler, random) = (state.step, state.sampler, state.random)
    }
    func save() throws {
      guard let checkpoint else { return }
      try TrainingCheckpoint.write(
        networks.store,
        state: State(
          settings: settings, family: family.identity, examples: stream.examples.count, step: step,
          sampler: sampler, random: random),
        to: checkpoint)
    }
    let parts = max(1, (settings.tokensPerStep + settings.tokensAtOnce - 1) / settings.tokensAtOnce)
    while step < settings.steps {
      let chosen = sampler.draw(&random)
      let network = networks.network(family.stitches[chosen].route)
      let batches = (0..<parts).map {
        stream.batch(step * parts + $0, tokens: settings.tokensPerStep / parts)
      }
      let start = ContinuousClock.now
      let rate = settings.optimizer.learningRate(step: step, total: settings.steps)
      guard
        let result = trainer.step(
          network, batches, settings: settings.optimizer, learningRate: rate,
          keepGoing: {
            gate()
            return true
          })
      else { break }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      sampler.update(chosen, sensitivity: result.sensitivity)
      step += 1
      let measure = heldOut.rows > 0 && (step % heldOutInterval == 0 || step == settings.steps)
      let control = try listener(
        Progress(
          step: step, totalSteps: settings.steps, stitch: family.stitches[chosen].id, loss: result.loss,
          heldOutLoss: measure ? heldOutLoss() : nil, tokensPerSecond: Double(result.tokens) / seconds))
      if step % interval == 0 || step == settings.steps || control == .stop { try save() }
      if control == .stop && step < settings.steps { return false }
    }
    return true
  }

  private func heldOutLoss() -> Double {
    let anchors = routesOfAnchors
    return anchors.reduce(0) { $0 + trainer.loss(networks.network($1), heldOut) } / Double(anchors.count)
  }

  private var routesOfAnchors: [Route] { family.routes.filter { $0.join == nil } }

  // MARK: For tests

  package var store: ParameterStore { networks.store }
  package func trainingNetwork(_ route: Route) -> TrainingNetwork { networks.network(route) }
}

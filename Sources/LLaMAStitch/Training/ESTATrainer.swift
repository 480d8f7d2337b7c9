import Foundation
import Support

/// One-stage adaptation of a whole family (ESTA, arXiv 2311.17352): each step draws one stitch and trains what it
/// owns or shares, by backpropagation or by forward passes alone. With the method `loraPerAnchor`, each step trains the
/// LoRA of one anchor, in turn.
///
/// `@unchecked Sendable`: made in one place and then used by the one thread that runs it; what others may have of it
/// are `Adapter` snapshots, which never change.
public final class ESTATrainer: AdaptationTrainer, @unchecked Sendable {
  public let family: Family
  public let settings: AdaptationSettings
  private let firstStep: Int
  private let networks: AdaptedNetworks
  private let loop: AdaptationLoop
  /// Indices of the stitches that are trained.
  private let trained: [Int]

  /// - Parameters:
  ///   - adapter: what to start from; its options win over those of `settings`.
  ///   - settings: any method but `snNet`; `loraPerAnchor` has neither biases nor updates of stitching layers.
  ///   - examples: what to learn. A few are held out to measure, if there are enough.
  ///   - rehearsal: what the family knows and is not to forget; mixed in, more towards the end.
  ///   - teacher: who teaches a route, where that is not what `settings` say.
  ///   - communicator: the processes that train together; all of them make the same trainer.
  /// - Throws: `TrainingError.noData`, `TrainingError.plan`, `FamilyError.unknownStitch`, `ComputeError`.
  public init(
    family: Family, adapter: Adapter?, settings: AdaptationSettings, examples: [TrainingExample],
    rehearsal: [TrainingExample] = [], teacher: ((Route) -> Teacher?)? = nil, pool: ComputePool,
    communicator: any Communicator = SingleProcess()
  ) throws {
    let data = try AdaptationData(examples, rehearsal: rehearsal, heldOutTokens: settings.heldOutMost)
    var settings = settings
    settings.options = try Self.options(settings, adapter)
    try family.layout(settings.options).check()
    let wanted =
      switch settings.stitches {
      case .all: Set(family.stitches.map(\.id))
      case .stops: Set(family.stops.map(\.id))
      case .named(let ids): Set(try ids.map { try family.stitch($0).id })
      }
    trained = family.stitches.indices.filter { index in
      let stitch = family.stitches[index]
      if settings.options.keepsPrefix && stitch.route.isAnchor { return false }
      return settings.method.isOneStage ? wanted.contains(stitch.id) : stitch.route.isAnchor
    }
    guard !trained.isEmpty else {
      throw TrainingError.plan(cause: "\(family.directory.path) has no stitches to train, only whole anchors")
    }
    if settings.method == .loraPerAnchor {
      settings.options.trainsBiases = false
      settings.options.updatesLayers = false
    }
    self.family = family
    self.settings = settings
    firstStep = adapter?.step ?? 0
    let networks = AdaptedNetworks(family, settings: settings, adapter: adapter)
    self.networks = networks
    loop = try AdaptationLoop(
      family: family, settings: settings, data: data, stitches: trained, store: networks.store,
      network: { networks.network($0) }, teacher: teacher ?? networks.teacher(adapter, settings: settings), pool: pool,
      communicator: communicator)
  }

  /// Those of the adapter where there is one, with what the method trains besides.
  private static func options(_ settings: AdaptationSettings, _ adapter: Adapter?) throws -> AdapterOptions {
    let method = settings.method
    let own = adapter?.options.side?.kind
    if let own, method != .side(own), !method.isForwardOnly {
      throw TrainingError.plan(
        cause:
          "the adapter to go on from has a side network of \(own.rawValue), through which \(method.name) trains nothing; use --method \(own.rawValue), mezo or dizo"
      )
    }
    guard var options = adapter?.options else { return settings.options }
    switch settings.update {
    case nil, .lora: break
    case .diffFit: options.hasScales = true
    case .alore: options.kronecker = options.kronecker ?? settings.options.kronecker
    case .parallel: options.parallel = options.parallel ?? settings.options.parallel
    case .prefix: options.prefix = options.prefix ?? settings.options.prefix
    case .dept: options.prompt = options.prompt ?? settings.options.prompt
    }
    if case .side(let kind) = method, options.side == nil {
      options.side = settings.options.side ?? SideOptions(kind: kind)
    }
    return options
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
    let anchors = family.stitches.indices.filter { family.stitches[$0].route.isAnchor }
    let stops = settings.method.isOneStage ? loop.sampler.deployed(always: anchors) : anchors
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
  public func meanLoss(_ losses: [String: Double]) -> Double? { loop.meanLoss(losses) }

  public func run(
    checkpoint: URL? = nil, interval: Int = 100, measuring: HeldOutMeasuring = .init(), gate: () -> Void = {},
    listener: (AdaptationProgress) throws -> AdaptationControl
  ) throws -> Bool {
    let plan = AdaptationLoop.Plan(
      stitch: { [settings, trained] in settings.method.isOneStage ? nil : trained[$0 % trained.count] },
      learningRate: { [settings] in settings.optimizer.learningRate(step: $0, total: settings.steps) })
    return try loop.run(
      plan, checkpoint: checkpoint, interval: interval, measuring: measuring, gate: gate, listener: listener)
  }

  // MARK: For tests

  package var store: ParameterStore { networks.store }
  package func trainingNetwork(_ route: Route) -> Network { networks.network(route) }
}

/// The stitches of a family as networks to train: frozen anchors and stitching layers, with what ESTA adds in a store.
struct AdaptedNetworks {
  let layout: AdapterLayout
  let store: ParameterStore
  private let family: Family
  private let assembler: Assembler
  private let tensors: LayeredTensors

  /// - Parameter adapter: where to start; LoRA and layer updates that change nothing, if absent.
  init(_ family: Family, settings: AdaptationSettings, adapter: Adapter?) {
    self.family = family
    layout = family.layout(settings.options)
    let method = settings.method
    store = ParameterStore(layout.declarations.filter { settings.trains($0.name) })
    tensors = LayeredTensors(trained: store, below: adapter)
    assembler = method.leavesAnchors ? family.assembler : family.assembler.preparedForTraining
    var random = SeededGenerator(seed: settings.seed, stream: 3)
    for (index, parameter) in store.parameters.enumerated() {
      let values = store.value(index)
      if let start = adapter?.values(parameter.name) {
        values.copy(from: start)
      } else if parameter.name.hasSuffix(".scale") {
        values.fill(1)
      } else if let norm = layout.startScale(parameter.name, anchors: family.anchors) {
        values.copy(from: norm)
      } else if AdapterLayout.isSide(parameter.name) {
        AdapterLayout.startSide(parameter, values, &random)
      } else if AdapterLayout.isKronecker(parameter.name) {
        AdapterLayout.startKronecker(parameter, values, &random)
      } else if AdapterLayout.isParallel(parameter.name) {
        AdapterLayout.startParallel(parameter, values, &random)
      } else if AdapterLayout.isPrefix(parameter.name) {
        AdapterLayout.startPrefix(values, &random)
      } else if AdapterLayout.isPrompt(parameter.name) {
        layout.startPrompt(parameter, values, anchors: family.anchors, &random)
      } else if parameter.name.hasSuffix(".lora_A") {
        // Uniform in ±1/√in; B is zero, so that the update is.
        let bound = 1 / Double(parameter.shape[1]).squareRoot()
        values.copy(from: (0..<parameter.count).map { _ in Float((2 * random.unit() - 1) * bound) })
      }
    }
  }

  func network(_ route: Route) -> Network { assembler.assemble(route, layout, from: tensors) }

  /// Who teaches a route: the dearest anchor, with the adapter that training starts from. Blocks before the first
  /// stitching layer that have nothing to train are shared with it.
  func teacher(_ adapter: Adapter?, settings: AdaptationSettings) -> (Route) -> Teacher? {
    guard let share = settings.distillationShare else { return { _ in nil } }
    let anchor = family.anchors.count - 1
    let route = family.route(ofAnchor: anchor)
    let teacher = adapter.map { assembler.assemble(route, layout, from: $0) } ?? assembler.assemble(route)
    let keepsPrefix = settings.options.keepsPrefix
    return { route in
      let shares = keepsPrefix && route.start == anchor && !route.isAnchor
      return Teacher(teacher, share: share, sharedStages: shares ? route.leadingBlockCount : 0)
    }
  }

  /// A copy of the trained values, and what they came on top of.
  func snapshot(step: Int, importance: [String: Double]) -> Adapter {
    var tensors = self.tensors.below?.tensors ?? [:]
    for (index, parameter) in store.parameters.enumerated() {
      let copy = FloatBuffer(store.value(index).array)
      let columns = parameter.shape.last!
      tensors[parameter.name] = copy.matrix(rows: parameter.count / columns, columns: columns)
    }
    return Adapter(
      options: layout.options, step: step, family: family, importance: importance, tensors: tensors)
  }
}

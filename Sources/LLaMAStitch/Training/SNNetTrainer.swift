import Foundation
import Support

/// The two training stages of SN-Net (Pan et al. 2023, arXiv 2302.06586), the baseline: first every weight of each anchor
/// is fine-tuned by itself, then anchors and stitching layers are trained jointly, with routes drawn uniformly.
///
/// With distillation the dearest anchor, as it is when training begins, teaches all of them. Each part has a learning-rate
/// schedule of its own, and the joint stage a fresh optimiser. The third stage, the
/// evaluation of every stitch, is not training.
public final class SNNetTrainer: AdaptationTrainer {
  public let family: Family
  public let settings: AdaptationSettings
  private let networks: JointNetworks
  private let loop: AdaptationLoop
  private let pool: ComputePool
  private let anchorSteps: Int
  private let keepsLayers: Bool
  /// What stitching layers are fitted on between the stages.
  private let calibration: [[Int32]]

  /// At most so many tokens of calibration, as `stitch family build` takes by default.
  private static let calibrationTokens = 200_000
  private static let ridge = 1e-4
  private static let memoryOfFit = 2 << 30

  /// - Parameters:
  ///   - settings: the method is `snNet`.
  ///   - examples: what to learn. A few are held out to measure, if there are enough.
  ///   - communicator: the processes that train together; all of them make the same trainer.
  /// - Throws: `TrainingError.noData`, `TrainingError.plan`, `ComputeError`.
  public init(
    family: Family, settings: AdaptationSettings, examples: [TrainingExample], pool: ComputePool,
    communicator: any Communicator = SingleProcess()
  ) throws {
    guard case .snNet(let anchorSteps, let keepsLayers) = settings.method else {
      preconditionFailure("the method is \(settings.method.name)")
    }
    guard (0..<settings.steps).contains(anchorSteps) else {
      throw TrainingError.plan(
        cause: "\(anchorSteps) of \(settings.steps) steps for the anchors leave none for the joint stage; give fewer")
    }
    let data = try AdaptationData(examples, heldOutTokens: settings.heldOutMost)
    guard family.healing == nil else {
      throw TrainingError.plan(
        cause:
          "\(family.directory.path) is healed, and sn-net would train the healing away; give the family it was healed from"
      )
    }
    let declarations = JointNetworks.declarations(
      configurations: family.anchors.map(\.configuration), routes: family.routes, trainsAnchors: true)
    // Values, two moments, a gradient for each worker, and the anchors that values are copied from.
    let bytes = declarations.reduce(0.0) { $0 + Double($1.shape.reduce(1, *)) } * Double(4 * (4 + pool.threads))
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes < memory else {
      throw TrainingError.plan(
        cause:
          "sn-net trains every weight of \(family.directory.path), which takes \(Int(bytes / 1e9)) GB of memory and \(Int(memory / 1e9)) are there; use the method esta"
      )
    }
    self.family = family
    self.settings = settings
    self.pool = pool
    self.anchorSteps = anchorSteps
    self.keepsLayers = keepsLayers
    let networks = JointNetworks(
      anchors: family.anchors, routes: family.routes, layers: family.assembler.layers,
      scope: .everything)
    self.networks = networks
    loop = try AdaptationLoop(
      family: family, settings: settings, data: data, store: networks.store, network: { networks.network($0) },
      teacher: Self.teacher(family, settings), pool: pool, communicator: communicator)
    var random = SeededGenerator(seed: settings.seed, stream: 8)
    var calibration: [[Int32]] = []
    var tokens = 0
    for index in random.permutation(of: data.training.count) where tokens < Self.calibrationTokens {
      calibration.append(data.training[index].tokens)
      tokens += data.training[index].tokens.count
    }
    self.calibration = calibration
  }

  /// The dearest anchor, of which what is trained is a copy.
  private static func teacher(_ family: Family, _ settings: AdaptationSettings) -> (Route) -> Teacher? {
    guard let share = settings.distillationShare else { return { _ in nil } }
    let anchor = family.assembler.preparedForTraining.assemble(family.route(ofAnchor: family.anchors.count - 1))
    let teacher = Teacher(anchor, share: share)
    return { _ in teacher }
  }

  public var step: Int { loop.step }
  public var parameterCount: Int { networks.store.count }
  public var cost: TrainingCost { loop.cost }

  public func heldOutLosses(all: Bool) -> [String: Double] { loop.heldOutLosses(all: all) }
  public func meanLoss(_ losses: [String: Double]) -> Double? { loop.meanLoss(losses) }

  public func run(
    checkpoint: URL? = nil, interval: Int = 100, measuring: HeldOutMeasuring = .init(), gate: () -> Void = {},
    listener: (AdaptationProgress) throws -> AdaptationControl
  ) throws -> Bool {
    let anchors = family.anchors.indices.map { anchor in
      family.stitches.firstIndex { $0.route == family.route(ofAnchor: anchor) }!
    }
    let plan = AdaptationLoop.Plan(
      prepare: { step in if step == self.anchorSteps { try self.beginJointStage() } },
      stitch: { step in
        if step < self.anchorSteps { return anchors[self.part(of: step).index] }
        var random = SeededGenerator(seed: self.settings.seed, stream: 6 << 32 | UInt64(step))
        return random.index(below: self.family.stitches.count)
      },
      learningRate: { step in
        let part = self.part(of: step).steps
        var optimizer = self.settings.optimizer
        optimizer.warmupSteps = min(optimizer.warmupSteps, max(1, part.count / 10))
        return optimizer.learningRate(step: step - part.lowerBound, total: part.count)
      })
    return try loop.run(
      plan, checkpoint: checkpoint, interval: interval, measuring: measuring, gate: gate, listener: listener)
  }

  /// The part of the run that a step belongs to: that of an anchor, or the joint stage, which follows them all.
  private func part(of step: Int) -> (index: Int, steps: Range<Int>) {
    let count = family.anchors.count
    for index in 0..<count {
      let steps = anchorSteps * index / count..<anchorSteps * (index + 1) / count
      if steps.contains(step) { return (index, steps) }
    }
    return (count, anchorSteps..<settings.steps)
  }

  /// Fits the stitching layers to the anchors as they are now, and forgets the optimiser's state.
  private func beginJointStage() throws {
    networks.store.resetOptimizer()
    if keepsLayers { return }
    networks.set(
      try LeastSquares(
        anchors: networks.anchors, routes: family.routes.filter { !$0.isAnchor }, ridge: Self.ridge,
        memory: Self.memoryOfFit, pool: pool
      ).fit(LeastSquares.batches(of: calibration, contextLength: family.contextLength)) { _ in })
  }

  /// Writes the family with the trained weights, stored as those it came from; the directory must not exist.
  /// - Parameter rehearsal: content of its `rehearsal.jsonl`.
  /// - Returns: the files that hold what was trained.
  /// - Throws: `FileError`, `SafetensorsError`, `CheckpointError`.
  public func write(to output: URL, rehearsal: Data? = nil) throws -> [URL] {
    let description = family.description
    let writer = FamilyWriter(
      name: description.name, chatTemplate: description.chatTemplate, quantization: description.quantization,
      isQuantized: false, routes: family.routes, names: family.names,
      depths: family.anchors.map(\.configuration.blockCount))
    try NewDirectory.write(output) { copy in
      for (index, (anchor, trained)) in zip(description.anchors, networks.anchors).enumerated() {
        let old = try ModelDirectory(family.place(ofAnchor: index))
        try ModelDirectory.write(
          to: copy.appendingPathComponent(FamilyWriter.place(of: anchor.name)), configuration: old.configuration,
          elementType: old.elementType ?? .f32, weights: trained.floats)
      }
      try writer.write(networks.layers, tokenizer: try family.readTokenizer(), to: copy)
      if let rehearsal {
        try AtomicFile.write(rehearsal, to: copy.appendingPathComponent(FamilyDescription.rehearsalName))
      }
    }
    return family.names.map {
      output.appendingPathComponent("\(FamilyWriter.place(of: $0))/\(ModelDirectory.weightsName)")
    }
      + [output.appendingPathComponent(FamilyDescription.stitchesName)]
  }

  // MARK: For tests

  package var store: ParameterStore { networks.store }
}

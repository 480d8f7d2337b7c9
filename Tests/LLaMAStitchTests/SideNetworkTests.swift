import Foundation
import LLaMAStitch
import Support
import Testing

/// Ladder side tuning: a small network beside the anchors, of which alone something is trained.
@Suite struct SideNetworkTests {
  private static let options = AdapterOptions(side: SideOptions(reduction: 1, interval: 2))

  static func trainer(
    _ family: Family, steps: Int, adapter: Adapter? = nil, threads: Int = 2
  ) throws -> ESTATrainer {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.method = .ladder
    settings.options = options
    return try ESTATrainer(
      family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: threads))
  }

  static var batch: PackedBatch {
    var batch = PackedBatch()
    for example in ESTATrainerTests.examples(12) { batch.append(example.tokens, lossMask: example.lossMask) }
    return batch
  }

  /// Random values for everything trained, so that no gradient is zero.
  static func randomise(_ store: ParameterStore) {
    var random = SeededGenerator(seed: 6)
    for index in store.parameters.indices {
      let values = store.value(index)
      let isNorm = values.array.allSatisfy { $0 == 1 }
      // A gate's α counts tenfold.
      let spread = values.count == 1 ? 0.05 : 0.3
      values.copy(from: (0..<values.count).map { _ in Float((isNorm ? 1 : 0) + spread * random.normal()) })
    }
  }

  /// The loss changes along a random direction of each parameter as the gradient says.
  static func expectGradients(_ trainer: ESTATrainer, _ route: Route) throws {
    let network = trainer.trainingNetwork(route)
    let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    let (_, gradients) = rule.gradients(network, batch)
    #expect(gradients.count == network.parameters.count && !gradients.isEmpty)
    for index in network.parameters {
      let parameter = trainer.store.parameters[index]
      let values = trainer.store.value(index)
      let before = values.array
      var random = SeededGenerator(seed: UInt64(index))
      let direction = before.map { _ -> Float in random.unit() < 0.5 ? -1 : 1 }
      let step: Float = parameter.count == 1 ? 2e-3 : 3e-3
      func loss(_ step: Float) -> Double {
        values.copy(from: zip(before, direction).map { $0 + step * $1 })
        return rule.loss(trainer.trainingNetwork(route), batch)
      }
      let measured = (loss(step) - loss(-step)) / Double(2 * step)
      values.copy(from: before)
      let gradient = try #require(gradients[parameter.name])
      let expected = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
      #expect(abs(measured - expected) < 2e-3 + 0.02 * abs(expected), "\(parameter.name): \(measured), \(expected)")
      #expect(gradient.contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  @Test func finiteDifferences() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    for stitch in family.stitches {
      let trainer = try Self.trainer(family, steps: 1)
      Self.randomise(trainer.store)
      try Self.expectGradients(trainer, stitch.route)
    }
  }

  /// Before training nothing is changed, and then replies compute what training does.
  @Test func repliesComputeWhatTrainingDoes() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 1)
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    func logits(_ adapter: Adapter?, _ stitch: Stitch) throws -> [Float] {
      let session = InferenceSession(
        network: family.network(stitch.route, adapter: adapter), pool: ComputePool(threads: 2))
      return try session.evaluate(tokens, logits: .all).dense.array
    }
    let start = trainer.snapshot()
    for stitch in family.stitches { #expect(try logits(start, stitch) == logits(nil, stitch)) }
    Self.randomise(trainer.store)
    let changed = trainer.snapshot()
    for stitch in family.stitches {
      #expect(try logits(changed, stitch) != logits(nil, stitch))
      let network = trainer.trainingNetwork(stitch.route)
      let exact = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2)).loss(network, Self.batch)
      let forward = MeZO(store: trainer.store, settings: .init(), seed: 1, pool: ComputePool(threads: 2)).loss(
        network, Self.batch, teacher: nil)
      #expect(abs(forward - exact) < 1e-5 * exact, "\(stitch.id)")
    }
    // Saved and read again.
    let file = folder.url.appendingPathComponent("side.safetensors")
    try changed.write(to: file)
    let read = try Adapter.read(file, for: family)
    #expect(try ESTATrainerTests.bytes(read, folder) == ESTATrainerTests.bytes(changed, folder))
    for stitch in family.stitches { #expect(try logits(read, stitch) == logits(changed, stitch)) }
  }

  /// However a text is cut, on any number of threads, and with what stitches share, a token's logits are the same bits.
  @Test func theSameBitsCachedOrNot() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let trainer = try Self.trainer(family, steps: 1)
    Self.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let text = RandomModel.tokens(1, length: 40)[0].map(Int.init)
    for start in family.anchors.indices {
      let routes = family.stitches.filter { $0.route.start == start }
      let cache = PrefixCache(
        anchor: family.network(family.route(ofAnchor: start), adapter: adapter), exits: family.exits(of: start),
        contextLength: 64)
      let backend = ProcessorBackend(chunkSize: 9, pool: ComputePool(threads: 2))
      var sharing: [InferenceSession] = []
      for stitch in routes + routes.reversed() {
        let network = family.network(stitch.route, adapter: adapter)
        let alone = InferenceSession(network: network, contextLength: 64, chunkSize: 40, pool: ComputePool(threads: 1))
        let expected = try alone.evaluate(text).dense.array
        let session = InferenceSession(network: network, prefix: cache, backend: backend)
        sharing.append(session)
        session.reuse(text)
        #expect(try session.evaluate(Array(text[session.position...])).dense.array == expected, "\(stitch.id)")
      }
    }
  }

  @Test func trainingLowersTheLossOfEveryStitch() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 200)
    #expect(trainer.store.parameters.allSatisfy { $0.name.contains(".side.") })
    let judge = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    func losses() -> [Double] { family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), Self.batch) } }
    let before = losses()
    #expect(try trainer.run { _ in .goOn })
    for (index, (old, new)) in zip(before, losses()).enumerated() {
      #expect(new < old - 0.3, "\(family.stitches[index].id): \(old) → \(new)")
    }
  }

  /// On top of low-rank updates, which stay as they are; interrupted or not, the same bytes.
  @Test func onTopOfAnAdapter() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let first = try ESTATrainerTests.trainer(family, steps: 20)
    _ = try first.run { _ in .goOn }
    let below = first.snapshot()
    let whole = try Self.trainer(family, steps: 12, adapter: below)
    _ = try whole.run { _ in .goOn }
    let adapter = whole.snapshot()
    #expect(adapter.options.side != nil && adapter.options.rank == below.options.rank)
    for name in family.layout(below.options).declarations.map(\.name) {
      #expect(adapter.values(name) == below.values(name))
    }
    let checkpoint = folder.url.appendingPathComponent("checkpoint.safetensors")
    #expect(
      try Self.trainer(family, steps: 12, adapter: below).run(checkpoint: checkpoint, interval: 5) {
        $0.step == 7 ? .end : .goOn
      } == false)
    let second = try Self.trainer(family, steps: 12, adapter: below)
    _ = try second.run(checkpoint: checkpoint, interval: 5) { _ in .goOn }
    #expect(try ESTATrainerTests.bytes(second.snapshot(), folder) == ESTATrainerTests.bytes(adapter, folder))
    // Low-rank updates are not trained through it, sides do not add up, and files of other programs have no place for it.
    #expect(throws: TrainingError.self) {
      try ESTATrainer(
        family: family, adapter: adapter, settings: ESTATrainerTests.settings(steps: 1),
        examples: ESTATrainerTests.examples(), pool: ComputePool(threads: 1))
    }
    #expect(throws: AdapterMergeError.notAdditive(index: 1, what: "a side network")) {
      try Adapter.merged([(below, 1), (adapter, 1)], in: family)
    }
    #expect(throws: FamilyError.runsBeside(stitch: "small", what: "a side network")) {
      try MergedAnchor(family, stitch: "small", adapter: adapter)
    }
  }

  @Test func tooNarrow() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    var settings = ESTATrainerTests.settings(steps: 1)
    settings.method = .ladder
    settings.options = AdapterOptions(side: SideOptions(reduction: 8))
    #expect(throws: TrainingError.self) {
      try ESTATrainer(
        family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
        pool: ComputePool(threads: 1))
    }
  }
}

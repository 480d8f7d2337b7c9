import Foundation
import LLaMAStitch
import Support
import Testing

/// MeZO and DiZO: training by forward passes alone.
@Suite struct ForwardOnlyTests {
  private static let mezo = ZerothOrderSettings(epsilon: 1e-2)
  private static let dizo = ZerothOrderSettings(epsilon: 1e-2, projection: ProjectionSettings(interval: 5))

  private static func trainer(
    _ family: Family, _ settings: ZerothOrderSettings, steps: Int, threads: Int = 2, startDecay: Float = 0
  ) throws -> ESTATrainer {
    var all = ESTATrainerTests.settings(steps: steps, startDecay: startDecay)
    all.method = .forwardOnly(settings)
    all.optimizer.learningRate = 2e-2
    return try ESTATrainer(
      family: family, adapter: nil, settings: all, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: threads))
  }

  private static var batch: PackedBatch {
    var batch = PackedBatch()
    for example in ESTATrainerTests.examples(12) { batch.append(example.tokens, lossMask: example.lossMask) }
    return batch
  }

  /// Of a family of small anchors: a store whose low-rank factors are all random, and the network over it.
  private static func adapted(
    _ family: Family, _ id: String, options: AdapterOptions
  ) throws -> (ParameterStore, Network) {
    var settings = ESTATrainerTests.settings(steps: 1)
    settings.options = options
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 1))
    var random = SeededGenerator(seed: 4)
    for index in trainer.store.parameters.indices {
      let values = trainer.store.value(index)
      values.copy(from: (0..<values.count).map { _ in Float(0.3 * random.normal()) })
    }
    return (trainer.store, trainer.trainingNetwork(try family.stitch(id).route))
  }

  @Test func theLossIsThatOfTraining() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let options = AdapterOptions(rank: 4, alpha: 8)
    // Longer than what is computed at once; some go on from one piece to the next, one has nothing to learn.
    var batch = PackedBatch()
    for (index, tokens) in RandomModel.tokens(9, length: 47).enumerated() {
      let rows = index == 3 ? 20 : tokens.count
      batch.append(Array(tokens[..<rows]), lossMask: (0..<rows).map { index != 3 && $0 % (index + 2) != 1 })
    }
    batch.append([5])
    for stitch in family.stitches {
      let (store, network) = try Self.adapted(family, stitch.id, options: options)
      let exact = try Backpropagation(store: store, pool: ComputePool(threads: 2)).loss(network, batch)
      let losses = [1, 2].map { threads in
        MeZO(store: store, settings: Self.mezo, seed: 1, pool: ComputePool(threads: threads)).loss(network, batch)
      }
      #expect(abs(losses[0] - exact) < 1e-5 * exact && losses[0] == losses[1], "\(stitch.id)")
    }
  }

  /// E[g z] = ∇L: with d values, the mean of n estimates lies at a cosine of √(n / (n + d)).
  @Test func theEstimateIsTheGradientOnAverage() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let (store, network) = try Self.adapted(
      family, family.stitches[1].id, options: AdapterOptions(rank: 1, targets: [.query]))
    let pool = ComputePool(threads: 2)
    let (_, exact) = try Backpropagation(store: store, pool: pool).gradients(network, Self.batch)
    let before = store.values.vector.array
    let mezo = MeZO(store: store, settings: .init(epsilon: 3e-3), seed: 7, pool: pool)
    var mean = exact.mapValues { $0.map { _ in 0.0 } }
    let count = 3000
    for number in 0..<count {
      for (name, values) in mezo.gradients(network, Self.batch, number: number) {
        for (index, value) in values.enumerated() { mean[name]![index] += Double(value) / Double(count) }
      }
    }
    #expect(store.values.vector.array == before)
    let names = exact.keys.sorted()
    let gradient = names.flatMap { exact[$0]!.map(Double.init) }
    let estimate = names.flatMap { mean[$0]! }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let cosine = dot(gradient, estimate) / (dot(gradient, gradient) * dot(estimate, estimate)).squareRoot()
    let expected = (Double(count) / Double(count + gradient.count)).squareRoot()
    #expect(abs(cosine - expected) < 0.02, "\(cosine) instead of \(expected)")
    let length = dot(gradient, estimate) / dot(gradient, gradient)
    #expect(abs(length - 1) < 4 * (2 / Double(count)).squareRoot(), "\(length)")
  }

  @Test(arguments: [mezo, dizo]) func theLossFalls(settings: ZerothOrderSettings) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, settings, steps: 600)
    let judge = MeZO(store: trainer.store, settings: settings, seed: 1, pool: ComputePool(threads: 2))
    func losses() -> [Double] {
      family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), Self.batch, teacher: nil) }
    }
    let before = losses()
    #expect(try trainer.run { _ in .goOn })
    let after = losses()
    for (index, (old, new)) in zip(before, after).enumerated() {
      #expect(new < old, "\(family.stitches[index].id): \(old) → \(new)")
    }
    let fallen = zip(before, after).reduce(0.0) { $0 + $1.0 - $1.1 }
    #expect(fallen / Double(before.count) > 0.07)
    #expect(trainer.importance.values.allSatisfy { $0 > 0 })
  }

  /// Interrupted or not, on one thread or two.
  @Test(arguments: [mezo, dizo]) func theSameBytes(settings: ZerothOrderSettings) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let whole = try Self.trainer(family, settings, steps: 24, startDecay: 0.5)
    _ = try whole.run { _ in .goOn }
    let checkpoint = folder.url.appendingPathComponent("checkpoint.safetensors")
    let first = try Self.trainer(family, settings, steps: 24, threads: 1, startDecay: 0.5)
    #expect(try first.run(checkpoint: checkpoint, interval: 7) { $0.step == 13 ? .end : .goOn } == false)
    let second = try Self.trainer(family, settings, steps: 24, threads: 2, startDecay: 0.5)
    #expect(try second.run(checkpoint: checkpoint, interval: 7) { _ in .goOn })
    #expect(try ESTATrainerTests.bytes(second.snapshot(), folder) == ESTATrainerTests.bytes(whole.snapshot(), folder))
    #expect(second.drawn == whole.drawn)
    // Moments are none's.
    #expect(try SafetensorsFile(checkpoint).tensors.keys.allSatisfy { $0.hasPrefix("value.") })
  }

  /// Ratios learn what makes the loss small, and stay within 1 ± τ; what has not moved stays.
  @Test func projectionsAreLearnedWithinTheirRange() {
    let store = ParameterStore([
      .init("near", shape: [2, 2], decays: true), .init("far", shape: [3], decays: false),
      .init("still", shape: [2], decays: false),
    ])
    let start = FloatBuffer(count: store.values.count)
    for index in 0..<2 {
      for place in store.parameters[index].range { store.values[place] = index == 0 ? 1 : 2 }
    }
    // Best where the first is at 0.9 of its way and the second at twice, which is too far.
    func loss() -> Double {
      let (near, far) = (Double(store.value(0)[0]), Double(store.value(1)[0]) / 2)
      return (near - 0.9) * (near - 0.9) + 0.05 * (far - 2) * (far - 2)
    }
    let settings = ProjectionSettings(iterations: 200, epsilon: 0.05, rate: 0.05, range: 0.2)
    DivergenceProjection(settings, seed: 3, step: 0).apply(
      to: store, [0, 1, 2], start: start, held: FloatBuffer(count: store.values.count)
    ) { _ in loss() }
    #expect(store.value(0).array.allSatisfy { abs($0 - 0.9) < 0.06 }, "\(store.value(0).array)")
    #expect(store.value(1).array.allSatisfy { $0 > 2.3 && $0 < 2.400001 }, "\(store.value(1).array)")
    #expect(store.value(2).array == [0, 0])
  }
}

import Foundation
import LLaMAStitch
import Support
import Testing

/// Whether a loss changes as its gradients say.
enum FiniteDifferences {
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

  /// Of every stitch of a family, with a trainer each, whose values are made random.
  /// - Parameters:
  ///   - jumps: whether the loss jumps where something changes its sign.
  ///   - adjust: changes the random values.
  static func expect(
    of family: Family, jumps: Bool = false, adjust: (ParameterStore) -> Void = { _ in },
    _ trainer: (Family) throws -> ESTATrainer
  ) throws {
    for stitch in family.stitches {
      let trainer = try trainer(family)
      randomise(trainer.store)
      adjust(trainer.store)
      try expect(trainer, stitch.route, jumps: jumps)
    }
  }

  /// Training lowers the loss of every stitch, by so much at least.
  static func expectTraining(_ trainer: ESTATrainer, of family: Family, lowersLossBy least: Double) throws {
    let judge = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    func losses() -> [Double] { family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), batch) } }
    let before = losses()
    #expect(try trainer.run { _ in .goOn })
    for (index, (old, new)) in zip(before, losses()).enumerated() {
      #expect(new < old - least, "\(family.stitches[index].id): \(old) → \(new)")
    }
  }

  /// Of random values for everything trained: replies compute what training does, forward passes and backward ones
  /// alike; before training what the family did; and the same from a file.
  /// - Returns: the adapter of those values.
  static func expectRepliesAsTrained(
    _ trainer: ESTATrainer, of family: Family, in folder: TemporaryFolder
  ) throws
    -> Adapter
  {
    let start = trainer.snapshot()
    randomise(trainer.store)
    let adapter = trainer.snapshot()
    let file = folder.url.appendingPathComponent("random.safetensors")
    try adapter.write(to: file)
    let read = try Adapter.read(file, for: family)
    let pool = ComputePool(threads: 2)
    for stitch in family.stitches {
      let plain = try logits(family.network(stitch.route, adapter: nil))
      #expect(relativeDifference(try logits(family.network(stitch.route, adapter: start)), plain) < 1e-6)
      let changed = try logits(family.network(stitch.route, adapter: adapter))
      #expect(relativeDifference(changed, plain) > 0.1, "\(stitch.id)")
      #expect(try logits(family.network(stitch.route, adapter: read)) == changed)
      let network = trainer.trainingNetwork(stitch.route)
      let exact = try Backpropagation(store: trainer.store, pool: pool).loss(network, batch)
      let forward = MeZO(store: trainer.store, settings: .init(), seed: 1, pool: pool).loss(
        network, batch, teacher: nil)
      #expect(abs(forward - exact) < 1e-5 * exact, "\(stitch.id)")
    }
    return adapter
  }

  /// An anchor that is written with its adapter replies as it does with it.
  static func expectMerged(_ anchor: Stitch, of family: Family, _ adapter: Adapter, in folder: TemporaryFolder) throws {
    let merged = try MergedAnchor(family, stitch: anchor.id, adapter: adapter)
    #expect(merged.isChanged)
    let place = folder.url.appendingPathComponent("merged-\(anchor.id)")
    try merged.write(to: place, elementType: .f32, files: [:])
    let expected = try logits(family.network(anchor.route, adapter: adapter))
    #expect(
      relativeDifference(try logits(LlamaModel(ModelDirectory(place)).network()), expected) < 1e-4, "\(anchor.id)")
  }

  private static func logits(_ network: Network) throws -> [Float] {
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    return try InferenceSession(network: network, pool: ComputePool(threads: 2)).evaluate(tokens, logits: .all).dense
      .array
  }

  /// The loss changes along a random direction of each parameter as the gradient says; where it jumps, along most of the
  /// numbers that it depends on most.
  private static func expect(_ trainer: ESTATrainer, _ route: Route, jumps: Bool) throws {
    let network = trainer.trainingNetwork(route)
    let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    let (_, gradients) = rule.gradients(network, batch)
    #expect(gradients.count == network.parameters.count && !gradients.isEmpty)
    for index in network.parameters {
      let parameter = trainer.store.parameters[index]
      let values = trainer.store.value(index)
      let before = values.array
      let gradient = try #require(gradients[parameter.name])
      func difference(_ step: Float, along direction: [Float]) -> Double {
        func loss(_ step: Float) -> Double {
          values.copy(from: zip(before, direction).map { $0 + step * $1 })
          return rule.loss(trainer.trainingNetwork(route), batch)
        }
        defer { values.copy(from: before) }
        return (loss(step) - loss(-step)) / Double(2 * step)
      }
      let directions: [[Float]]
      if jumps {
        // What is rectified, and divided by a sum of such, jumps here and there: less often where one number changes.
        let largest = gradient.indices.sorted { abs(gradient[$0]) > abs(gradient[$1]) }.prefix(7)
        directions = largest.map { place in gradient.indices.map { $0 == place ? 1 : 0 } }
      } else {
        var random = SeededGenerator(seed: UInt64(index))
        directions = [before.map { _ in random.unit() < 0.5 ? -1 : 1 }]
      }
      let agreeing = directions.count { direction in
        let measured = difference(jumps ? 1e-3 : parameter.count == 1 ? 2e-3 : 3e-3, along: direction)
        let expected = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        return abs(measured - expected) < (jumps ? 1e-3 : 2e-3) + 0.02 * abs(expected)
      }
      // What weighs few things turns them on and off: its gradient is compared with PyTorch's alone.
      if jumps && parameter.name.hasSuffix(".weighing") { continue }
      #expect(2 * agreeing > directions.count, "\(parameter.name)")
      // What weighs several things makes no difference where there is one.
      if parameter.name.hasSuffix(".confidence") { continue }
      #expect(gradient.contains { $0 != 0 }, "\(parameter.name)")
    }
  }
}

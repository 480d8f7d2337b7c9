import Foundation
import LLaMAStitch
import Support
import Testing

/// Adapters merged by what their values matter, and by scales that are learned.
@Suite struct MergingTests {
  private static func family(in folder: TemporaryFolder) throws -> Family {
    try RandomModel.family(in: folder, depths: [2, 3])
  }

  /// With random values in every tensor.
  private static func adapter(
    _ family: Family, rank: Int = 2, seed: UInt64, spread: Double = 0.1, scope: BiasScope = .tail
  ) -> Adapter {
    let options = AdapterOptions(rank: rank, alpha: 3, scope: scope)
    var random = SeededGenerator(seed: seed)
    let tensors = family.layout(options).declarations.map { declaration -> (String, MatrixView) in
      let columns = declaration.shape[declaration.shape.count - 1]
      let rows = declaration.shape.reduce(1, *) / columns
      let values = (0..<rows * columns).map { _ in Float(spread * random.normal()) }
      return (declaration.name, FloatBuffer(values).matrix(rows: rows, columns: columns))
    }
    return Adapter(
      options: options, step: Int(seed), family: family, importance: [:],
      tensors: Dictionary(uniqueKeysWithValues: tensors))
  }

  private static func examples(_ count: Int, seed: UInt64) -> [TrainingExample] {
    RandomModel.tokens(count, length: 12, seed: seed).map { tokens in
      TrainingExample(tokens: tokens, lossMask: tokens.indices.map { $0 > 5 })
    }
  }

  private static func loss(_ family: Family, _ adapter: Adapter, _ examples: [TrainingExample]) throws -> Double {
    let trainer = try ESTATrainer(
      family: family, adapter: adapter, settings: AdaptationSettings(steps: 1), examples: examples,
      pool: ComputePool(threads: 1))
    let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
    var batch = PackedBatch()
    for example in examples { batch.append(example.tokens, lossMask: example.lossMask) }
    return family.stops.reduce(0) { $0 + rule.loss(trainer.trainingNetwork($1.route), batch, teacher: nil) }
      / Double(family.stops.count)
  }

  // MARK: Fisher

  /// The square of the slope of an example's log-likelihood, found by differences.
  @Test func fisherIsTheMeanSquareOfSlopes() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let adapter = Self.adapter(family, seed: 1)
    // As many as there are stops, so that every stop has one.
    let examples = Self.examples(family.stops.count, seed: 3)
    let pool = ComputePool(threads: 2)
    let fisher = try FisherMerging.fisher(of: adapter, in: family, examples: examples, pool: pool)
    let trainer = try ESTATrainer(
      family: family, adapter: adapter, settings: AdaptationSettings(steps: 1), examples: examples,
      pool: ComputePool(threads: 1))
    let rule = try Backpropagation(store: trainer.store, pool: pool)
    for name in ["anchors.medium.layers.1.self_attn.q_proj.lora_B", "anchors.medium.layers.2.self_attn.v_proj.lora_A"] {
      let index = try #require(trainer.store.index(of: name))
      let values = trainer.store.value(index)
      for place in [0, 5, values.count - 1] {
        var (squares, count) = (0.0, 0)
        for (number, example) in examples.enumerated() {
          let network = trainer.trainingNetwork(family.stops[number].route)
          guard network.parameters.contains(index) else { continue }
          var batch = PackedBatch()
          batch.append(example.tokens, lossMask: example.lossMask)
          let value = values[place]
          values[place] = value + 1e-2
          let above = rule.loss(network, batch, teacher: nil)
          values[place] = value - 1e-2
          let below = rule.loss(network, batch, teacher: nil)
          values[place] = value
          let slope = Double(batch.targetCount) * (above - below) / 2e-2
          squares += slope * slope
          count += 1
        }
        let expected = squares / Double(count)
        let found = Double(try #require(fisher[name])[place])
        #expect(abs(found - expected) < 0.03 * expected + 1e-6, "\(name)[\(place)]: \(found), \(expected)")
      }
    }
  }

  /// Values go where they matter; where they matter alike, to the mean.
  @Test func valuesAreWeighted() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let (one, two) = (Self.adapter(family, seed: 1), Self.adapter(family, seed: 2))
    let names = family.layout(one.options).declarations.map(\.name)
    func fisher(_ value: (Int) -> Float) -> [String: [Float]] {
      Dictionary(
        uniqueKeysWithValues: names.map { name in (name, one.values(name)!.indices.map { value($0) }) })
    }
    let even = try FisherMerging.merged(
      [(one, fisher { _ in 4 }, 1), (two, fisher { _ in 9 }, 1)], in: family)
    let split = try FisherMerging.merged(
      [(one, fisher { $0 % 2 == 0 ? 1 : 0 }, 1), (two, fisher { $0 % 2 == 0 ? 0 : 1 }, 1)], in: family)
    let weighted = try FisherMerging.merged(
      [(one, fisher { _ in 1 }, 3), (two, fisher { _ in 1 }, 1)], in: family)
    #expect(even.options == one.options)
    for name in names {
      let (a, b) = (one.values(name)!, two.values(name)!)
      for place in a.indices {
        #expect(abs(even.values(name)![place] - (a[place] + b[place]) / 2) < 1e-6)
        #expect(abs(split.values(name)![place] - (place % 2 == 0 ? a : b)[place]) < 1e-3)
        #expect(abs(weighted.values(name)![place] - (0.75 * a[place] + 0.25 * b[place])) < 1e-6)
      }
    }
  }

  @Test func unlikeAdaptersAreRefused() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let one = Self.adapter(family, seed: 1)
    let other = Self.adapter(family, rank: 3, seed: 2)
    let broken = Self.adapter(family, seed: 3).scaled(by: AdapterScale(first: 0, last: .nan), in: family)
    #expect(throws: AdapterMergeError.unlike(index: 1, what: "ranks")) { try FisherMerging.check([one, other]) }
    #expect(throws: AdapterMergeError.self) { try FisherMerging.check([one, broken]) }
    let settings = ScaleLearning.Settings(shape: .numbers, steps: 1)
    let error = try #require(throws: AdapterMergeError.self) {
      try ScaleLearning(
        [one, broken], in: family, settings: settings, examples: Self.examples(8, seed: 1),
        pool: ComputePool(threads: 1))
    }
    #expect(error.index == 1)
  }

  // MARK: ScaLearn

  /// What shares a scale.
  @Test func placesOfScales() throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    let adapters = [Self.adapter(family, seed: 1), Self.adapter(family, rank: 3, seed: 2)]
    for shape in [ScaleLearning.Shape.vectors, .numbers] {
      // Without a step what comes out is the sum, each adapter counting 2/T.
      let learning = try ScaleLearning(
        adapters, in: family, settings: .init(shape: shape, steps: 0), examples: Self.examples(8, seed: 1),
        pool: ComputePool(threads: 1))
      learning.run()
      let sum = try Adapter.merged(adapters.map { ($0, 1) }, in: family)
      for declaration in family.layout(sum.options).declarations {
        let name = declaration.name
        #expect(relativeDifference(learning.merged().values(name)!, sum.values(name)!) < 1e-6, "\(name)")
      }
    }
  }

  /// One adapter fits the data and the other does not: the first comes to count more, the loss falls, and nothing but
  /// scales has changed.
  @Test(arguments: [ScaleLearning.Shape.vectors, .numbers]) func scalesAreLearned(shape: ScaleLearning.Shape) throws {
    let folder = try TemporaryFolder()
    let family = try Self.family(in: folder)
    // A few sequences, to be learned by heart.
    let examples = (0..<24).flatMap { _ in Self.examples(3, seed: 5) }
    var settings = AdaptationSettings(steps: 60, tokensPerStep: 128)
    settings.options = AdapterOptions(rank: 2)
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: settings, examples: examples, pool: ComputePool(threads: 2))
    _ = try trainer.run { _ in .goOn }
    let good = trainer.snapshot()
    let bad = Self.adapter(family, seed: 7, spread: 0.3)
    var learned = ScaleLearning.Settings(shape: shape, steps: 80)
    learned.tokensPerStep = 128
    learned.learningRate = 0.05
    learned.dropout = 0
    func run() throws -> Adapter {
      let learning = try ScaleLearning(
        [good, bad], in: family, settings: learned, examples: examples, pool: ComputePool(threads: 2))
      learning.run()
      return learning.merged()
    }
    let merged = try run()
    let before = try Self.loss(family, Adapter.merged([(good, 1), (bad, 1)], in: family), examples)
    let after = try Self.loss(family, merged, examples)
    let alone = try Self.loss(family, good, examples)
    #expect(after < before - 0.5 * (before - alone), "\(before) \(after) \(alone)")
    // The same again is the same.
    for declaration in family.layout(merged.options).declarations {
      let name = declaration.name
      #expect(try run().values(name) == merged.values(name))
      // Columns of B that come from one adapter are its own, times a number a row.
      if name.hasSuffix(".lora_A") {
        #expect(merged.values(name) == (good.values(name)! + bad.values(name)!))
      }
      break
    }
  }
}

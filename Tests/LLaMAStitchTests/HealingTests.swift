import Foundation
import LLaMAStitch
import Support
import Testing

/// Distillation, and healing: stitches that learn to answer like the dearest anchor, which stays as it is.
@Suite struct HealingTests {
  private static let selfRoute = Route([
    Route.Segment(anchor: 0, blocks: 0..<2), Route.Segment(anchor: 0, blocks: 3..<5),
  ])
  private static let chain = Route([
    Route.Segment(anchor: 0, blocks: 0..<1), Route.Segment(anchor: 0, blocks: 2..<3),
    Route.Segment(anchor: 0, blocks: 4..<5),
  ])
  private static let whole = Route(anchor: 0, depth: 5)

  /// One anchor of five blocks with two self-routes.
  private static func family(in folder: URL, storedAs type: ElementType? = nil) throws -> Family {
    let configuration = RandomModel.configuration(hidden: 32, blocks: 5)
    let directory = try RandomModel.write(
      configuration, weights: RandomModel.weights(configuration, seed: 1), to: folder.appending(path: "one"))
    var options = FamilyBuilder.Options(name: "one", chatTemplate: "tiny")
    options.moreRoutes = [selfRoute, chain]
    options.elementType = type
    return try FamilyBuilder(
      [FamilyBuilder.Anchor(name: "one", directory: directory)], options: options, pool: ComputePool(threads: 2)
    ).build(
      calibration: RandomModel.tokens(40, length: 20), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.appending(path: "family"))!
  }

  private static func trainer(
    _ family: Family, steps: Int, share: Float = 1, targets: [AdapterTarget] = AdapterTarget.allCases,
    adapter: Adapter? = nil
  ) throws -> ESTATrainer {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.options = AdapterOptions(rank: 4, targets: targets, keepsPrefix: true)
    settings.distillationShare = share
    return try ESTATrainer(
      family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 2))
  }

  private static var batch: PackedBatch {
    var batch = PackedBatch()
    for example in ESTATrainerTests.examples(8) { batch.append(example.tokens, lossMask: example.lossMask) }
    return batch
  }

  private static func logits(_ network: Network, _ tokens: [Int]) throws -> [[Float]] {
    let logits = try InferenceSession(network: network).evaluate(tokens, logits: .all)
    return (0..<logits.rows).map { logits.row($0).array }
  }

  /// The loss is what the formula says, computed in double precision from logits.
  @Test(arguments: [Float(1), 0.9, 0.25]) func theLossIsTheFormula(share: Float) throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let (teacher, student) = (
        family.network(Self.whole, adapter: nil), family.network(Self.selfRoute, adapter: nil)
      )
      let trainer = try Self.trainer(family, steps: 1)
      let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
      let tokens = RandomModel.tokens(1, length: 20, seed: 3)[0]
      var batch = PackedBatch()
      batch.append(tokens)
      func logProbabilities(_ logits: [Double]) -> [Double] {
        let top = logits.max()!
        let sum = logits.reduce(0) { $0 + exp($1 - top) }
        return logits.map { $0 - top - log(sum) }
      }
      let taught = PlainForward.logits(teacher, tokens.map(Int.init)).map(logProbabilities)
      let found = PlainForward.logits(student, tokens.map(Int.init)).map(logProbabilities)
      var expected = 0.0
      for row in 0..<tokens.count - 1 {
        let divergence = zip(taught[row], found[row]).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        expected += Double(share) * divergence - Double(1 - share) * found[row][Int(tokens[row + 1])]
      }
      let loss = rule.loss(
        trainer.trainingNetwork(Self.selfRoute), batch, teacher: Teacher(teacher, share: share))
      #expect(abs(loss - expected / Double(tokens.count - 1)) < 1e-4)
      let itself = rule.loss(
        trainer.trainingNetwork(Self.whole), batch, teacher: Teacher(teacher, share: 1))
      #expect(abs(itself) < 1e-5)
    }
  }

  /// Along a random direction of each parameter the loss changes as the gradient says.
  @Test func finiteDifferences() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let trainer = try Self.trainer(family, steps: 10)
      _ = try trainer.run { _ in .goOn }
      let store = trainer.store
      let rule = try Backpropagation(store: store, pool: ComputePool(threads: 2))
      let teacher = Teacher(family.network(Self.whole, adapter: nil), share: 0.7)
      let network = trainer.trainingNetwork(Self.chain)
      let (_, gradients) = rule.gradients(network, Self.batch, teacher: teacher)
      #expect(!gradients.isEmpty)
      for index in network.parameters {
        let values = store.value(index)
        let before = values.array
        var random = SeededGenerator(seed: UInt64(index + 1))
        let direction = before.map { _ -> Float in random.unit() < 0.5 ? 1 : -1 }
        let step: Float = 2e-3
        values.copy(from: zip(before, direction).map { $0 + step * $1 })
        let above = rule.loss(network, Self.batch, teacher: teacher)
        values.copy(from: zip(before, direction).map { $0 - step * $1 })
        let below = rule.loss(network, Self.batch, teacher: teacher)
        values.copy(from: before)
        let name = store.parameters[index].name
        let expected = zip(gradients[name]!, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        #expect(abs((above - below) / Double(2 * step) - expected) < 2e-3 + 0.02 * abs(expected), "\(name)")
      }
    }
  }

  /// What teacher and student have in common may run once: nothing changes.
  @Test func sharedStages() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let trainer = try Self.trainer(family, steps: 10)
      _ = try trainer.run { _ in .goOn }
      let rule = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
      let network = trainer.trainingNetwork(Self.selfRoute)
      let whole = family.network(Self.whole, adapter: nil)
      let apart = rule.gradients(network, Self.batch, teacher: Teacher(whole, share: 0.9))
      for shared in 1...2 {
        let together = rule.gradients(
          network, Self.batch, teacher: Teacher(whole, share: 0.9, sharedStages: shared))
        #expect(together.loss == apart.loss && together.gradients == apart.gradients)
      }
    }
  }

  /// Healing brings stitches nearer to the anchor, and is read back as a part of the family: the anchor's bits are as they
  /// were, other adapters come on top, and it can go on.
  @Test func healing() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let trainer = try Self.trainer(family, steps: 120)
      let before = trainer.heldOutLosses(all: true)
      #expect(try trainer.run { _ in .goOn })
      let after = trainer.heldOutLosses(all: true)
      for stitch in family.stitches where !stitch.route.isAnchor {
        #expect(after[stitch.id]! < 0.8 * before[stitch.id]!, "\(stitch.id)")
      }
      #expect(trainer.drawn[family.names[0]] == 0 && before[family.names[0]]! < 1e-5)

      let output = folder.appending(path: "healed")
      try family.writeHealed(to: output, by: trainer.snapshot())
      let healed = try Family(output)
      #expect(healed.healing != nil && healed.identity != family.identity)
      #expect(healed.unhealed.identity == family.identity)
      #expect(try healed.ownAdapter() == nil)
      let tokens = RandomModel.tokens(1, length: 30, seed: 5)[0].map(Int.init)
      #expect(
        try Self.logits(healed.network(Self.whole, adapter: nil), tokens)
          == Self.logits(family.network(Self.whole, adapter: nil), tokens))
      for route in [Self.selfRoute, Self.chain] {
        let network = healed.network(route, adapter: nil)
        let expected = PlainForward.logits(trainer.trainingNetwork(route), tokens)
        for (row, found) in try Self.logits(network, tokens).enumerated() {
          #expect(relativeDifference(found, expected[row].map(Float.init)) < 1e-4)
        }
        #expect(network.leadingBlocksHaveNoDeltas(route.leadingBlockCount))
      }

      // A lesson on top changes the anchor, too, and begins where healing ended.
      let lesson = try ESTATrainerTests.trainer(healed, steps: 30)
      let start = PlainForward.logits(lesson.trainingNetwork(Self.chain), tokens)
      for (row, found) in try Self.logits(healed.network(Self.chain, adapter: nil), tokens).enumerated() {
        #expect(relativeDifference(found, start[row].map(Float.init)) < 1e-4)
      }
      _ = try lesson.run { _ in .goOn }
      let taught = folder.appending(path: "taught")
      try healed.writeCopy(to: taught, adapter: lesson.snapshot(), stops: nil)
      let again = try Family(taught)
      let adapter = try #require(try again.ownAdapter())
      #expect(again.identity == healed.identity)
      let expected = PlainForward.logits(lesson.trainingNetwork(Self.chain), tokens)
      for (row, found) in try Self.logits(again.network(Self.chain, adapter: adapter), tokens).enumerated() {
        #expect(relativeDifference(found, expected[row].map(Float.init)) < 1e-4)
      }
      #expect(
        try Self.logits(again.network(Self.whole, adapter: adapter), tokens)
          != Self.logits(healed.network(Self.whole, adapter: nil), tokens))

      // More healing begins where it stopped.
      let more = try Self.trainer(healed.unhealed, steps: 1, adapter: healed.healing?.adapter)
      #expect(more.heldOutLosses(all: true) == after)
    }
  }

  /// Beside a quantised base low-rank factors take half the space, and answers are the same but
  /// for the rounding of the layers' factors: those of blocks are multiplied so anyhow.
  @Test func besideAQuantisedBaseFactorsAreBF16() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder, storedAs: .q8_0)
      let trainer = try Self.trainer(family, steps: 5)
      _ = try trainer.run { _ in .goOn }
      let output = folder.appending(path: "healed")
      try family.writeHealed(to: output, by: trainer.snapshot())
      let file = try SafetensorsFile(output.appending(path: FamilyDescription.healingName))
      for name in file.tensors.keys {
        #expect(try file.tensor(name).type == (name.hasSuffix("bias") ? .f32 : .bf16), "\(name)")
      }
      let tokens = RandomModel.tokens(1, length: 30, seed: 5)[0].map(Int.init)
      let healed = try Family(output)
      let direct = try Self.logits(family.network(Self.chain, adapter: trainer.snapshot()), tokens)
      for (row, found) in try Self.logits(healed.network(Self.chain, adapter: nil), tokens).enumerated() {
        #expect(relativeDifference(found, direct[row]) < 0.1)
      }
    }
  }

  @Test func whatHealingRefuses() throws {
    try withScratchDirectory { folder in
      let family = try Self.family(in: folder)
      let trainer = try Self.trainer(family, steps: 2)
      _ = try trainer.run { _ in .goOn }
      let output = folder.appending(path: "healed")
      try family.writeHealed(to: output, by: trainer.snapshot())
      // Of another family.
      let file = output.appending(path: FamilyDescription.healingName)
      let good = try Data(contentsOf: file)
      let description = output.appending(path: FamilyDescription.fileName)
      let text = try String(contentsOf: description, encoding: .utf8)
      try text.replacing(family.description.stitchesSHA256, with: "0").write(
        to: description, atomically: true, encoding: .utf8)
      #expect(throws: FamilyError.self) { try Family(output) }
      try text.write(to: description, atomically: true, encoding: .utf8)
      // Damaged, and missing.
      try good.prefix(good.count / 2).write(to: file)
      #expect(throws: (any Error).self) { try Family(output) }
      try FileManager.default.removeItem(at: file)
      #expect(throws: (any Error).self) { try Family(output) }
      // Nothing to heal, and nothing to train all weights of.
      let alone = try FamilyBuilder(
        [FamilyBuilder.Anchor(name: "one", directory: ModelDirectory(folder.appending(path: "one")))],
        options: FamilyBuilder.Options(name: "alone", chatTemplate: "tiny"), pool: ComputePool(threads: 1)
      ).build(calibration: [], tokenizer: [:], output: folder.appending(path: "alone"))!
      #expect(throws: TrainingError.self) { try Self.trainer(alone, steps: 1) }
    }
  }

  /// Adapters written before there were targets are for attention.
  @Test func optionsOfOldAdapters() throws {
    let old = #"{"rank":4,"alpha":4,"scope":"tail","trainsBiases":true,"updatesLayers":true}"#
    let options = try JSONDecoder().decode(AdapterOptions.self, from: Data(old.utf8))
    #expect(options == AdapterOptions(rank: 4))
    #expect(try JSONDecoder().decode(AdapterOptions.self, from: JSONEncoder().encode(options)) == options)
  }
}

extension Network {
  fileprivate func leadingBlocksHaveNoDeltas(_ count: Int) -> Bool {
    blocks.prefix(count).allSatisfy { $0.projections.allSatisfy(\.deltas.isEmpty) }
  }
}

import Foundation
import LLaMAStitch
import Support
import Testing

@Suite struct StitchSamplerTests {
  /// Costs 0, 1, 2 and 10, 11 in two bins; β = ½. Worked out by hand.
  func sampler(temperature: Double = 1, warmup: Int = 0) -> StitchSampler {
    StitchSampler(
      costs: [0, 1, 2, 10, 11], settings: .init(bins: 2, temperature: temperature, decay: 0.5, warmup: warmup))
  }

  @Test func cheapBinsAreDrawnMoreOften() {
    // Mean costs 2 and 6: with γ = 1, three draws of four go to the first.
    var sampler = StitchSampler(costs: [1, 3, 5, 7], settings: .init(bins: 2, warmup: 0, costExponent: 1))
    var random = SeededGenerator(seed: 3)
    for _ in 0..<4000 { _ = sampler.draw(&random) }
    for cheap in [0, 1] { #expect((1400...1600).contains(sampler.drawn[cheap]), "\(sampler.drawn)") }
    for dear in [2, 3] { #expect((430...570).contains(sampler.drawn[dear]), "\(sampler.drawn)") }
  }

  @Test func onlyCandidatesAreDrawn() {
    var sampler = StitchSampler(costs: [1, 2, 3, 4, 5], candidates: [0, 3, 4], settings: .init(bins: 2, warmup: 50))
    #expect(sampler.bins == [[0, 3], [4]])
    var random = SeededGenerator(seed: 4)
    for _ in 0..<200 { _ = sampler.draw(&random) }
    #expect(sampler.drawn[1] == 0 && sampler.drawn[2] == 0)
    for candidate in [0, 3, 4] { #expect(sampler.drawn[candidate] > 20, "\(sampler.drawn)") }
  }

  @Test func binsOfEqualNumber() {
    #expect(sampler().bins == [[0, 1, 2], [3, 4]])
    #expect(StitchSampler(costs: [9, 1, 1, 1, 5, 7], settings: .init(bins: 3)).bins == [[1, 2], [3, 4], [0, 5]])
    #expect(StitchSampler(costs: [3, 4], settings: .init(bins: 8)).bins == [[0], [1]])
  }

  @Test func theMovingAverageIsCorrectedForItsStart() {
    var sampler = sampler()
    #expect(sampler.importance(0) == 0)
    sampler.update(0, sensitivity: 8)
    // I = ½·0 + ½·8 = 4, corrected by 1 − ½ = ½.
    #expect(sampler.importance(0) == 8)
    sampler.update(0, sensitivity: 2)
    // I = ½·4 + ½·2 = 3, corrected by 1 − ¼ = ¾.
    #expect(sampler.importance(0) == 4)
    sampler.update(0, sensitivity: .nan)
    #expect(sampler.importance(0) == 4)
  }

  @Test func withinABinBySoftmaxOfStandardisedImportance() {
    var sampler = sampler()
    sampler.update(3, sensitivity: 1)
    sampler.update(4, sensitivity: 3)
    // Mean 2, deviation 1: z = −1 and 1; softmax = 1/(1 + e²) and its complement.
    let expected = 1 / (1 + exp(2.0))
    let found = sampler.probabilities(inBin: 1)
    #expect(abs(found[0] - expected) < 1e-12)
    #expect(abs(found[1] - (1 - expected)) < 1e-12)
    // Nothing known: uniform.
    let third: Double = 1.0 / 3
    #expect(sampler.probabilities(inBin: 0) == [Double](repeating: third, count: 3))
  }

  @Test func temperatureFlattens() {
    var sampler = sampler(temperature: 2)
    sampler.update(3, sensitivity: 1)
    sampler.update(4, sensitivity: 3)
    let expected: Double = 1 / (1 + exp(1.0))
    #expect(abs(sampler.probabilities(inBin: 1)[0] - expected) < 1e-12)
  }

  @Test func binsAreDrawnEquallyWhateverTheySize() {
    var sampler = sampler()
    var random = SeededGenerator(seed: 1)
    for _ in 0..<10_000 { _ = sampler.draw(&random) }
    let cheap = sampler.drawn[0...2].reduce(0, +)
    #expect(abs(cheap - 5000) < 200)
    // Without importance each of three is drawn a third of the time.
    for stitch in 0...2 {
      let distance: Int = abs(sampler.drawn[stitch] - cheap / 3)
      #expect(distance < 200)
    }
  }

  @Test func theFirstDrawsAreUniformOverAllStitches() {
    var sampler = sampler(warmup: 10_000)
    var random = SeededGenerator(seed: 2)
    for _ in 0..<10_000 { _ = sampler.draw(&random) }
    for count in sampler.drawn { #expect(abs(count - 2000) < 200) }
  }

  @Test func deployedAreTheBestOfEachBinAndTheAnchors() {
    var sampler = sampler()
    sampler.update(0, sensitivity: 1)
    sampler.update(1, sensitivity: 5)
    sampler.update(2, sensitivity: 3)
    sampler.update(3, sensitivity: 2)
    sampler.update(4, sensitivity: 1)
    #expect(sampler.deployed(always: []) == [1, 3])
    #expect(sampler.deployed(always: [0, 4]) == [0, 1, 3, 4])
  }
}

@Suite struct ESTATrainerTests {
  static func examples(_ count: Int = 60) -> [TrainingExample] {
    // Each token is followed by the next number: something to learn.
    (0..<count).map { start in
      TrainingExample(
        tokens: (0..<12).map { Int32((start * 5 + $0) % 32) }, lossMask: (0..<12).map { $0 >= 4 })
    }
  }

  static func settings(
    steps: Int, scope: BiasScope = .tail, stitches: TrainedStitches = .all, startDecay: Float = 0
  ) -> AdaptationSettings {
    AdaptationSettings(
      stitches: stitches, steps: steps, tokensPerStep: 96, tokensPerMicroBatch: 48,
      optimizer: OptimizerSettings(learningRate: 1e-2, warmupSteps: 2, startDecay: startDecay),
      options: AdapterOptions(rank: 4, alpha: 8, scope: scope),
      sampler: .init(bins: 3, warmup: 5))
  }

  static func trainer(
    _ family: Family, steps: Int, scope: BiasScope = .tail, stitches: TrainedStitches = .all, startDecay: Float = 0
  ) throws -> ESTATrainer {
    try ESTATrainer(
      family: family, adapter: nil,
      settings: settings(steps: steps, scope: scope, stitches: stitches, startDecay: startDecay),
      examples: examples(), pool: ComputePool(threads: 2))
  }

  static func bytes(_ adapter: Adapter, _ folder: TemporaryFolder) throws -> Data {
    let file = folder.url.appendingPathComponent("\(UUID().uuidString).safetensors")
    try adapter.write(to: file)
    return try Data(contentsOf: file)
  }

  @Test func adaptingLowersTheLossOfEveryStitch() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 150)
    var batch = PackedBatch()
    for example in Self.examples() { batch.append(example.tokens, lossMask: example.lossMask) }
    let judge = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
    let before = family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), batch) }
    #expect(try trainer.run { _ in .goOn })
    let after = family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), batch) }
    for (index, stitch) in family.stitches.enumerated() { #expect(after[index] < before[index] - 0.3, "\(stitch.id)") }
    #expect(trainer.drawn.values.reduce(0, +) == 150)
  }

  /// θ ← θ′ + ηλ (θ₀ − θ′), where θ′ is what the same step gives without decay and η is half of the rate in the first of
  /// two steps of warm-up.
  @Test func startDecayPullsBack() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let start = try Self.trainer(family, steps: 1).store.values.vector.array
    func afterOneStep(_ decay: Float) throws -> [Float] {
      let trainer = try Self.trainer(family, steps: 1, startDecay: decay)
      _ = try trainer.run { _ in .goOn }
      return trainer.store.values.vector.array
    }
    let plain = try afterOneStep(0)
    let decayed = try afterOneStep(40)
    #expect(plain != start)
    for index in start.indices {
      let expected = plain[index] + 0.005 * 40 * (start[index] - plain[index])
      #expect(abs(decayed[index] - expected) < 1e-7)
    }
  }

  @Test func onlyTheStopsAreTrainedWhereAsked() throws {
    let folder = try TemporaryFolder()
    let whole = try RandomModel.family(in: folder)
    let stops = [whole.stitches.first!.id, whole.stitches.last!.id]
    #expect(whole.stitches.count > 2)
    let file = whole.directory.appendingPathComponent("family.json")
    var description = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    description["stops"] = stops
    try JSONSerialization.data(withJSONObject: description).write(to: file)
    let trainer = try Self.trainer(Family(whole.directory), steps: 40, stitches: .stops)
    _ = try trainer.run { _ in .goOn }
    #expect(Set(trainer.drawn.filter { $0.value > 0 }.keys) == Set(stops))
    #expect(Set(trainer.importance.keys) == Set(stops))
  }

  @Test func frozenWeightsStayBitForBit() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func contents() throws -> [String: Data] {
      var all: [String: Data] = [:]
      let files = try #require(FileManager.default.subpaths(atPath: family.directory.path))
      for file in files where file.contains(".") {
        let url = family.directory.appendingPathComponent(file)
        if !url.hasDirectoryPath, let data = try? Data(contentsOf: url) { all[file] = data }
      }
      return all
    }
    let before = try contents()
    let weights = family.anchors.map { $0.blocks[0].attention.query.weight.floats() }
    let trainer = try Self.trainer(family, steps: 10)
    _ = try trainer.run { _ in .goOn }
    #expect(try contents() == before)
    #expect(family.anchors.map { $0.blocks[0].attention.query.weight.floats() } == weights)
    #expect(!trainer.store.parameters.contains { $0.name.contains("mlp") || $0.name.hasSuffix(".weight") })
  }

  @Test(arguments: BiasScope.allCases) func aStepChangesOnlyWhatItsStitchUses(scope: BiasScope) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 3], widths: [16, 24, 32])
    let trainer = try Self.trainer(family, steps: 12, scope: scope)
    var before = trainer.store.parameters.indices.map { trainer.store.value($0).array }
    let layout = family.layout(trainer.settings.options)
    _ = try trainer.run { progress in
      let route = try family.stitch(progress.stitch).route
      let used = Set(trainer.trainingNetwork(route).parameters)
      for index in trainer.store.parameters.indices {
        let now = trainer.store.value(index).array
        let parameter = trainer.store.parameters[index].name
        if !used.contains(index) { #expect(now == before[index], "\(parameter) in \(progress.stitch)") }
        // B and biases move at once; A does when B is no longer zero.
        if used.contains(index) && !parameter.hasSuffix("lora_A") {
          #expect(now != before[index], "\(parameter) in \(progress.stitch)")
        }
        before[index] = now
      }
      // What it uses: LoRA of its blocks, biases of its own or of its starting anchor, its stitching layer.
      let names = Set(used.map { trainer.store.parameters[$0].name })
      for (segment, anchor, block) in route.blocks {
        #expect(names.contains(layout.lowRankName(anchor: anchor, block: block, .query) + ".lora_A"))
        let site = Assembler.Site.block(segment: segment, anchor: anchor, block: block, .output)
        guard case .bias(let bias) = layout.slots(route, site)[0] else {
          Issue.record("no bias")
          continue
        }
        #expect(names.contains(bias))
        let isShared = route.isAnchor || (scope == .tail && segment == 0)
        #expect(bias.hasPrefix("anchors.") == isShared)
      }
      return .goOn
    }
  }

  /// Two stitches that start in one anchor: bit-identical prefixes under scope `tail`, not so under `all`.
  @Test(arguments: BiasScope.allCases) func prefixes(scope: BiasScope) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let trainer = try Self.trainer(family, steps: 40, scope: scope)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    func prefixLogits(_ id: String) throws -> [Float] {
      let network = family.network(try family.stitch(id).route, adapter: adapter)
      let anchor = family.anchors[0].network()
      let prefix = Network(
        embedding: network.embedding, stages: Array(network.stages.prefix(2)), finalNorm: anchor.finalNorm,
        finalNormEpsilon: anchor.finalNormEpsilon, head: anchor.head)
      return try InferenceSession(network: prefix).evaluate(tokens, logits: .all).dense.array
    }
    // Both run two blocks of `small` before they part.
    let one = try prefixLogits("small-medium@2")
    let other = try prefixLogits("small-medium@3")
    let anchor = try prefixLogits("small")
    if scope == .tail {
      #expect(one == other && one == anchor)
    } else {
      #expect(one != other && one != anchor)
    }
  }

  @Test(arguments: [0, 1] as [Float]) func aKilledRunResumesToTheSameBytes(startDecay: Float) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let whole = try Self.trainer(family, steps: 30, startDecay: startDecay)
    _ = try whole.run { _ in .goOn }
    let checkpoint = folder.url.appendingPathComponent("checkpoint.safetensors")
    // Stopped at step 7 (checkpoint there), then killed at step 14, after the checkpoint of step 10.
    struct Killed: Error {}
    #expect(
      try !Self.trainer(family, steps: 30, startDecay: startDecay).run(checkpoint: checkpoint) {
        $0.step == 7 ? .end : .goOn
      })
    #expect(throws: Killed.self) {
      try Self.trainer(family, steps: 30, startDecay: startDecay).run(checkpoint: checkpoint, interval: 5) {
        if $0.step == 14 { throw Killed() }
        return .goOn
      }
    }
    let resumed = try Self.trainer(family, steps: 30, startDecay: startDecay)
    var first: Int?
    _ = try resumed.run(checkpoint: checkpoint) {
      first = first ?? $0.step
      return .goOn
    }
    #expect(first == 11)
    #expect(try Self.bytes(resumed.snapshot(), folder) == Self.bytes(whole.snapshot(), folder))
  }

  @Test func anAdapterReadsBackAndBelongsToItsFamily() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 5)
    _ = try trainer.run { _ in .goOn }
    let file = folder.url.appendingPathComponent("adapter.safetensors")
    try trainer.snapshot().write(to: file)
    let read = try Adapter.read(file, for: family)
    #expect(read.step == 5 && read.options == trainer.settings.options)
    // Training and inference compute the same with it.
    let tokens = RandomModel.tokens(1, length: 20, seed: 3)[0]
    var batch = PackedBatch()
    batch.append(tokens)
    let judge = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 1))
    for stitch in family.stitches {
      let session = InferenceSession(network: family.network(stitch.route, adapter: read))
      let nll = try Scorer.negativeLogLikelihoods(of: tokens.map(Int.init), session: session)
      let mean = nll.reduce(0, +) / Double(nll.count)
      #expect(abs(mean - judge.loss(trainer.trainingNetwork(stitch.route), batch)) < 1e-4, "\(stitch.id)")
    }
    let otherFolder = try TemporaryFolder()
    let other = try RandomModel.family(in: otherFolder, depths: [3, 3])
    #expect(throws: FamilyError.foreignAdapter(file: file.path, family: other.directory.path)) {
      try Adapter.read(file, for: other)
    }
  }
}

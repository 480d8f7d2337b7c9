import Foundation
import LLaMAStitch
import Support
import Testing

/// The methods that ESTA is measured against, and its ablations.
@Suite struct MethodTests {
  static func settings(_ method: AdaptationMethod, steps: Int) -> AdaptationSettings {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.method = method
    return settings
  }

  static func snNet(
    _ family: Family, steps: Int = 12, anchorSteps: Int = 6, keepsLayers: Bool = false
  ) throws -> SNNetTrainer {
    try SNNetTrainer(
      family: family, settings: settings(.snNet(anchorSteps: anchorSteps, keepsLayers: keepsLayers), steps: steps),
      examples: ESTATrainerTests.examples(), pool: ComputePool(threads: 2))
  }

  private static func values(_ store: ParameterStore) -> [String: [Float]] {
    Dictionary(
      uniqueKeysWithValues: store.parameters.indices.map { (store.parameters[$0].name, store.value($0).array) })
  }

  /// Every file below a directory.
  private static func tree(_ directory: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
      let url = directory.appendingPathComponent(path)
      if try FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType == .typeRegular {
        files[path] = try Data(contentsOf: url)
      }
    }
    return files
  }

  // MARK: SN-Net

  @Test(arguments: [false, true]) func snNetTrainsTheAnchorsAloneAndThenEverything(tied: Bool) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 3], widths: [16, 24, 32], tied: tied)
    let original = try Self.tree(family.directory)
    let trainer = try Self.snNet(family, steps: 150, anchorSteps: 6)
    let start = Self.values(trainer.store)
    var before = start
    let anchors = ["small", "small", "medium", "medium", "large", "large"]
    let isDone = try trainer.run { progress in
      let now = Self.values(trainer.store)
      let changed = Set(now.keys.filter { now[$0] != before[$0] })
      if progress.step <= 6 {
        // All of one anchor, and nothing else.
        #expect(progress.stitch == anchors[progress.step - 1])
        let index = (progress.step - 1) / 2
        #expect(changed == Set(now.keys.filter { $0.hasPrefix("anchor.\(index).") }))
      } else if progress.step == 7 {
        // Fitted anew, all of them.
        #expect(changed.isSuperset(of: now.keys.filter { $0.hasPrefix("layer.") }))
      } else {
        let isAnchor = try family.stitch(progress.stitch).route.isAnchor
        #expect(changed.count { $0.hasPrefix("layer.") } == (isAnchor ? 0 : 2))
      }
      before = now
      return .goOn
    }
    #expect(isDone)
    for (name, values) in start { #expect(before[name] != values, "\(name)") }
    let output = folder.url.appendingPathComponent("tuned")
    let files = try trainer.write(to: output)
    #expect(try Self.tree(family.directory) == original)
    let tuned = try Family(output)
    #expect(tuned.stitches.map(\.id) == family.stitches.map(\.id) && tuned.stops == tuned.stitches)
    #expect(try tuned.ownAdapter() == nil && tuned.identity != family.identity)
    #expect(tuned.anchors.map(\.configuration) == family.anchors.map(\.configuration))
    // What is written is what was trained, and it learned.
    let tokens = ESTATrainerTests.examples()[1].tokens.map(Int.init)
    for stitch in tuned.stitches {
      func loss(_ family: Family) throws -> Double {
        try Scorer.negativeLogLikelihoods(
          of: tokens, session: InferenceSession(network: family.network(stitch.route, adapter: nil))
        ).suffix(8).reduce(0, +) / 8
      }
      #expect(try loss(tuned) < loss(family) - 0.3, "\(stitch.id)")
    }
    let names = Set(files.map { $0.path.dropFirst(output.path.count + 1).description })
    #expect(
      names == [
        "anchors/small/model.safetensors", "anchors/medium/model.safetensors", "anchors/large/model.safetensors",
        "stitches.safetensors",
      ])
  }

  @Test func snNetMayKeepTheStitchingLayers() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    for keeps in [true, false] {
      let trainer = try Self.snNet(family, steps: 7, keepsLayers: keeps)
      let start = Self.values(trainer.store).filter { $0.key.hasPrefix("layer.") }
      _ = try trainer.run { _ in .goOn }
      let now = Self.values(trainer.store)
      // One joint step trains at most one of the two layers.
      #expect(start.count { now[$0.key] == $0.value } >= (keeps ? 2 : 0))
      #expect(keeps || start.allSatisfy { now[$0.key] != $0.value })
    }
  }

  @Test func snNetKilledAnywhereResumesToTheSameBytes() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func output(_ name: String) -> URL { folder.url.appendingPathComponent(name) }
    let whole = try Self.snNet(family)
    _ = try whole.run { _ in .goOn }
    _ = try whole.write(to: output("whole"))
    struct Killed: Error {}
    // In the first stage, at its end, and in the second.
    for (kill, interval) in [(4, 3), (7, 6), (7, 7), (11, 4)] {
      let checkpoint = folder.url.appendingPathComponent("checkpoint-\(kill)-\(interval)")
      #expect(throws: Killed.self) {
        try Self.snNet(family).run(checkpoint: checkpoint, interval: interval) {
          if $0.step == kill { throw Killed() }
          return .goOn
        }
      }
      let resumed = try Self.snNet(family)
      var first: Int?
      _ = try resumed.run(checkpoint: checkpoint) {
        first = first ?? $0.step
        return .goOn
      }
      #expect(first == (kill - 1) / interval * interval + 1)
      #expect(resumed.cost.tokens == whole.cost.tokens)
      _ = try resumed.write(to: output("resumed-\(kill)-\(interval)"))
      #expect(
        try Self.tree(output("resumed-\(kill)-\(interval)")) == Self.tree(output("whole")), "\(kill), \(interval)")
    }
  }

  @Test func snNetNeedsStepsForTheJointStage() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    #expect(throws: TrainingError.self) { try Self.snNet(family, steps: 6, anchorSteps: 6) }
  }

  // MARK: LoRA per anchor

  @Test func loraPerAnchorTrainsTheAnchorsInTurnAndNoStitch() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 3], widths: [16, 24, 32])
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: Self.settings(.loraPerAnchor, steps: 9),
      examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 2))
    var before = Self.values(trainer.store)
    var drawn: [String] = []
    let isDone = try trainer.run { progress in
      drawn.append(progress.stitch)
      let now = Self.values(trainer.store)
      let changed = now.keys.filter { now[$0] != before[$0] }
      #expect(!changed.isEmpty && changed.allSatisfy { $0.hasPrefix("anchors.\(progress.stitch).") })
      before = now
      return .goOn
    }
    #expect(isDone)
    #expect(drawn == Array(repeating: ["small", "medium", "large"], count: 3).flatMap { $0 })
    #expect(before.keys.allSatisfy { $0.hasSuffix(".lora_A") || $0.hasSuffix(".lora_B") })
    #expect(before.keys.allSatisfy { !$0.hasPrefix("stitches.") })
    let output = folder.url.appendingPathComponent("adapted")
    try family.writeCopy(to: output, adapter: trainer.snapshot(), stops: trainer.deployedStops)
    let adapted = try Family(output)
    #expect(adapted.stops.map(\.id) == ["small", "medium", "large"])
    let adapter = try #require(try adapted.ownAdapter())
    #expect(Set(adapter.importance.keys) == ["small", "medium", "large"])
    #expect(!adapter.options.trainsBiases && !adapter.options.updatesLayers)
  }

  // MARK: What is counted

  /// By hand: r = 4, small 2 blocks of 16, medium 3 blocks of 24, q 16, k and v 8 wide, the feed-forward 24, 32 tokens.
  @Test func parametersAreCounted() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func count(_ method: AdaptationMethod, _ change: (inout AdapterOptions) -> Void = { _ in }) throws -> Int {
      var settings = Self.settings(method, steps: 2)
      change(&settings.options)
      return try ESTATrainer(
        family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
        pool: ComputePool(threads: 1)
      ).parameterCount
    }
    let lora = 2 * 4 * (4 * 16 + 48) + 3 * 4 * (4 * 24 + 48)
    let anchorBiases = 2 * (32 + 16) + 3 * (32 + 24)
    // small-medium@1 owns two blocks of medium, @2 one.
    let tailBiases = 3 * (32 + 24)
    let layers = 2 * (4 * 16 + 24 * 4 + 24)
    #expect(try count(.esta) == lora + anchorBiases + tailBiases + layers)
    // Both leave small after its first block.
    #expect(try count(.esta) { $0.scope = .all } == lora + anchorBiases + tailBiases + 2 * (32 + 16) + layers)
    #expect(try count(.esta) { $0.updatesLayers = false } == lora + anchorBiases + tailBiases)
    #expect(try count(.esta) { $0.trainsBiases = false } == lora + layers)
    #expect(try count(.loraPerAnchor) == lora)
    func anchor(_ width: Int, _ blocks: Int) -> Int { 2 * 32 * width + width + blocks * (48 + 72 + 2) * width }
    #expect(try Self.snNet(family).parameterCount == anchor(16, 2) + anchor(24, 3) + 2 * (24 * 16 + 24))
  }

  @Test func costAndHeldOutLosses() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try ESTATrainerTests.trainer(family, steps: 5)
    var measured: [Int] = []
    var last: AdaptationProgress?
    _ = try trainer.run(measuring: .init(interval: 2, measuresStitches: true)) {
      if $0.heldOutLoss != nil { measured.append($0.step) }
      last = $0
      return .goOn
    }
    #expect(measured == [2, 4, 5])
    let progress = try #require(last)
    let stitchLosses = try #require(progress.stitchLosses)
    #expect(Set(stitchLosses.keys) == Set(family.stitches.map(\.id)))
    #expect(trainer.heldOutLosses(all: true) == stitchLosses)
    #expect(progress.heldOutLoss == (stitchLosses["small"]! + stitchLosses["medium"]!) / 2)
    let cost = trainer.cost
    // 5 steps of two batches of 4 sequences of 12.
    #expect(cost.tokens == 5 * 96 && progress.tokens == cost.tokens)
    #expect(cost.trainingSeconds > 0 && cost.wallSeconds >= cost.trainingSeconds && cost.cpuSeconds > 0)
    #expect(cost.peakMemoryBytes > 1 << 20)
  }

  @Test func theRateOfVectorsCanDiffer() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func biases(_ factor: Float?) throws -> (bias: [Float], matrix: [Float]) {
      var settings = ESTATrainerTests.settings(steps: 1)
      settings.optimizer.vectorRateFactor = factor
      let trainer = try ESTATrainer(
        family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
        pool: ComputePool(threads: 1))
      _ = try trainer.run { _ in .goOn }
      let all = Self.values(trainer.store)
      let names = all.keys.sorted().filter { $0.hasSuffix("bias") }
      return (names.flatMap { all[$0]! }, all.keys.sorted().filter { $0.hasSuffix("lora_B") }.flatMap { all[$0]! })
    }
    let (one, two) = try (biases(nil), biases(2))
    #expect(one.bias.contains { $0 != 0 } && one.matrix == two.matrix)
    #expect(zip(one.bias, two.bias).allSatisfy { abs(2 * $0 - $1) <= 1e-6 })
  }

  // MARK: How stitching layers begin

  /// An anchor cut and rejoined: with least squares every stitch is the anchor, up to rounding.
  @Test func stitchesOfTwinsAreTheAnchor() throws {
    let folder = try TemporaryFolder()
    let configuration = RandomModel.configuration(blocks: 4)
    let weights = RandomModel.weights(configuration, seed: 3)
    let anchors = try ["one", "other"].map {
      FamilyBuilder.Anchor(
        name: $0,
        directory: try RandomModel.write(configuration, weights: weights, to: folder.url.appendingPathComponent($0)))
    }
    let text = RandomModel.tokens(1, length: 50, seed: 77)[0].map(Int.init)
    for (ridge, tolerance) in [(0, 1e-4), (1e-4, 0.02)] {
      var options = FamilyBuilder.Options(name: "twins", chatTemplate: "tiny")
      options.ridge = ridge
      let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
        calibration: RandomModel.tokens(60, length: 40), tokenizer: ["tokenizer": Data("x".utf8)],
        output: folder.url.appendingPathComponent("family-\(ridge)"))!
      #expect(
        family.stitches.map(\.id)
          == ["one", "other", "one-other@1", "one-other@2", "one-other@3"].sorted {
            (family.routeCost($0), $0) < (family.routeCost($1), $1)
          })
      func score(_ route: Route) throws -> [Double] {
        try Scorer.negativeLogLikelihoods(
          of: text, session: InferenceSession(network: family.network(route, adapter: nil)))
      }
      let anchor = try score(family.route(ofAnchor: 0))
      for stitch in family.stitches {
        let distance = zip(try score(stitch.route), anchor).map { abs($0 - $1) }.max()!
        #expect(distance < tolerance, "\(stitch.id) with ridge \(ridge)")
      }
    }
  }

  @Test func stitchingLayersMayBeginAtRandom() throws {
    let folder = try TemporaryFolder()
    let configuration = RandomModel.configuration(hidden: 32, blocks: 2)
    let anchors = try ["one", "other"].map {
      FamilyBuilder.Anchor(
        name: $0,
        directory: try RandomModel.write(
          configuration, weights: RandomModel.weights(configuration, seed: 3), to: folder.url.appendingPathComponent($0)
        ))
    }
    func build(_ name: String, seed: UInt64) throws -> Family {
      var options = FamilyBuilder.Options(name: "random", chatTemplate: "tiny")
      options.initialization = .random
      options.seed = seed
      return try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 1)).build(
        calibration: [], tokenizer: ["tokenizer": Data("x".utf8)], output: folder.url.appendingPathComponent(name))!
    }
    let family = try build("a", seed: 1)
    #expect(try build("b", seed: 1).identity == family.identity)
    #expect(try build("c", seed: 2).identity != family.identity)
    let layers = try SafetensorsFile(family.directory.appendingPathComponent("stitches.safetensors"))
    #expect(try layers.tensor("stitches.one-other@1.bias").floats() == Array(repeating: 0, count: 32))
    let weight = try layers.tensor("stitches.one-other@1.weight").floats()
    let variance = weight.reduce(0) { $0 + Double($1) * Double($1) } / Double(weight.count)
    #expect(abs(variance * 32 - 1) < 0.2)
  }

  // MARK: Locks

  @Test func aFileIsLockedForOneAtATime() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("checkpoint")
    let lockFile = file.path + ".lock"
    do {
      let lock = try FileLock(of: file)
      #expect(throws: FileError.inUse(file: file.path)) { _ = try FileLock(of: file) }
      withExtendedLifetime(lock) {}
    }
    #expect(!FileManager.default.fileExists(atPath: lockFile))
    // Left behind by a killed run: it does not lock, and stays until the work is done.
    try Data().write(to: URL(fileURLWithPath: lockFile))
    _ = try FileLock(of: file)
    #expect(FileManager.default.fileExists(atPath: lockFile))
    try FileLock(of: file).remove()
    #expect(!FileManager.default.fileExists(atPath: lockFile))
  }
}

extension Family {
  fileprivate func routeCost(_ id: String) -> Int { stitches.first { $0.id == id }!.flopsPerToken }
}

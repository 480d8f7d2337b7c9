import Foundation
import LLaMAStitch
import Support
import Testing

/// Side networks: small ones beside the anchors, of which alone something is trained.
@Suite struct SideNetworkTests {
  private static func settings(
    _ kind: SideKind, steps: Int, reduction: Int = 1, interval: Int = 2
  ) -> AdaptationSettings {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.method = .side(kind)
    settings.options = AdapterOptions(side: SideOptions(kind: kind, reduction: reduction, interval: interval))
    return settings
  }

  static func trainer(
    _ kind: SideKind, _ family: Family, steps: Int, interval: Int = 2, adapter: Adapter? = nil, threads: Int = 2
  ) throws -> ESTATrainer {
    try ESTATrainer(
      family: family, adapter: adapter, settings: settings(kind, steps: steps, interval: interval),
      examples: ESTATrainerTests.examples(), pool: ComputePool(threads: threads))
  }

  private static func sessionLogits(_ network: Network, _ tokens: [Int], threads: Int = 2) throws -> [Float] {
    try InferenceSession(network: network, pool: ComputePool(threads: threads))
      .evaluate(tokens, logits: .all).dense.array
  }

  @Test(arguments: SideKind.allCases) func finiteDifferences(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4])
    try FiniteDifferences.expect(of: family, jumps: kind != .lst) { try Self.trainer(kind, $0, steps: 1, interval: 1) }
  }

  /// Before training nothing is changed, and then replies compute what training does.
  @Test(arguments: SideKind.allCases) func repliesComputeWhatTrainingDoes(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(kind, family, steps: 1)
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    func logits(_ adapter: Adapter?, _ stitch: Stitch) throws -> [Float] {
      try Self.sessionLogits(family.network(stitch.route, adapter: adapter), tokens)
    }
    let start = trainer.snapshot()
    for stitch in family.stitches { #expect(try logits(start, stitch) == logits(nil, stitch)) }
    FiniteDifferences.randomise(trainer.store)
    let changed = trainer.snapshot()
    for stitch in family.stitches {
      #expect(try logits(changed, stitch) != logits(nil, stitch))
      let network = trainer.trainingNetwork(stitch.route)
      let batch = FiniteDifferences.batch
      let exact = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2)).loss(network, batch)
      let forward = MeZO(store: trainer.store, settings: .init(), seed: 1, pool: ComputePool(threads: 2)).loss(
        network, batch, teacher: nil)
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
  @Test(arguments: SideKind.allCases, [CacheType.f32, .f16]) func theSameBitsCachedOrNot(
    kind: SideKind, cacheType: CacheType
  ) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let trainer = try Self.trainer(kind, family, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    #expect(adapter.options.sharesPrefix == (kind != .sherl))
    let text = RandomModel.tokens(1, length: 40)[0].map(Int.init)
    for start in family.anchors.indices {
      let routes = family.stitches.filter { $0.route.start == start }
      let cache =
        adapter.options.sharesPrefix
        ? PrefixCache(
          anchor: family.network(family.route(ofAnchor: start), adapter: adapter), exits: family.exits(of: start),
          contextLength: 64, cacheType: cacheType) : nil
      let backend = ProcessorBackend(chunkSize: 9, cacheType: cacheType, pool: ComputePool(threads: 2))
      var sharing: [InferenceSession] = []
      for stitch in routes + routes.reversed() {
        let network = family.network(stitch.route, adapter: adapter)
        let alone = InferenceSession(
          network: network, contextLength: 64, chunkSize: 40, cacheType: cacheType, pool: ComputePool(threads: 1))
        let expected = try alone.evaluate(text).dense.array
        let session = InferenceSession(network: network, contextLength: 64, prefix: cache, backend: backend)
        sharing.append(session)
        session.reuse(text)
        #expect(try session.evaluate(Array(text[session.position...])).dense.array == expected, "\(stitch.id)")
        // Token by token, after going back.
        session.truncate(to: 31)
        var last: [Float] = []
        for token in text[31...] { last = try session.evaluate(token).array }
        #expect(last == expected, "\(stitch.id)")
        // Another text takes the place of this one in what is shared.
        let anchor = family.network(family.route(ofAnchor: start), adapter: adapter)
        session.truncate(to: 8)
        sharing.append(InferenceSession(network: anchor, contextLength: 64, prefix: cache, backend: backend))
        try sharing[sharing.count - 1].evaluate(text.reversed())
        for token in text[8...] { last = try session.evaluate(token).array }
        #expect(last == expected, "\(stitch.id)")
      }
    }
  }

  /// A token's logits are the same bits beside other texts as alone.
  @Test(arguments: SideKind.allCases) func theSameBitsInABatch(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let trainer = try Self.trainer(kind, family, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let texts = RandomModel.tokens(3, length: 20).map { $0.map(Int.init) }
    for stitch in family.stitches {
      let network = family.network(stitch.route, adapter: adapter)
      let session = BatchSession(
        network: network, capacity: 4, contextLength: 32, chunkSize: 64, pool: ComputePool(threads: 2))
      _ = try session.evaluate(
        texts.enumerated().map { .init(text: $0.offset, tokens: $0.element[..<(7 + $0.offset)]) })
      let rows = try session.evaluate(
        texts.enumerated().map { .init(text: $0.offset, tokens: $0.element[(7 + $0.offset)...]) })
      for (index, text) in texts.enumerated() {
        let alone = try InferenceSession(network: network, contextLength: 32, pool: ComputePool(threads: 1))
          .evaluate(text).dense.array
        #expect(rows.row(index).array == alone, "\(stitch.id)")
      }
      // A text that begins like another one goes on from what that one has.
      #expect(session.begin(3, with: texts[1]) == 19)
      let copied = try session.evaluate([.init(text: 3, tokens: texts[1][19...])])
      #expect(copied.row(0).array == rows.row(1).array, "\(stitch.id)")
    }
  }

  @Test(arguments: SideKind.allCases) func trainingLowersTheLossOfEveryStitch(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(kind, family, steps: 200)
    #expect(trainer.store.parameters.allSatisfy { $0.name.contains(".side.") })
    let judge = try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
    func losses() -> [Double] {
      family.stitches.map { judge.loss(trainer.trainingNetwork($0.route), FiniteDifferences.batch) }
    }
    let before = losses()
    #expect(try trainer.run { _ in .goOn })
    for (index, (old, new)) in zip(before, losses()).enumerated() {
      #expect(new < old - 0.3, "\(family.stitches[index].id): \(old) → \(new)")
    }
  }

  /// On top of low-rank updates, which stay as they are; interrupted or not, the same bytes on any number of threads.
  @Test(arguments: SideKind.allCases) func onTopOfAnAdapter(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let first = try ESTATrainerTests.trainer(family, steps: 20)
    _ = try first.run { _ in .goOn }
    let below = first.snapshot()
    let whole = try Self.trainer(kind, family, steps: 12, adapter: below, threads: 1)
    _ = try whole.run { _ in .goOn }
    let adapter = whole.snapshot()
    #expect(adapter.options.side?.kind == kind && adapter.options.rank == below.options.rank)
    for name in family.layout(below.options).declarations.map(\.name) {
      #expect(adapter.values(name) == below.values(name))
    }
    let checkpoint = folder.url.appendingPathComponent("checkpoint.safetensors")
    #expect(
      try Self.trainer(kind, family, steps: 12, adapter: below).run(checkpoint: checkpoint, interval: 5) {
        $0.step == 7 ? .end : .goOn
      } == false)
    let second = try Self.trainer(kind, family, steps: 12, adapter: below)
    _ = try second.run(checkpoint: checkpoint, interval: 5) { _ in .goOn }
    #expect(try ESTATrainerTests.bytes(second.snapshot(), folder) == ESTATrainerTests.bytes(adapter, folder))
    // Scaled to nothing, it changes nothing.
    let silent = adapter.scaled(by: AdapterScale(first: 0, last: 0), in: family)
    let tokens = RandomModel.tokens(1, length: 12)[0].map(Int.init)
    for stitch in family.stitches {
      #expect(
        try Self.sessionLogits(family.network(stitch.route, adapter: silent), tokens)
          == Self.sessionLogits(family.network(stitch.route, adapter: nil), tokens))
    }
    // Nothing else is trained through it, sides do not add up, and files of other programs have no place for it.
    let other = SideKind.allCases.first { $0 != kind }!
    for settings in [ESTATrainerTests.settings(steps: 1), Self.settings(other, steps: 1)] {
      #expect(throws: TrainingError.self) {
        try ESTATrainer(
          family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
          pool: ComputePool(threads: 1))
      }
    }
    #expect(throws: AdapterMergeError.notAdditive(index: 1, what: "a side network")) {
      try Adapter.merged([(below, 1), (adapter, 1)], in: family)
    }
    #expect(throws: FamilyError.runsBeside(stitch: "small", what: "a side network")) {
      try MergedAnchor(family, stitch: "small", adapter: adapter)
    }
  }

  @Test func aFamilyThatIsTooNarrowOrTooShallow() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func refuse(_ settings: AdaptationSettings) {
      #expect(throws: TrainingError.self) {
        try ESTATrainer(
          family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
          pool: ComputePool(threads: 1))
      }
    }
    for kind in SideKind.allCases { refuse(Self.settings(kind, steps: 1, reduction: 8)) }
    var deep = Self.settings(.sherl, steps: 1)
    deep.options.side?.lateBlocks = 2
    refuse(deep)
  }

  /// An adapter of before there were several kinds.
  @Test func whatIsNotSaidIsALadder() throws {
    let old = try JSONDecoder().decode(SideOptions.self, from: Data(#"{"reduction": 4, "interval": 3}"#.utf8))
    #expect(old == SideOptions(kind: .lst, reduction: 4, interval: 3))
  }
}

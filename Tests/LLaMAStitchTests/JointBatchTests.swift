import Foundation
import LLaMAStitch
import Support
import Testing

/// Texts of different stitches side by side are the same, bit for bit and token for token, as each alone, and what the
/// stitches have in common is computed once for all of them.
@Suite struct JointBatchTests {
  private static let context = 40

  private static func adapter(_ family: Family, _ options: AdapterOptions) -> Adapter {
    RandomModel.adapter(family, options, seed: 4)
  }

  private static let whole = Route(anchor: 0, depth: 5)
  private static let selfRoutes = [
    Route([Route.Segment(anchor: 0, blocks: 0..<2), Route.Segment(anchor: 0, blocks: 3..<5)]),
    Route([
      Route.Segment(anchor: 0, blocks: 0..<1), Route.Segment(anchor: 0, blocks: 2..<3),
      Route.Segment(anchor: 0, blocks: 4..<5),
    ]),
  ]

  /// One anchor of five blocks with two self-routes, whose blocks behind the first layer an adapter changes.
  private static func selfRouted(_ type: ElementType?, in folder: URL) throws -> [Network] {
    let configuration = RandomModel.configuration(hidden: 64, blocks: 5, intermediate: 96)
    let directory = try RandomModel.write(
      configuration, weights: RandomModel.weights(configuration, seed: 1), to: folder.appending(path: "one"))
    var options = FamilyBuilder.Options(name: "one", chatTemplate: "tiny")
    options.moreRoutes = selfRoutes
    options.elementType = type
    let family = try FamilyBuilder(
      [FamilyBuilder.Anchor(name: "one", directory: directory)], options: options, pool: ComputePool(threads: 1)
    ).build(
      calibration: RandomModel.tokens(40, length: 20), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.appending(path: "family"))!
    let adapter = adapter(family, AdapterOptions(rank: 4, targets: AdapterTarget.allCases, keepsPrefix: true))
    return ([whole] + selfRoutes).map { family.network($0, adapter: adapter) }
  }

  /// All stitches of two anchors, as they are and with adapters whose biases are shared and are not.
  private static func acrossAnchors(in folder: TemporaryFolder) throws -> [Network] {
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let adapters = [
      nil, adapter(family, AdapterOptions(rank: 3, scope: .tail)),
      adapter(family, AdapterOptions(rank: 5, scope: .all)),
    ]
    return adapters.flatMap { adapter in family.stitches.map { family.network($0.route, adapter: adapter) } }
  }

  private static func session(
    _ networks: [Network], capacity: Int, chunkSize: Int, threads: Int, kernels: InferenceKernels = .best,
    cacheType: CacheType = .f32
  ) -> BatchSession {
    let pool = ComputePool(threads: threads)
    let backend = ProcessorBackend(
      chunkSize: chunkSize, cacheType: cacheType, pool: pool, kernels: kernels,
      splitting: threads > 1 ? .always : .never)
    let session = BatchSession(
      network: networks[0], capacity: capacity, contextLength: context, backend: backend, pool: pool)
    for network in networks.dropFirst() { session.add(network) }
    return session
  }

  /// Random pieces of texts of all networks leave the same logits as each text alone.
  private static func compare(
    _ networks: [Network], threads: Int, kernels: InferenceKernels = .best, cacheType: CacheType = .f32
  ) throws {
    var random = SeededGenerator(seed: 5)
    let count = networks.count + 3
    let texts = (0..<count).map { _ in (0..<24).map { _ in random.index(below: 32) } }
    let expected = try texts.enumerated().map { text, tokens in
      let backend = ProcessorBackend(
        chunkSize: 16, cacheType: cacheType, pool: ComputePool(threads: 1), kernels: kernels, splitting: .never)
      let logits = try InferenceSession(
        network: networks[text % networks.count], contextLength: context, backend: backend
      ).evaluate(tokens, logits: .all)
      return (0..<tokens.count).map { logits.row($0).array.map(\.bitPattern) }
    }
    let session = session(
      networks, capacity: count, chunkSize: 48, threads: threads, kernels: kernels, cacheType: cacheType)
    for (text, tokens) in texts.enumerated() { session.begin(text, with: tokens, network: text % networks.count) }
    let comparison = BatchComparison(texts: texts, expected: expected, room: 48, pieces: 1...5, unwanted: 3)
    let compared = try comparison.run(session, &random) {
      "network \($0 % networks.count), \(threads) threads, \(kernels.name)"
    }
    #expect(compared > 3 * count)
  }

  @Test(arguments: [nil, ElementType.bf16, .q8_0, .q4_0, .q4_1]) func logitsAreTheSameBits(_ type: ElementType?) throws
  {
    try withScratchDirectory { folder in
      let networks = try Self.selfRouted(type, in: folder)
      for kernels in InferenceKernels.available { try Self.compare(networks, threads: 2, kernels: kernels) }
      try Self.compare(networks, threads: 3, cacheType: .f16)
      try Self.compare(networks, threads: 1)
    }
  }

  @Test func acrossAnchorsToo() throws {
    let folder = try TemporaryFolder()
    let networks = try Self.acrossAnchors(in: folder)
    for threads in 1...3 { try Self.compare(networks, threads: threads) }
  }

  /// Networks that have something beside their blocks are computed apart.
  @Test(arguments: SideKind.allCases) func besideSideNetworks(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let trainer = try SideNetworkTests.trainer(kind, family, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let networks = [nil, trainer.snapshot()].flatMap { adapter in
      [family.stitches[0], family.stitches[2]].map { family.network($0.route, adapter: adapter) }
    }
    for threads in 1...2 { try Self.compare(networks, threads: threads) }
  }

  @Test func whatIsSharedIsComputedOnce() throws {
    try withScratchDirectory { folder in
      let networks = try Self.selfRouted(nil, in: folder)
      let session = Self.session(networks, capacity: 3, chunkSize: 8, threads: 1)
      #expect(networks.map(\.stages.count) == [5, 5, 5])
      // Every block once, and the layers of both routes.
      #expect(session.stageCount == 5 + 1 + 2)
    }
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4], widths: [16, 24])
    let networks = family.stitches.map { family.network($0.route, adapter: nil) }
    let session = Self.session(networks, capacity: 3, chunkSize: 8, threads: 1)
    #expect(session.stageCount == 3 + 4 + networks.count - 2)
  }

  /// Places change networks; a text that begins like another of its network goes on from that one.
  @Test func repliesAreWhatTheyAreAlone() throws {
    try withScratchDirectory { folder in
      let networks = try Self.selfRouted(.q4_1, in: folder)
      var random = SeededGenerator(seed: 8)
      let stems = (0..<3).map { _ in (0..<20).map { _ in random.index(below: 32) } }
      let requests = (0..<40).map { index -> BatchGenerator.Request in
        let stem = stems[random.index(below: 3)].prefix(1 + random.index(below: 20))
        let sampling = SamplingOptions(
          temperature: Double(index % 3), repetitionPenalty: index % 2 == 0 ? 1 : 1.2, seed: UInt64(index))
        let options = GenerationOptions(maxTokens: 1 + random.index(below: 9), sampling: sampling)
        return BatchGenerator.Request(
          prompt: stem + [random.index(below: 32)], options: options, network: random.index(below: networks.count))
      }
      let sessions = networks.map {
        InferenceSession(network: $0, contextLength: Self.context, pool: ComputePool(threads: 1))
      }
      let expected = try requests.map { request in
        sessions[request.network].truncate(to: 0)
        return try sessions[request.network].generate(prompt: request.prompt, options: request.options) { _ in .goOn }
          .tokens
      }
      for (capacity, threads) in [(1, 1), (3, 2), (8, 2)] {
        let session = Self.session(networks, capacity: capacity, chunkSize: 16, threads: threads)
        let found = try BatchGenerator.generate(requests, session: session)
        #expect(found.map(\.tokens) == expected, "\(capacity) at a time")
        #expect(found.reduce(0) { $0 + $1.reusedTokens } > 20, "\(capacity) at a time")
      }
    }
  }
}

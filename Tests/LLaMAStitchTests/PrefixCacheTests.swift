import Foundation
import LLaMAStitch
import Support
import Testing

/// Stitches that start in one anchor share what its blocks compute, and compute the same bits as alone.
@Suite struct PrefixCacheTests {
  /// A family of three anchors with a trained adapter of scope `tail`.
  private static func adapted(in folder: TemporaryFolder) throws -> (Family, Adapter) {
    let family = try RandomModel.family(in: folder, depths: [2, 3, 4], widths: [16, 24, 32])
    let trainer = try ESTATrainerTests.trainer(family, steps: 20, scope: .tail)
    _ = try trainer.run { _ in .goOn }
    return (family, trainer.snapshot())
  }

  private static func prefixes(
    _ family: Family, _ adapter: Adapter, contextLength: Int, cacheType: CacheType = .f32
  ) -> [PrefixCache] {
    family.anchors.indices.map { start in
      PrefixCache(
        anchor: family.network(family.route(ofAnchor: start), adapter: adapter), exits: family.exits(of: start),
        contextLength: contextLength, cacheType: cacheType)
    }
  }

  /// A thousand prompts that share beginnings, over every stitch, in pieces of all lengths, on every instruction set.
  @Test func sharedAndAloneAreTheSameBits() throws {
    let folder = try TemporaryFolder()
    let (family, adapter) = try Self.adapted(in: folder)
    let context = 48
    for kernels in InferenceKernels.available {
      let prefixes = Self.prefixes(family, adapter, contextLength: context)
      let pool = ComputePool(threads: 2)
      func session(_ stitch: Stitch, _ prefix: PrefixCache?) -> InferenceSession {
        InferenceSession(
          network: family.network(stitch.route, adapter: adapter), contextLength: context, chunkSize: 7, pool: pool,
          kernels: kernels, prefix: prefix)
      }
      let shared = family.stitches.map { session($0, prefixes[$0.route.start]) }
      let alone = family.stitches.map { session($0, nil) }
      var random = SeededGenerator(seed: 5)
      let texts = (0..<4).map { _ in (0..<context).map { _ in random.index(below: 32) } }
      for prompt in 0..<1000 / InferenceKernels.available.count {
        let index = random.index(below: shared.count)
        // The beginning of one text and the end of another, from anywhere on.
        let cut = random.index(below: context)
        let length = 1 + random.index(below: context)
        let one = texts[random.index(below: texts.count)]
        let other = texts[random.index(below: texts.count)]
        let tokens = Array((one[..<cut] + other[cut...]).prefix(length))
        for session in [shared[index], alone[index]] { session.truncate(to: session.commonPrefix(with: tokens)) }
        let start = shared[index].position
        #expect(start == alone[index].position)
        if start == length { continue }
        let wanted = random.index(below: 2) == 0 ? LogitsSelection.last : .all
        let rest = Array(tokens[start...])
        let piece = 1 + random.index(below: rest.count)
        for part in [rest.prefix(piece), rest.dropFirst(piece)] where !part.isEmpty {
          let found = try shared[index].evaluate(Array(part), logits: wanted).dense.array.map(\.bitPattern)
          let expected = try alone[index].evaluate(Array(part), logits: wanted).dense.array.map(\.bitPattern)
          #expect(found == expected, "prompt \(prompt), \(family.stitches[index].id), \(kernels.name)")
        }
      }
    }
  }

  /// Greedy texts of every stitch after every other one are what the stitch writes alone.
  @Test(arguments: CacheType.allCases)
  func theSliderMovesWithoutChangingAText(cacheType: CacheType) throws {
    let folder = try TemporaryFolder()
    let (family, adapter) = try Self.adapted(in: folder)
    let prefixes = Self.prefixes(family, adapter, contextLength: 64, cacheType: cacheType)
    let prompt = RandomModel.tokens(1, length: 40)[0].map(Int.init)
    let options = GenerationOptions(maxTokens: 12)
    let sessions = try family.stitches.map { stitch in
      let network = family.network(stitch.route, adapter: adapter)
      return (
        shared: InferenceSession(
          network: network, chunkSize: 16, cacheType: cacheType, prefix: prefixes[stitch.route.start]),
        alone: try InferenceSession(network: network, contextLength: 64, cacheType: cacheType).generate(
          prompt: prompt, options: options
        ) { _ in .goOn }
      )
    }
    var random = SeededGenerator(seed: 3)
    for _ in 0..<60 {
      let (session, alone) = sessions[random.index(below: sessions.count)]
      #expect(try session.generate(prompt: prompt, options: options) { _ in .goOn }.tokens == alone.tokens)
    }
  }

  /// A stitch that comes after its anchor computes its tail alone, and an anchor that comes after another one nothing.
  @Test func whatIsSharedIsNotComputedAgain() throws {
    let folder = try TemporaryFolder()
    let (family, adapter) = try Self.adapted(in: folder)
    let prefix = Self.prefixes(family, adapter, contextLength: 64)[1]
    let route = family.route(ofAnchor: 1)
    let anchor = InferenceSession(network: family.network(route, adapter: adapter), prefix: prefix)
    let prompt = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    let options = GenerationOptions(maxTokens: 1)
    #expect(try anchor.generate(prompt: prompt, options: options) { _ in .goOn }.reusedTokens == 0)
    #expect(prefix.commonPrefix(with: prompt, blocks: 3) == 30)
    let again = InferenceSession(network: family.network(route, adapter: adapter), prefix: prefix)
    #expect(try again.generate(prompt: prompt, options: options) { _ in .goOn }.reusedTokens == 29)
    // Another text takes the place of this one, but for its beginning.
    var other = prompt
    other[10] = (other[10] + 1) % 32
    let stitch = try family.stitch("medium-large@2")
    let tail = InferenceSession(network: family.network(stitch.route, adapter: adapter), prefix: prefix)
    _ = try tail.generate(prompt: other, options: options) { _ in .goOn }
    #expect(prefix.commonPrefix(with: prompt, blocks: 1) == 10)
    #expect(prefix.commonPrefix(with: other, blocks: 1) == 30)
    #expect(prefix.commonPrefix(with: other, blocks: 3) == 10)
  }

  /// Where the hidden state after the last block is kept, it is of every token, though one has its logits wanted.
  @Test func theStateAfterTheLastBlockIsOfAllTokens() throws {
    let folder = try TemporaryFolder()
    let (family, adapter) = try Self.adapted(in: folder)
    let network = family.network(family.route(ofAnchor: 1), adapter: adapter)
    let prompt = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    for exits in [[3: 1], [:]] {
      let prefix = PrefixCache(anchor: network, exits: exits, contextLength: 64)
      let first = InferenceSession(network: network, prefix: prefix)
      try first.evaluate(prompt)
      let second = InferenceSession(network: network, prefix: prefix)
      for end in [12, 29, 30] {
        #expect(second.reuse(Array(prompt[..<end])) == end - 1)
        let found = try second.evaluate(Array(prompt[(end - 1)..<end])).dense.array
        let expected = try InferenceSession(network: network).evaluate(Array(prompt[..<end])).dense.array
        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "\(end) tokens, \(exits)")
      }
    }
  }

  /// The hidden state is kept until the anchor and all that leave it there have read it; whoever needs it afterwards
  /// computes the same bits.
  @Test func whatAllHaveReadIsGivenBack() throws {
    let folder = try TemporaryFolder()
    let (family, adapter) = try Self.adapted(in: folder)
    let context = 200
    let prefix = Self.prefixes(family, adapter, contextLength: context)[1]
    let stitches = family.stitches.filter { $0.route.start == 1 }
    let exits = family.exits(of: 1).keys
    func session(_ stitch: Stitch, _ prefix: PrefixCache?) -> InferenceSession {
      InferenceSession(
        network: family.network(stitch.route, adapter: adapter), contextLength: context, chunkSize: 16,
        pool: ComputePool(threads: 2),
        prefix: prefix)
    }
    func starts() -> [Int] { exits.compactMap { prefix.hiddenStateStart(after: $0) } }
    var text = RandomModel.tokens(1, length: context)[0].map(Int.init)
    var sessions = stitches.map { session($0, prefix) }
    func read(_ index: Int, upTo end: Int) throws {
      let start = sessions[index].reuse(Array(text[..<end]))
      let found = try sessions[index].evaluate(Array(text[start..<end]))
      let expected = try session(stitches[index], nil).evaluate(Array(text[..<end]))
      #expect(
        found.dense.array.map(\.bitPattern) == expected.dense.array.map(\.bitPattern),
        "\(stitches[index].id), \(end) tokens")
    }

    #expect(!exits.isEmpty)
    for index in sessions.indices {
      #expect(starts().allSatisfy { $0 == 0 } || index == sessions.count - 1)
      try read(index, upTo: 150)
    }
    #expect(starts().allSatisfy { 64 < $0 && $0 < 150 })
    // Sessions that were evicted come back, in the midst of the text and at its end.
    for index in sessions.indices {
      sessions[index] = session(stitches[index], prefix)
      try read(index, upTo: 70 * (1 + index % 2))
    }
    // Another text.
    text[30] = (text[30] + 1) % 32
    for index in sessions.indices.reversed() { try read(index, upTo: 190) }
    #expect(starts().allSatisfy { 64 < $0 && $0 < 190 })
    // What is kept of it ends before what is evicted.
    text[100] = (text[100] + 1) % 32
    try read(0, upTo: 110)
    #expect(starts().allSatisfy { $0 <= 100 })
    var random = SeededGenerator(seed: 7)
    for _ in 0..<60 {
      let position = random.index(below: context)
      if random.index(below: 4) == 0 { text[position] = random.index(below: 32) }
      try read(random.index(below: sessions.count), upTo: 1 + position)
    }
  }

  /// The hidden state is kept where stops of the slider leave an anchor, not where other stitches do.
  @Test func onlyStopsHaveTheStreamKept() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 4], widths: [16, 24, 32])
    #expect(family.exits(of: 1) == [1: 1, 2: 2])
    let stops = family.stitches.filter { $0.route.start != 1 || !$0.route.isAnchor && $0.route.leadingBlockCount == 2 }
    try family.writeStops(stops.map(\.id))
    #expect(try Family(family.directory).exits(of: 1) == [2: 2])
  }
}

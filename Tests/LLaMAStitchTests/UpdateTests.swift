import Foundation
import LLaMAStitch
import Support
import Testing

/// What stands beside the projections or before a text: parallel adapters, prefixes, soft prompts.
@Suite struct UpdateTests {
  static let kinds: [AdapterUpdate] = [.parallel, .prefix, .dept]

  static func options(_ update: AdapterUpdate, length: Int = 3) -> AdapterOptions {
    var options = AdapterOptions.besideProjections
    switch update {
    case .parallel: options.parallel = ParallelOptions(width: 6, scale: 2)
    case .prefix: options.prefix = PrefixOptions(length: length)
    default: options.prompt = PromptOptions(length: length, positions: 5, rank: 2)
    }
    return options
  }

  static func trainer(
    _ family: Family, _ update: AdapterUpdate, steps: Int, adapter: Adapter? = nil, length: Int = 3, threads: Int = 2
  ) throws -> ESTATrainer {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.update = update
    settings.options = options(update, length: length)
    settings.optimizer.promptRateFactor = 5
    return try ESTATrainer(
      family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: threads))
  }

  @Test(arguments: kinds) func finiteDifferences(update: AdapterUpdate) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func adjust(_ store: ParameterStore) {
      // A difference across a corner says nothing: each number of a bottleneck is on or off for all tokens.
      for (index, parameter) in store.parameters.enumerated() where parameter.name.hasSuffix(".down_bias") {
        store.value(index).copy(from: (0..<parameter.count).map { $0 % 2 == 0 ? 6 : -6 })
      }
    }
    try FiniteDifferences.expect(of: family, adjust: adjust) { try Self.trainer($0, update, steps: 1) }
  }

  @Test(arguments: kinds) func trainingLowersTheLossOfEveryStitch(update: AdapterUpdate) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, update, steps: 300)
    try FiniteDifferences.expectTraining(trainer, of: family, lowersLossBy: 0.05)
  }

  /// A file holds all of it; a reply is the same bits however it is cut, on any number of threads, beside other texts, and
  /// where stitches share what they compute.
  @Test(arguments: kinds) func repliesAreTheSameBits(update: AdapterUpdate) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, update, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let file = folder.url.appendingPathComponent("adapter.safetensors")
    try adapter.write(to: file)
    let read = try Adapter.read(file, for: family)
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    let other = RandomModel.tokens(1, length: 9, seed: 4)[0].map(Int.init)
    for stitch in family.stitches {
      let network = family.network(stitch.route, adapter: adapter)
      func logits(_ network: Network, chunk: Int, threads: Int) throws -> [Float] {
        let session = InferenceSession(
          network: network, contextLength: 40, chunkSize: chunk, pool: ComputePool(threads: threads), kernels: .best,
          splitting: .always)
        return try session.evaluate(tokens, logits: .all).dense.array
      }
      let expected = try logits(network, chunk: 256, threads: 1)
      let plain = try logits(family.network(stitch.route, adapter: nil), chunk: 256, threads: 1)
      #expect(relativeDifference(expected, plain) > 0.01)
      #expect(try logits(family.network(stitch.route, adapter: read), chunk: 256, threads: 1) == expected)
      for (chunk, threads) in [(1, 1), (1, 2), (2, 2), (7, 1), (16, 3), (256, 2)] {
        #expect(try logits(network, chunk: chunk, threads: threads) == expected, "\(stitch.id), \(chunk), \(threads)")
      }
      let last = Array(expected.suffix(network.vocabularySize))
      let many = BatchSession(
        network: network, capacity: 3, contextLength: 40, chunkSize: 64, pool: ComputePool(threads: 2))
      let rows = try many.evaluate([
        .init(text: 1, tokens: other[...]), .init(text: 2, tokens: tokens[...]),
      ])
      #expect(rows.row(1).array == last)
      _ = try many.evaluate([.init(text: 0, tokens: tokens.prefix(20), wantsLogits: false)])
      many.begin(1, with: tokens)
      let kept = many.position(of: 1)
      let again = try many.evaluate([.init(text: 1, tokens: tokens[kept...])])
      #expect(kept > 0 && again.row(0).array == last)
    }
    // One cache for what starts in an anchor.
    let start = family.stitches.map(\.route).first { !$0.isAnchor }!.start
    let anchor = family.network(family.route(ofAnchor: start), adapter: adapter)
    let prefix = PrefixCache(anchor: anchor, exits: family.exits(of: start), contextLength: 40)
    let pool = ComputePool(threads: 2)
    for stitch in family.stitches where stitch.route.start == start {
      let network = family.network(stitch.route, adapter: adapter)
      let alone = try InferenceSession(network: network, contextLength: 40, pool: pool).evaluate(tokens).dense.array
      let shared = InferenceSession(network: network, pool: pool, prefix: prefix)
      _ = shared.reuse(tokens)
      #expect(try shared.evaluate(Array(tokens[shared.position...])).dense.array == alone, "\(stitch.id)")
    }
  }

  /// They are no change of weights.
  @Test(arguments: kinds) func exportsAreRefused(update: AdapterUpdate) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let adapter = try Self.trainer(family, update, steps: 1).snapshot()
    #expect(throws: FamilyError.self) { try MergedAnchor(family, stitch: "small", adapter: adapter) }
    #expect(throws: FamilyError.self) { try PEFTAdapter(family, stitch: "small", adapter: adapter, base: "base") }
    if update != .parallel {
      #expect(throws: AdapterMergeError.self) { try Adapter.merged([(adapter, 1), (adapter, 1)], in: family) }
      #expect(throws: TrainingError.self) { try Self.trainer(family, update, steps: 1, length: 64) }
      let side = try SideNetworkTests.trainer(.lst, family, steps: 1).snapshot()
      #expect(throws: TrainingError.self) { try Self.trainer(family, update, steps: 1, adapter: side) }
    }
  }

  /// A file that claims what cannot be is refused, not run.
  @Test(arguments: [
    #""kronecker":{"experts":4,"factor":0,"rank":2,"scale":1}"#,
    #""kronecker":{"experts":4,"factor":5,"rank":2,"scale":1}"#,
    #""prefix":{"length":-3}"#, #""prefix":{"length":64}"#, #""parallel":{"scale":1,"width":0}"#,
    #""prompt":{"length":9999999999,"positions":5,"rank":2}"#, #""side":{"interval":0,"reduction":1}"#,
  ]) func filesThatClaimTheImpossible(claim: String) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let file = folder.url.appendingPathComponent("adapter.safetensors")
    try ESTATrainerTests.trainer(family, steps: 1).snapshot().write(to: file)
    // The header of JSON begins behind eight bytes of its length; what is added is taken from the padding of another field.
    let data = try Data(contentsOf: file)
    let length = data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    var header = String(decoding: data[8..<8 + length], as: UTF8.self)
    let escaped = claim.replacingOccurrences(of: "\"", with: "\\\"")
    header = header.replacingOccurrences(
      of: #"\"options\":{"#, with: #"\"options\":{"# + escaped + ",")
    #expect(header.contains(escaped))
    while header.utf8.count % 8 != 0 { header += " " }
    var count = Data()
    for shift in 0..<8 { count.append(UInt8(truncatingIfNeeded: header.utf8.count >> (8 * shift))) }
    try (count + Data(header.utf8) + data[(8 + length)...]).write(to: file)
    #expect(throws: FamilyError.self) { try Adapter.read(file, for: family) }
  }

  /// Half a parallel adapter and half of it again are the whole, as wide as both.
  @Test func parallelAdaptersAddUp() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, .parallel, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let half = adapter.scaled(by: AdapterScale(first: 0.5, last: 0.5), in: family)
    let both = try Adapter.merged([(half, 1), (half, 1)], in: family)
    #expect(both.options.parallel == ParallelOptions(width: 12, scale: 1))
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    func logits(_ adapter: Adapter) throws -> [Float] {
      try InferenceSession(
        network: family.network(family.stitches[1].route, adapter: adapter), pool: ComputePool(threads: 1)
      ).evaluate(tokens, logits: .all).dense.array
    }
    #expect(relativeDifference(try logits(both), try logits(adapter)) < 1e-4)
  }

  /// On top of low-rank updates, which stay as they are.
  @Test(arguments: kinds) func onTopOfAnAdapter(update: AdapterUpdate) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let first = try ESTATrainerTests.trainer(family, steps: 20)
    _ = try first.run { _ in .goOn }
    let below = first.snapshot()
    let trainer = try Self.trainer(family, update, steps: 30, adapter: below)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    for name in family.layout(adapter.options).declarations.map(\.name) {
      let values = try #require(adapter.values(name))
      if let old = below.values(name) { #expect(values == old) }
    }
    #expect(adapter.parameterCount > below.parameterCount)
  }
}

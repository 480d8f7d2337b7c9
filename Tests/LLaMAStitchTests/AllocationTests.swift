import AllocationCount
import EngineBenchmarks
import Foundation
import LLaMAStitch
import Testing

/// Decoding allocates nothing. What is counted is what the calling thread asks for; the pool's threads run the same code.
@Suite struct AllocationTests {
  private static let steps = 1000
  private static let context = 1100

  /// Allocations of this thread in `body`.
  private static func allocations(_ body: () throws -> Void) rethrows -> UInt64 {
    let before = allocation_count()
    try body()
    return allocation_count() - before
  }

  @Test func allocationsAreCounted() {
    var kept: [FloatBuffer] = []
    kept.reserveCapacity(10)
    // Each buffer is an object and its floats.
    #expect(Self.allocations { for _ in 0..<10 { kept.append(FloatBuffer(count: 100)) } } >= 20)
    #expect(kept.count == 10)
  }

  /// Of every stitch of an adapted family, with a prefix cache and without.
  @Test(arguments: [1, 2]) func aDecodedTokenAllocatesNothing(threads: Int) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try ESTATrainerTests.trainer(family, steps: 2, scope: .tail)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    let pool = ComputePool(threads: threads)
    for stitch in family.stitches {
      let start = stitch.route.start
      let prefix = PrefixCache(
        anchor: family.network(family.route(ofAnchor: start), adapter: adapter), exits: family.exits(of: start),
        contextLength: Self.context)
      for prefix in [nil, prefix] {
        let session = InferenceSession(
          network: family.network(stitch.route, adapter: adapter), contextLength: Self.context, prefix: prefix,
          backend: ProcessorBackend(pool: pool, splitting: threads > 1 ? .always : .measured))
        var sampler = Sampler(
          SamplingOptions(temperature: 0.8, topK: 20, topP: 0.9, minP: 0.01, repetitionPenalty: 1.1),
          vocabularySize: session.network.vocabularySize)
        var token = 1
        func decode(_ count: Int) throws {
          for _ in 0..<count {
            let next = sampler.sample(try session.evaluate(token))
            token = try #require(next)
          }
        }
        try decode(20)
        #expect(try Self.allocations { try decode(Self.steps) } == 0, "\(stitch.id), prefix cache: \(prefix != nil)")
      }
    }
  }

  /// Quantised weights, too; and what a reply allocates does not depend on its length.
  @Test(arguments: [ElementType.bf16, .q8_0, .q4_0, .q4_1]) func aLongReplyAllocatesNoMoreThanAShortOne(
    _ type: ElementType
  ) throws {
    let folder = try TemporaryFolder()
    let configuration = RandomModel.configuration(hidden: 32, intermediate: 64, vocabulary: 64)
    let network = try configuration.randomModel(type, at: folder.url.appendingPathComponent("model")).network()
    let session = InferenceSession(network: network, contextLength: Self.context, pool: ComputePool(threads: 1))
    func reply(_ length: Int) throws -> UInt64 {
      try Self.allocations {
        session.truncate(to: 0)
        let result = try session.generate(prompt: [1, 2, 3], options: GenerationOptions(maxTokens: length)) { _ in .goOn
        }
        #expect(result.tokens.count == length)
      }
    }
    _ = try reply(5)
    #expect(try reply(10) == reply(Self.steps))
  }
}

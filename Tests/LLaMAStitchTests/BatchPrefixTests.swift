import Foundation
import LLaMAStitch
import Support
import Testing

/// Texts that begin alike go on from what is computed of others, and are what they are alone.
@Suite struct BatchPrefixTests {
  /// Conversations that share beginnings of all lengths, some of them whole prompts.
  private static func requests(_ count: Int) -> [BatchGenerator.Request] {
    var random = SeededGenerator(seed: 21)
    let stems = (0..<3).map { _ in (0..<40).map { _ in random.index(below: 64) } }
    return (0..<count).map { index in
      let stem = stems[random.index(below: 3)].prefix(random.index(below: 41))
      let rest = (0..<random.index(below: 12)).map { _ in random.index(below: 64) }
      let prompt = Array(stem) + rest
      return BatchGenerator.Request(
        prompt: prompt.isEmpty ? [1] : prompt,
        options: GenerationOptions(
          maxTokens: 1 + random.index(below: 9),
          sampling: SamplingOptions(temperature: Double(index % 2), seed: UInt64(index))),
        alternatives: index % 3 == 0 ? 4 : nil)
    }
  }

  @Test(arguments: [CacheType.f32, .f16]) func textsThatBeginAlikeAreWhatTheyAreAlone(_ cacheType: CacheType) throws {
    let network = try Networks.stitched()
    let requests = Self.requests(40)
    let alone = InferenceSession(
      network: network, contextLength: 64, cacheType: cacheType, pool: ComputePool(threads: 1))
    let expected = try requests.map { request in
      alone.truncate(to: 0)
      return try alone.generate(prompt: request.prompt, options: request.options) { _ in .goOn }.tokens
    }
    for capacity in [1, 2, 5] {
      let session = BatchSession(
        network: network, capacity: capacity, contextLength: 64, chunkSize: 16, cacheType: cacheType,
        pool: ComputePool(threads: 2))
      let found = try BatchGenerator.generate(requests, session: session)
      #expect(found.map(\.tokens) == expected, "\(capacity) at a time")
      #expect(found.reduce(0) { $0 + $1.reusedTokens } > 80, "\(capacity) at a time")
      #expect(zip(found, requests).allSatisfy { $0.reusedTokens < $1.prompt.count })
    }
  }

  @Test func aShortPromptDoesNotWaitForALongOne() throws {
    let network = try Networks.stitched()
    let session = BatchSession(
      network: network, capacity: 2, contextLength: 256, chunkSize: 32, pool: ComputePool(threads: 1))
    var generator = BatchGenerator(session)
    let long = try generator.add(
      .init(prompt: (0..<240).map { $0 % 64 }, options: GenerationOptions(maxTokens: 1)))
    let short = try generator.add(.init(prompt: [3, 1, 2], options: GenerationOptions(maxTokens: 1)))
    var order: [Int] = []
    while generator.count > 0 {
      for case .finished(_, let text) in try generator.step() { order.append(text) }
    }
    #expect(order == [short, long])
  }

  @Test func likelihoodsAreThoseOfTheSoftmax() throws {
    let logits = FloatBuffer([0.5, -1, 3, 3, -Float.infinity, 2.5, .nan, 9]).vector
    // The last one is beyond the vocabulary.
    let found = try #require(TokenLikelihoods(of: 5, alternatives: 3, logits: logits, count: 7))
    let numbers: [Double] = [0.5, -1, 3, 3, 2.5]
    let normalizer = log(numbers.map(exp).reduce(0, +))
    #expect(abs(found.logProbability - (2.5 - normalizer)) < 1e-6)
    #expect(found.likeliest.map(\.token) == [2, 3, 5])
    #expect(abs(found.likeliest[0].logProbability - (3 - normalizer)) < 1e-6)
    let none = try #require(TokenLikelihoods(of: 0, alternatives: 0, logits: logits, count: 7))
    #expect(none.likeliest.isEmpty)
    #expect(TokenLikelihoods(of: 7, alternatives: 0, logits: logits, count: 7) == nil)
  }
}

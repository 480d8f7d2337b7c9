import EngineBenchmarks
import Foundation
import LLaMAStitch
import Support
import Testing

/// Texts that are computed beside one another are the same, bit for bit and token for token, as each alone.
@Suite struct BatchGenerationTests {
  private static let context = 48

  /// Several prompts with sampling of all kinds; replies of every length, some of which a stop token ends.
  private static func requests(_ count: Int, vocabulary: Int) -> [BatchGenerator.Request] {
    var random = SeededGenerator(seed: 11)
    let samplings = [
      SamplingOptions(), SamplingOptions(temperature: 1), SamplingOptions(temperature: 0.8, topK: 9, topP: 0.9),
      SamplingOptions(temperature: 1.2, minP: 0.02, repetitionPenalty: 1.3), SamplingOptions(repetitionPenalty: 1.5),
    ]
    return (0..<count).map { index in
      var sampling = samplings[index % samplings.count]
      sampling.seed = UInt64(100 + index)
      let prompt = (0...random.index(below: 30)).map { _ in random.index(below: vocabulary) }
      return BatchGenerator.Request(
        prompt: prompt,
        options: GenerationOptions(
          maxTokens: [0, 1, 5, 17, 100][random.index(below: 5)], stopTokens: index % 2 == 0 ? [3, 4, 5] : [],
          sampling: sampling))
    }
  }

  private static func alone(
    _ requests: [BatchGenerator.Request], _ network: Network, kernels: InferenceKernels
  ) throws -> [GenerationResult] {
    let session = InferenceSession(
      network: network, contextLength: context, chunkSize: 16, pool: ComputePool(threads: 1), kernels: kernels)
    return try requests.map { request in
      session.truncate(to: 0)
      return try session.generate(prompt: request.prompt, options: request.options) { _ in .goOn }
    }
  }

  private static func batch(
    _ network: Network, capacity: Int, chunkSize: Int = 16, threads: Int = 1, kernels: InferenceKernels = .best,
    cacheType: CacheType = .f32
  ) -> BatchSession {
    let pool = ComputePool(threads: threads)
    let backend = ProcessorBackend(
      chunkSize: chunkSize, cacheType: cacheType, pool: pool, kernels: kernels,
      splitting: threads > 1 ? .always : .never)
    return BatchSession(
      network: network, capacity: capacity, contextLength: context, backend: backend, pool: pool)
  }

  private static func network(_ type: ElementType, in folder: TemporaryFolder) throws -> Network {
    let configuration = RandomModel.configuration(
      hidden: 64, heads: 6, keyValueHeads: 2, headDimension: 8, intermediate: 96, vocabulary: 64)
    let url = folder.url.appending(path: "model")
    try ModelDirectory.write(
      to: url, configuration: configuration, elementType: type, weights: RandomModel.weights(configuration, seed: 3))
    return try LlamaModel.load(directory: url).network()
  }

  /// More texts than places: those that come later take places that have become free, whatever was computed there.
  @Test(arguments: [ElementType.f32, .bf16, .q8_0, .q4_0, .q4_1]) func textsAreWhatTheyAreAlone(
    _ type: ElementType
  ) throws {
    let folder = try TemporaryFolder()
    let plain = try Self.network(type, in: folder)
    let requests = Self.requests(23, vocabulary: 64)
    for network in [plain, plain.withRandomAdapter(rank: 5)] {
      for kernels in InferenceKernels.available {
        let expected = try Self.alone(requests, network, kernels: kernels)
        let reasons = Set(expected.map(\.finishReason))
        #expect(reasons == [.stopToken, .length, .context], "\(reasons)")
        for (capacity, chunkSize, threads) in [(1, 16, 1), (3, 4, 2), (8, 16, 3), (16, 64, 2)] {
          let session = Self.batch(
            network, capacity: capacity, chunkSize: chunkSize, threads: threads, kernels: kernels)
          let found = try BatchGenerator.generate(requests, session: session)
          for (index, pair) in zip(found, expected).enumerated() {
            #expect(
              pair.0.tokens == pair.1.tokens && pair.0.finishReason == pair.1.finishReason
                && pair.0.promptTokens == pair.1.promptTokens,
              "\(kernels.name), text \(index), \(capacity) at a time, \(threads) threads")
          }
        }
      }
    }
  }

  /// Random pieces of texts side by side leave the same logits as each text alone.
  @Test(arguments: [CacheType.f32, .f16]) func logitsAreTheSameBits(_ cacheType: CacheType) throws {
    let network = try Networks.stitched()
    var random = SeededGenerator(seed: 5)
    let texts = (0..<5).map { _ in (0..<40).map { _ in random.index(below: 64) } }
    let expected = try texts.map { text in
      let session = InferenceSession(
        network: network, contextLength: Self.context, cacheType: cacheType, pool: ComputePool(threads: 1))
      let logits = try session.evaluate(text, logits: .all)
      return (0..<text.count).map { logits.row($0).array.map(\.bitPattern) }
    }
    let comparison = BatchComparison(texts: texts, expected: expected, room: 24, pieces: 0...8, unwanted: 4)
    for threads in 1...3 {
      let session = Self.batch(network, capacity: 5, chunkSize: 24, threads: threads, cacheType: cacheType)
      let compared = try comparison.run(session, &random) { "text \($0), \(threads) threads" }
      #expect(compared > 20)
    }
  }

  /// A text can be ended from outside; what goes on beside it does not change.
  @Test func aTextCanBeCancelled() throws {
    let network = try Networks.stitched()
    var requests = Self.requests(3, vocabulary: 64)
    for index in requests.indices {
      requests[index].options.maxTokens = 12
      requests[index].options.stopTokens = []
      requests[index].prompt = Array(requests[index].prompt.prefix(6))
    }
    let expected = try Self.alone(requests, network, kernels: .best)
    var generator = BatchGenerator(Self.batch(network, capacity: 2))
    let first = [try generator.add(requests[0]), try generator.add(requests[1])]
    #expect(first == [0, 1] && !generator.hasRoom)
    for _ in 0..<4 { _ = try generator.step() }
    let cancelled = generator.cancel(0)
    #expect(cancelled?.finishReason == .cancelled && cancelled?.tokens == Array(expected[0].tokens.prefix(4)))
    let again = generator.cancel(0)
    #expect(again?.tokens == nil)
    let third = try generator.add(requests[2])
    #expect(third == 2)
    var found: [Int: [Int]] = [:]
    var told: [Int: [Int]] = [1: Array(expected[1].tokens.prefix(4))]
    while generator.count > 0 {
      for event in try generator.step() {
        switch event {
        case .token(let token, let text, _): told[text, default: []].append(token)
        case .finished(let result, let text): found[text] = result.tokens
        case .failed(let error, _): throw error
        }
      }
    }
    #expect(found == [1: expected[1].tokens, 2: expected[2].tokens] && told == found)
    let idle = try generator.step()
    #expect(idle.isEmpty)
  }

  @Test func whatCannotBeComputedIsRefused() throws {
    let network = try Networks.stitched()
    let session = Self.batch(network, capacity: 2)
    var generator = BatchGenerator(session)
    #expect(throws: InferenceError.noTokens) { try generator.add(.init(prompt: [], options: GenerationOptions())) }
    #expect(throws: InferenceError.tokenOutOfRange(token: 64, vocabularySize: 64)) {
      try generator.add(.init(prompt: [64], options: GenerationOptions()))
    }
    #expect(throws: InferenceError.contextOverflow(needed: 49, contextLength: Self.context)) {
      try generator.add(.init(prompt: [Int](repeating: 1, count: 49), options: GenerationOptions()))
    }
    #expect(throws: SamplingError.self) {
      try generator.add(.init(prompt: [1], options: GenerationOptions(sampling: SamplingOptions(topP: 0))))
    }
    #expect(generator.count == 0)
    // A failure leaves every text as it was.
    _ = try session.evaluate([.init(text: 1, tokens: [1, 2])])
    #expect(throws: InferenceError.tokenOutOfRange(token: -1, vocabularySize: 64)) {
      try session.evaluate([.init(text: 0, tokens: [1]), .init(text: 1, tokens: [-1])])
    }
    #expect(throws: InferenceError.noTokens) { try session.evaluate([]) }
    #expect(session.position(of: 0) == 0 && session.position(of: 1) == 2)
  }

  @Test func asManyTextsAsFit() throws {
    let network = try Networks.stitched()
    let one = network.cacheBytes(positions: 32)
    #expect(BatchSession.capacity(of: network, contextLength: 32, bytes: 7 * one) == 7)
    #expect(BatchSession.capacity(of: network, contextLength: 32, cacheType: .f16, bytes: 7 * one) == 14)
    #expect(BatchSession.capacity(of: network, contextLength: 32, bytes: one / 2) == 1)
  }
}

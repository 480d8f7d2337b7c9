import EngineBenchmarks
import Foundation
import LLaMAStitch
import Testing

/// A token's logits are the same bits however the text is cut, cached or spread over threads.
@Suite struct BatchInvarianceTests {
  /// The bits of the logits of every token, evaluated in pieces of these lengths.
  private func bits(_ session: InferenceSession, _ tokens: [Int], pieces: [Int]) throws -> [[UInt32]] {
    session.truncate(to: 0)
    var result: [[UInt32]] = []
    var start = 0
    for piece in pieces {
      let logits = try session.evaluate(Array(tokens[start..<start + piece]), logits: .all)
      for row in 0..<piece { result.append(logits.row(row).array.map(\.bitPattern)) }
      start += piece
    }
    return result
  }

  /// Every way to write `total` as an ordered sum.
  private func compositions(of total: Int) -> [[Int]] {
    (0..<1 << (total - 1)).map { cuts in
      var pieces = [1]
      for position in 0..<total - 1 {
        if cuts >> position & 1 == 1 { pieces.append(1) } else { pieces[pieces.count - 1] += 1 }
      }
      return pieces
    }
  }

  @Test(arguments: ["gqa", "mqa-head-dim", "mlp-bias", "bfloat16", "float16"])
  func everyCutGivesTheSameBits(_ name: String) throws {
    let network = try LlamaModel.load(directory: Fixtures.model(name)).network()
    let tokens = [1, 7, 30, 12, 55, 9, 41, 22, 3, 60]
    for kernels in InferenceKernels.available {
      let session = InferenceSession(
        network: network, contextLength: 64, chunkSize: 64, pool: ComputePool(threads: 1), kernels: kernels)
      let expected = try bits(session, tokens, pieces: [tokens.count])
      for pieces in compositions(of: tokens.count) {
        let found = try bits(session, tokens, pieces: pieces)
        #expect(found == expected, "\(kernels.name), cut as \(pieces)")
      }
    }
  }

  @Test func chunksThreadsAndOneByOneGiveTheSameBits() throws {
    try expectTheSameBits(try Networks.stitched(), chunks: [1, 3, 16, 33, 90])
  }

  /// Heads of 8 rows: two threads share a panel of sixteen. With low-rank updates, rounded, too.
  @Test(arguments: [ElementType.q8_0, .q4_0, .q4_1]) func quantisedNetworksGiveTheSameBits(type: ElementType) throws {
    try withScratchDirectory { directory in
      let configuration = RandomModel.configuration(
        hidden: 64, heads: 5, keyValueHeads: 5, headDimension: 8, intermediate: 96, vocabulary: 64)
      try ModelDirectory.write(
        to: directory.appending(path: "model"), configuration: configuration, elementType: type,
        weights: RandomModel.weights(configuration, seed: 3))
      let network = try LlamaModel.load(directory: directory.appending(path: "model")).network()
      for network in [network, network.withRandomAdapter(rank: 5), network.withRandomAdapter(rank: 16)] {
        try expectTheSameBits(network, context: 64, tokens: 60, chunks: [1, 7, 33])
      }
    }
  }

  private func expectTheSameBits(_ network: Network, context: Int = 96, tokens count: Int = 90, chunks: [Int]) throws {
    let tokens = (0..<count).map { ($0 * 37 + 5) % 64 }
    for kernels in InferenceKernels.available {
      var expected: [[UInt32]]?
      for threads in 1...4 {
        let pool = ComputePool(threads: threads)
        for chunkSize in chunks {
          let session = InferenceSession(
            network: network, contextLength: context, chunkSize: chunkSize, pool: pool, kernels: kernels,
            splitting: threads > 1 ? .always : .never)
          let found = try bits(session, tokens, pieces: [40, 1, count - 41])
          if expected == nil { expected = found }
          #expect(found == expected, "\(kernels.name), \(threads) threads, chunks of \(chunkSize)")
        }
      }
    }
  }

  @Test func forgettingAndComputingAgainGivesTheSameBits() throws {
    let session = InferenceSession(
      network: try LlamaModel.load(directory: Fixtures.model("gqa")).network(), contextLength: 64)
    let tokens = (0..<50).map { ($0 * 11 + 1) % 64 }
    let expected = try session.evaluate(tokens).row(0).array.map(\.bitPattern)
    // Another text over the same positions, then back.
    session.truncate(to: 20)
    try session.evaluate([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], logits: .none)
    session.truncate(to: 20)
    try session.evaluate(Array(tokens[20..<49]), logits: .none)
    let one = try session.evaluate(tokens[49]).array.map(\.bitPattern)
    #expect(one == expected)
    #expect(session.tokens == tokens)
  }

  @Test func aTextLongerThanTheContextIsRefused() throws {
    let session = InferenceSession(
      network: try LlamaModel.load(directory: Fixtures.model("tied")).network(), contextLength: 8)
    #expect(throws: InferenceError.contextOverflow(needed: 9, contextLength: 8)) {
      try session.evaluate([Int](repeating: 1, count: 9))
    }
    #expect(session.position == 0)
    try session.evaluate([Int](repeating: 1, count: 8))
    #expect(throws: InferenceError.contextOverflow(needed: 9, contextLength: 8)) { try session.evaluate(1) }
    session.truncate(to: 0)
    #expect(throws: InferenceError.tokenOutOfRange(token: 64, vocabularySize: 64)) {
      try session.evaluate([3, 64])
    }
    #expect(throws: InferenceError.noTokens) { try session.evaluate([]) }
  }
}

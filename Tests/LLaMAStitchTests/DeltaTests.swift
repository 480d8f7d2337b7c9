import Foundation
import LLaMAStitch
import Support
import Testing

/// What adapters add to projections.
@Suite struct DeltaTests {
  /// Several low-rank updates and biases of one projection add up, in inference and in training.
  @Test func severalDeltasAddUp() throws {
    let plain = try LlamaModel.load(directory: Fixtures.model("gqa"))
    var random = SeededGenerator(seed: 4)
    func values(_ rows: Int, _ columns: Int) -> MatrixView {
      FloatBuffer((0..<rows * columns).map { _ in Float(0.2 * random.normal()) }).matrix(rows: rows, columns: columns)
    }
    func update(_ projection: Projection, rank: Int, scale: Float) -> Delta {
      .lowRank(LowRank(a: values(rank, projection.inputSize), b: values(projection.outputSize, rank), scale: scale))
    }
    let blocks = plain.blocks.map { block in
      var block = block
      block.attention.query.deltas = [
        update(block.attention.query, rank: 3, scale: 0.5), update(block.attention.query, rank: 5, scale: 2),
        .bias(WeightVector(values(1, block.attention.query.outputSize).row(0))),
        .bias(WeightVector(values(1, block.attention.query.outputSize).row(0))),
      ]
      block.mlp.down.deltas = [
        update(block.mlp.down, rank: 2, scale: 1), update(block.mlp.down, rank: 2, scale: -1),
        update(block.mlp.down, rank: 1, scale: 3),
      ]
      return block
    }
    let network = LlamaModel(
      configuration: plain.configuration, embedding: plain.embedding, blocks: blocks, finalNorm: plain.finalNorm,
      head: plain.head
    ).network()
    let tokens = (0..<20).map { ($0 * 7 + 3) % plain.configuration.vocabularySize }
    let session = InferenceSession(network: network, contextLength: 64)
    let found = try session.evaluate(tokens, logits: .all)
    for (row, expected) in PlainForward.logits(network, tokens).enumerated() {
      #expect(relativeDifference(found.row(row).array, expected.map(Float.init)) < 1e-4)
    }
    var batch = PackedBatch()
    batch.append(tokens.map(Int32.init))
    session.truncate(to: 0)
    let nll = try Scorer.negativeLogLikelihoods(of: tokens, session: session)
    let rule = try Backpropagation(store: ParameterStore([]), pool: ComputePool(threads: 1))
    #expect(abs(rule.loss(network, batch) - nll.reduce(0, +) / Double(nll.count)) < 1e-4)
  }

  /// Factors rounded to quantised types, of ranks that fill no block too, compute nearly what the floats do: alone, and two
  /// updates as one.
  @Test(arguments: [(ElementType.q8_0, 0.03), (.q4_1, 0.35), (.q4_0, 0.35)]) func roundedFactorsAreNearTheFloats(
    type: ElementType, tolerance: Double
  ) throws {
    try withScratchDirectory { directory in
      let configuration = RandomModel.configuration(
        hidden: 64, heads: 4, keyValueHeads: 2, headDimension: 16, intermediate: 96)
      try ModelDirectory.write(
        to: directory.appending(path: "model"), configuration: configuration, elementType: .q8_0,
        weights: RandomModel.weights(configuration, seed: 3))
      let plain = try LlamaModel.load(directory: directory.appending(path: "model"))
      let tokens = (0..<40).map { ($0 * 7 + 3) % configuration.vocabularySize }
      for ranks in [[5], [16], [32], [3, 16]] {
        func logits(updated: Bool, rounded: Bool) throws -> [Float] {
          var random = SeededGenerator(seed: 9)
          func values(_ rows: Int, _ columns: Int) -> MatrixView {
            FloatBuffer((0..<rows * columns).map { _ in Float(0.2 * random.normal()) })
              .matrix(rows: rows, columns: columns)
          }
          let blocks = plain.blocks.map { block in
            var block = block
            for part in [\Block.attention.query, \.attention.value, \.mlp.gate, \.mlp.down] where updated {
              let projection = block[keyPath: part]
              block[keyPath: part].deltas = ranks.map { rank in
                let (a, b) = (values(rank, projection.inputSize), values(projection.outputSize, rank))
                let read = rounded ? LowRank.quantized([(a, b, type)])[0] : nil
                return .lowRank(LowRank(a: WeightMatrix(a), b: WeightMatrix(b), scale: 0.5, read: read))
              }
            }
            return block
          }
          let network = LlamaModel(
            configuration: configuration, embedding: plain.embedding, blocks: blocks, finalNorm: plain.finalNorm,
            head: plain.head
          ).network()
          return try InferenceSession(network: network, contextLength: 64).evaluate(tokens, logits: .all).dense.array
        }
        let exact = try logits(updated: true, rounded: false)
        let difference = relativeDifference(try logits(updated: true, rounded: true), exact)
        #expect(difference < tolerance)
        #expect(relativeDifference(try logits(updated: false, rounded: false), exact) > 2 * tolerance)
      }
    }
  }
}

import Foundation
import LLaMAStitch
import Support
import Synchronization
import Testing

/// What adapters add to projections, and how steps are taken by several processes.
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

  /// Two processes with a micro-batch each end where one with both does.
  @Test func processesAddTheirGradientsUp() throws {
    let configuration = RandomModel.configuration()
    @Sendable func store() -> ParameterStore {
      let store = ParameterStore(configuration.declarations())
      let weights = RandomModel.weights(configuration, seed: 2)
      for tensor in configuration.tensors {
        store.value(store.index(of: tensor.huggingFaceName)!).copy(from: weights(tensor))
      }
      return store
    }
    let batches = [3, 4].map { seed in
      var batch = PackedBatch()
      for tokens in RandomModel.tokens(2, length: 12, seed: UInt64(seed)) { batch.append(tokens) }
      return batch
    }
    let settings = OptimizerSettings(learningRate: 1e-2)
    @Sendable func step(_ store: ParameterStore, _ communicator: any Communicator) throws -> StepResult {
      let network = LlamaModel(configuration: configuration, store: store).network()
      return try Backpropagation(store: store, pool: ComputePool(threads: 1), communicator: communicator)
        .step(network, batches, optimizer: settings, learningRate: 1e-2)
    }
    let alone = store()
    let expected = try step(alone, SingleProcess())
    let meeting = Meeting()
    let results = Mutex<[Int: (StepResult, [Float])]>([:])
    let threads = (0..<2).map { rank in
      Thread {
        let own = store()
        do {
          let result = try step(own, Meeting.Process(rank: rank, meeting: meeting))
          results.withLock { $0[rank] = (result, own.values.vector.array) }
        } catch { Issue.record(error) }
      }
    }
    threads.forEach { $0.start() }
    while results.withLock({ $0.count }) < 2 { Thread.sleep(forTimeInterval: 0.01) }
    let (first, second) = results.withLock { ($0[0]!, $0[1]!) }
    #expect(first.0 == second.0 && first.1 == second.1)
    #expect(abs(first.0.loss - expected.loss) < 1e-6 && first.0.targets == expected.targets)
    #expect(relativeDifference(first.1, alone.values.vector.array) < 1e-4)
  }
}

/// Where two threads meet that stand for two processes.
private final class Meeting: Sendable {
  private struct State {
    var sums: [Double] = []
    var arrived = 0
    var left = 0
  }
  private let state = Mutex(State())

  /// The sums over both, in order of rank.
  func sum(_ values: [Double], rank: Int) -> [Double] {
    // The first rank is added first, and nobody begins anew before both have left.
    while !state.withLock({ $0.left == 0 && $0.arrived == rank }) { Thread.sleep(forTimeInterval: 1e-4) }
    state.withLock { state in
      state.sums = rank == 0 ? values : zip(state.sums, values).map { $0 + $1 }
      state.arrived += 1
    }
    while !state.withLock({ $0.arrived == 2 }) { Thread.sleep(forTimeInterval: 1e-4) }
    return state.withLock { state in
      let sums = state.sums
      state.left += 1
      if state.left == 2 { (state.arrived, state.left) = (0, 0) }
      return sums
    }
  }

  struct Process: Communicator {
    let rank: Int
    let meeting: Meeting
    var count: Int { 2 }

    func sum(_ values: VectorView) {
      values.copy(from: meeting.sum(values.array.map(Double.init), rank: rank).map(Float.init))
    }
    func sum(_ value: Double) -> Double { meeting.sum([value], rank: rank)[0] }
  }
}

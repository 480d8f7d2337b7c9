import Foundation
import Support

/// A block that is put between those of an anchor and made of their weights, by some numbers that are learned.
protocol LearnedBlock {
  /// What the numbers are before the first step.
  var start: [Float] { get }
  /// How far a step of AdamW moves a number, at first.
  static var learningRate: Float { get }
  /// The tensors that depend on the numbers.
  var declarations: [ParameterStore.Declaration] { get }
  /// The block over a store's tensors.
  func block(in store: ParameterStore) -> Block
  /// Computes a store's tensors by the numbers.
  func write(_ numbers: VectorView, to store: ParameterStore)
  /// ∂L by each of the numbers, from the gradients of the tensors.
  func numberGradients(_ gradients: [String: [Float]]) -> [Float]
  /// The block as a store has it, which no longer depends on the store.
  func copy(from store: ParameterStore) -> Block
}

/// Learns the numbers of blocks that are put into an anchor, by the divergence of what the deeper one says from what the anchor
/// itself says, with AdamW, whose rate falls to nothing along a line. The anchor's own blocks stay as they are.
struct LearnedBlocks {
  private static let steps = 60

  /// Of each block in order, its numbers.
  let numbers: [[Float]]
  /// The blocks, in order.
  let blocks: [Block]
  /// The divergence from the anchor at each step, nats per token.
  let losses: [Double]

  /// - Parameters:
  ///   - inserted: the new blocks in order.
  ///   - anchor: prepared for training.
  ///   - places: of the blocks that they come after.
  ///   - batches: text to learn on, in turn.
  /// - Throws: `AnchorSizeError.notANumber`, `ComputeError`.
  init<Inserted: LearnedBlock>(
    _ inserted: [Inserted], in anchor: LlamaModel, after places: [Int], batches: [PackedBatch], pool: ComputePool,
    progress: (_ done: Int, _ all: Int) -> Void
  ) throws {
    let batches = batches.filter { $0.targetCount > 0 }
    guard !batches.isEmpty else { throw AnchorSizeError.notANumber("what new blocks learn, without a text,") }
    let store = ParameterStore(inserted.flatMap(\.declarations))
    var stages: [Stage] = []
    for (index, block) in anchor.blocks.enumerated() {
      stages.append(.block(block))
      if let place = places.firstIndex(of: index) { stages.append(.block(inserted[place].block(in: store))) }
    }
    let network = Network(
      embedding: anchor.embedding, stages: stages, finalNorm: anchor.finalNorm,
      finalNormEpsilon: anchor.configuration.normEpsilon, head: anchor.head)
    let teacher = Teacher(anchor.network(), share: 1)
    let rule = try Backpropagation(store: store, pool: pool)

    let values = FloatBuffer(inserted.flatMap(\.start)).vector
    var offset = 0
    /// Of each block its own.
    let own = inserted.map { block in
      let range = offset..<offset + block.start.count
      offset = range.upperBound
      return values.slice(range)
    }
    func write() {
      for (block, numbers) in zip(inserted, own) { block.write(numbers, to: store) }
    }
    let (first, second) = (FloatBuffer(count: values.count).vector, FloatBuffer(count: values.count).vector)
    var losses: [Double] = []
    for step in 0..<Self.steps {
      progress(step, Self.steps)
      write()
      let (loss, gradients) = rule.gradients(network, batches[step % batches.count], teacher: teacher)
      losses.append(loss)
      let gradient = inserted.flatMap { $0.numberGradients(gradients) }
      guard loss.isFinite, gradient.allSatisfy(\.isFinite) else {
        throw AnchorSizeError.notANumber("what new blocks learn")
      }
      func correction(_ beta: Double) -> Float { Float(1 - pow(beta, Double(step + 1))) }
      TrainingKernels.adamW(
        values: values, gradient: FloatBuffer(gradient).vector, firstMoment: first, secondMoment: second,
        gradientScale: 1, learningRate: Inserted.learningRate * (1 - Float(step) / Float(Self.steps)), beta1: 0.9,
        beta2: 0.999, epsilon: 1e-8, weightDecay: 0, start: nil, startDecay: 0, correction1: correction(0.9),
        correction2: correction(0.999))
    }
    write()
    progress(Self.steps, Self.steps)
    self.losses = losses
    numbers = own.map(\.array)
    blocks = inserted.map { $0.copy(from: store) }
  }
}

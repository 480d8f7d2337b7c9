import Foundation
import Support

/// Blocks between neighbours whose weights are a learned combination of the neighbours' (Replacement Learning: Zhang et al.
/// 2024, arXiv 2410.01239): every tensor of a block is *α* times that of the block before and *β* times that of the block
/// behind it, so that two numbers are all that is learned of it.
///
/// In the paper a network is trained with some of its layers replaced so, by its task's loss. Here the other layers are those
/// of an anchor that is trained already, and stay as they are; *α* and *β* begin at ½ and are learned by the divergence from
/// what the anchor itself says, with AdamW, whose rate falls to nothing along a line. What comes out are weights like any
/// other: healing trains them apart from the neighbours.
struct ReplacementLearning {
  private static let steps = 60
  private static let rate: Float = 0.02

  /// The two numbers of each block, in order.
  let factors: [(before: Float, after: Float)]
  /// The blocks, in order.
  let blocks: [Block]
  /// The divergence from the anchor at each step, nats per token.
  let losses: [Double]

  /// - Parameters:
  ///   - places: of the blocks that new ones come after.
  ///   - batches: text to learn on, in turn.
  /// - Throws: `AnchorSizeError.notANumber`, `ComputeError`.
  init(
    _ anchor: LlamaModel, after places: [Int], batches: [PackedBatch], pool: ComputePool,
    progress: (_ done: Int, _ all: Int) -> Void
  ) throws {
    let batches = batches.filter { $0.targetCount > 0 }
    guard !batches.isEmpty else { throw AnchorSizeError.notANumber("what blocks are combined by, without a text,") }
    let prepared = anchor.preparedForTraining
    let combined = places.map { Combination(of: anchor.blocks[$0], and: anchor.blocks[$0 + 1], name: "\($0)") }
    let store = ParameterStore(combined.flatMap(\.declarations))
    var stages: [Stage] = []
    for (index, block) in prepared.blocks.enumerated() {
      stages.append(.block(block))
      if let place = places.firstIndex(of: index) { stages.append(.block(combined[place].block(in: store))) }
    }
    let network = Network(
      embedding: prepared.embedding, stages: stages, finalNorm: prepared.finalNorm,
      finalNormEpsilon: prepared.configuration.normEpsilon, head: prepared.head)
    let teacher = Teacher(prepared.network(), share: 1)
    let rule = try Backpropagation(store: store, pool: pool)

    let count = 2 * places.count
    let (values, gradient) = (FloatBuffer(count: count).vector, FloatBuffer(count: count).vector)
    let (first, second) = (FloatBuffer(count: count).vector, FloatBuffer(count: count).vector)
    values.fill(0.5)
    var losses: [Double] = []
    func combine() {
      for (place, combination) in combined.enumerated() {
        combination.write(to: store, before: values[2 * place], after: values[2 * place + 1])
      }
    }
    for step in 0..<Self.steps {
      progress(step, Self.steps)
      combine()
      let (loss, gradients) = rule.gradients(network, batches[step % batches.count], teacher: teacher)
      losses.append(loss)
      for (place, combination) in combined.enumerated() {
        let (before, after) = combination.factorGradients(gradients)
        (gradient[2 * place], gradient[2 * place + 1]) = (before, after)
      }
      guard loss.isFinite, gradient.array.allSatisfy(\.isFinite) else {
        throw AnchorSizeError.notANumber("what blocks are combined by")
      }
      func correction(_ beta: Double) -> Float { Float(1 - pow(beta, Double(step + 1))) }
      TrainingKernels.adamW(
        values: values, gradient: gradient, firstMoment: first, secondMoment: second, gradientScale: 1,
        learningRate: Self.rate * (1 - Float(step) / Float(Self.steps)), beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
        weightDecay: 0, start: nil, startDecay: 0, correction1: correction(0.9), correction2: correction(0.999))
    }
    combine()
    progress(Self.steps, Self.steps)
    self.losses = losses
    factors = places.indices.map { (values[2 * $0], values[2 * $0 + 1]) }
    blocks = combined.map { $0.copy(from: store) }
  }
}

/// A block that is a combination of two.
private struct Combination {
  private struct Part {
    let name: String
    let shape: [Int]
    let before, after: FloatBuffer
  }

  /// The block before, whose shapes and settings it has.
  private let like: Block
  private let name: String
  private let parts: [Part]

  init(of before: Block, and after: Block, name: String) {
    like = before
    self.name = name
    var parts: [Part] = []
    for (index, path) in Block.projectionPaths.enumerated() {
      let (one, other) = (before[keyPath: path], after[keyPath: path])
      parts.append(
        Part(
          name: "\(name).\(index).weight", shape: [one.outputSize, one.inputSize],
          before: FloatBuffer(one.weight.floats()), after: FloatBuffer(other.weight.floats())))
      if let bias = one.bias, let otherBias = other.bias {
        parts.append(
          Part(
            name: "\(name).\(index).bias", shape: [one.outputSize], before: FloatBuffer(bias.values.array),
            after: FloatBuffer(otherBias.values.array)))
      }
    }
    for (norm, path) in [("attention", \Block.attentionNorm), ("mlp", \Block.mlpNorm)] {
      parts.append(
        Part(
          name: "\(name).\(norm).norm", shape: [before[keyPath: path].count],
          before: FloatBuffer(before[keyPath: path].values.array), after: FloatBuffer(after[keyPath: path].values.array)
        ))
    }
    self.parts = parts
  }

  var declarations: [ParameterStore.Declaration] { parts.map { .init($0.name, shape: $0.shape, decays: false) } }

  /// The block over the store's tensors.
  func block(in store: ParameterStore) -> Block {
    block(matrix: { store.matrix($0)! }, vector: { store.vector($0) })
  }

  /// The block as the store has it now.
  func copy(from store: ParameterStore) -> Block {
    func values(_ name: String) -> FloatBuffer? { store.index(of: name).map { FloatBuffer(store.value($0).array) } }
    return block(
      matrix: { name in
        let shape = parts.first { $0.name == name }!.shape
        return WeightMatrix(values(name)!.matrix(rows: shape[0], columns: shape[1]))
      }, vector: { values($0).map { WeightVector($0.vector) } })
  }

  private func block(matrix: (String) -> WeightMatrix, vector: (String) -> WeightVector?) -> Block {
    var block = like
    for (index, path) in Block.projectionPaths.enumerated() {
      block[keyPath: path] = Projection(
        weight: matrix("\(name).\(index).weight"), bias: vector("\(name).\(index).bias"))
    }
    block.attentionNorm = vector("\(name).attention.norm")!
    block.mlpNorm = vector("\(name).mlp.norm")!
    return block
  }

  func write(to store: ParameterStore, before: Float, after: Float) {
    for part in parts {
      let values = store.value(store.index(of: part.name)!)
      for index in 0..<values.count {
        values.base[index] = before * part.before.base[index] + after * part.after.base[index]
      }
    }
  }

  /// ∂L/∂α and ∂L/∂β.
  func factorGradients(_ gradients: [String: [Float]]) -> (before: Float, after: Float) {
    var (before, after) = (0.0, 0.0)
    for part in parts {
      guard let found = gradients[part.name] else { continue }
      let gradient = FloatBuffer(found).vector
      before += TrainingKernels.dot(gradient, part.before.vector)
      after += TrainingKernels.dot(gradient, part.after.vector)
    }
    return (Float(before), Float(after))
  }
}

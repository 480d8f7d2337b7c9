import Foundation
import Support

/// A LLaMA: its configuration and its weights, whether they are mapped from a checkpoint, held in memory or trained in a
/// `ParameterStore`.
public struct LlamaModel: Sendable {
  public let configuration: LlamaConfiguration
  /// `[vocabulary × hidden]`
  public let embedding: WeightMatrix
  public let blocks: [Block]
  /// `[hidden]`
  public let finalNorm: WeightVector
  /// `[vocabulary × hidden]`; the embedding where the two are tied.
  public let head: Projection

  public init(
    configuration: LlamaConfiguration, embedding: WeightMatrix, blocks: [Block], finalNorm: WeightVector,
    head: Projection
  ) {
    self.configuration = configuration
    self.embedding = embedding
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.head = head
  }

  /// Gathers the tensors of a model, wherever they come from.
  /// - Parameters:
  ///   - matrix: a weight matrix.
  ///   - vector: a norm's weights or a bias.
  public init<Failure: Error>(
    configuration: LlamaConfiguration, matrix: (LlamaTensor) throws(Failure) -> WeightMatrix,
    vector: (LlamaTensor) throws(Failure) -> WeightVector
  ) throws(Failure) {
    self.configuration = configuration
    embedding = try matrix(.embedding)
    var blocks: [Block] = []
    for index in 0..<configuration.blockCount {
      func projection(
        _ weight: BlockTensor, _ bias: BlockTensor, _ hasBias: Bool
      ) throws(Failure) -> Projection {
        Projection(
          weight: try matrix(.block(index, weight)), bias: hasBias ? try vector(.block(index, bias)) : nil)
      }
      let inputBias = configuration.attentionBias != .none
      let mlpBias = configuration.mlpBias
      blocks.append(
        Block(
          configuration: configuration.of(block: index),
          attentionNorm: try vector(.block(index, .attentionNorm)),
          attention: Attention(
            query: try projection(.queryWeight, .queryBias, inputBias),
            key: try projection(.keyWeight, .keyBias, inputBias),
            value: try projection(.valueWeight, .valueBias, inputBias),
            output: try projection(.outputWeight, .outputBias, configuration.attentionBias == .all)),
          mlpNorm: try vector(.block(index, .mlpNorm)),
          mlp: MLP(
            gate: try projection(.gateWeight, .gateBias, mlpBias),
            up: try projection(.upWeight, .upBias, mlpBias),
            down: try projection(.downWeight, .downBias, mlpBias))))
    }
    self.blocks = blocks
    finalNorm = try vector(.finalNorm)
    head = Projection(weight: configuration.tiedEmbeddings ? embedding : try matrix(.head))
  }

  /// The whole model as a network: a chain of one.
  public func network() -> Network {
    Network(
      embedding: embedding, stages: blocks.map(Stage.block), finalNorm: finalNorm,
      finalNormEpsilon: configuration.normEpsilon, head: head)
  }
}

// MARK: - Checkpoints

extension LlamaModel {
  /// Opens a Hugging Face model directory.
  /// - Throws: `CheckpointError`, `FileError`, `SafetensorsError`.
  public static func load(directory url: URL) throws -> LlamaModel { try LlamaModel(ModelDirectory(url)) }

  /// The weights of an open model directory: matrices mapped, vectors copied.
  public init(_ directory: ModelDirectory) throws(CheckpointError) {
    try self.init(configuration: directory.configuration) { tensor throws(CheckpointError) in
      WeightMatrix(try directory.tensor(tensor))
    } vector: { tensor throws(CheckpointError) in
      WeightVector(FloatBuffer(try directory.tensor(tensor).floats()).vector)
    }
    // A token reads one row of it.
    if !configuration.tiedEmbeddings { embedding.bytes.preferSmallPages() }
  }

  /// A tensor of the model.
  enum Tensor {
    case matrix(WeightMatrix)
    case vector(WeightVector)

    /// All values, written to `floats`.
    func copy(to floats: VectorView) {
      switch self {
      case .matrix(let weights): weights.dequantize(0..<weights.rows, into: floats)
      case .vector(let vector): floats.copy(from: vector.values)
      }
    }
  }

  /// One of `configuration.tensors`.
  func tensor(_ name: LlamaTensor) -> Tensor {
    switch name {
    case .embedding: .matrix(embedding)
    case .finalNorm: .vector(finalNorm)
    case .head: .matrix(head.weight)
    case .block(let index, let part): blocks[index].tensor(part)
    }
  }
}

extension Block {
  fileprivate func tensor(_ part: BlockTensor) -> LlamaModel.Tensor {
    func bias(_ projection: Projection) -> LlamaModel.Tensor {
      guard let bias = projection.bias else { preconditionFailure("a bias that the configuration does not have") }
      return .vector(bias)
    }
    return switch part {
    case .attentionNorm: .vector(attentionNorm)
    case .queryWeight: .matrix(attention.query.weight)
    case .queryBias: bias(attention.query)
    case .keyWeight: .matrix(attention.key.weight)
    case .keyBias: bias(attention.key)
    case .valueWeight: .matrix(attention.value.weight)
    case .valueBias: bias(attention.value)
    case .outputWeight: .matrix(attention.output.weight)
    case .outputBias: bias(attention.output)
    case .mlpNorm: .vector(mlpNorm)
    case .gateWeight: .matrix(mlp.gate.weight)
    case .gateBias: bias(mlp.gate)
    case .upWeight: .matrix(mlp.up.weight)
    case .upBias: bias(mlp.up)
    case .downWeight: .matrix(mlp.down.weight)
    case .downBias: bias(mlp.down)
    }
  }
}

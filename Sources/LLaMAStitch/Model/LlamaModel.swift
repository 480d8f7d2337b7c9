import Foundation
import Support

/// A pretrained LLaMA: its configuration and its weights, memory-mapped where they are matrices.
public struct LlamaModel: Sendable {
  public let configuration: LlamaConfiguration
  /// `[vocabulary × hidden]`
  public let embedding: WeightMatrix
  public let blocks: [Block]
  /// `[hidden]`
  public let finalNorm: VectorView
  /// `[vocabulary × hidden]`; the embedding where the two are tied.
  public let head: Projection

  public init(
    configuration: LlamaConfiguration, embedding: WeightMatrix, blocks: [Block], finalNorm: VectorView,
    head: Projection
  ) {
    self.configuration = configuration
    self.embedding = embedding
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.head = head
  }

  /// Opens a Hugging Face model directory.
  /// - Throws: `CheckpointError`, `FileError`, `SafetensorsError`.
  public static func load(directory url: URL) throws -> LlamaModel {
    try LlamaModel(ModelDirectory(url))
  }

  /// The weights of an open model directory.
  public init(_ directory: ModelDirectory) throws(CheckpointError) {
    let configuration = directory.configuration
    let shapes = Dictionary(
      uniqueKeysWithValues: configuration.tensorShapes.map { ($0.name, $0.shape) })
    func matrix(_ name: String) throws(CheckpointError) -> WeightMatrix {
      WeightMatrix(try directory.tensor(name, shape: shapes[name]!))
    }
    func vector(_ name: String) throws(CheckpointError) -> VectorView {
      FloatBuffer(try directory.tensor(name, shape: shapes[name]!).floats()).vector
    }
    embedding = try matrix(LlamaConfiguration.embeddingName)
    // A token reads one row of it.
    if !configuration.tiedEmbeddings { embedding.bytes.preferSmallPages() }
    var blocks: [Block] = []
    for index in 0..<configuration.blockCount {
      func name(_ part: String) -> String { LlamaConfiguration.blockTensorName(index, part) }
      func projection(_ part: String, bias: Bool) throws(CheckpointError) -> Projection {
        Projection(
          weight: try matrix(name("\(part).weight")), bias: bias ? try vector(name("\(part).bias")) : nil)
      }
      blocks.append(
        Block(
          configuration: configuration,
          attentionNorm: try vector(name("input_layernorm.weight")),
          query: try projection("self_attn.q_proj", bias: configuration.attentionBias),
          key: try projection("self_attn.k_proj", bias: configuration.attentionBias),
          value: try projection("self_attn.v_proj", bias: configuration.attentionBias),
          output: try projection("self_attn.o_proj", bias: configuration.attentionBias),
          mlpNorm: try vector(name("post_attention_layernorm.weight")),
          gate: try projection("mlp.gate_proj", bias: configuration.mlpBias),
          up: try projection("mlp.up_proj", bias: configuration.mlpBias),
          down: try projection("mlp.down_proj", bias: configuration.mlpBias)))
    }
    self.configuration = configuration
    self.blocks = blocks
    finalNorm = try vector(LlamaConfiguration.finalNormName)
    head =
      configuration.tiedEmbeddings
      ? Projection(weight: embedding) : Projection(weight: try matrix(LlamaConfiguration.headName))
  }

  /// The whole model as a network.
  public func network() -> Network {
    Network(
      embedding: embedding, stages: blocks.map(Stage.block), finalNorm: finalNorm,
      finalNormEpsilon: configuration.normEpsilon, head: head)
  }
}

/// The tensors of one LLaMA as training sees them, whether trained or frozen.
public struct AnchorTensors: Sendable {
  public let configuration: LlamaConfiguration
  /// [vocabulary × hidden]
  public let embedding: TrainingMatrix
  public let blocks: [TrainingBlock]
  public let finalNorm: TrainingTensor
  /// [vocabulary × hidden]; the embedding where tied.
  public let head: TrainingMatrix

  /// Declarations for training every weight; names get `prefix`.
  public static func declarations(
    of configuration: LlamaConfiguration, prefix: String = ""
  ) -> [ParameterStore.Declaration] {
    configuration.tensorShapes.map {
      .init(prefix + $0.name, shape: $0.shape, decays: $0.shape.count > 1)
    }
  }

  init(
    configuration: LlamaConfiguration, embedding: TrainingMatrix, blocks: [TrainingBlock],
    finalNorm: TrainingTensor, head: TrainingMatrix
  ) {
    self.configuration = configuration
    self.embedding = embedding
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.head = head
  }

  /// Gathers the tensors by their Hugging Face names.
  /// - Parameter positions: how many positions the rotary table covers; the context length if absent.
  public init<Failure: Error>(
    configuration c: LlamaConfiguration, positions: Int? = nil,
    tensor: (String) throws(Failure) -> TrainingTensor
  ) throws(Failure) {
    configuration = c
    embedding = .floats(try tensor("model.embed_tokens.weight"))
    finalNorm = try tensor("model.norm.weight")
    head = c.tiedEmbeddings ? embedding : .floats(try tensor("lm_head.weight"))
    let rotary = RotaryTable(configuration: c, positions: positions ?? c.contextLength)
    var blocks: [TrainingBlock] = []
    for index in 0..<c.blockCount {
      let name = "model.layers.\(index)."
      func projection(_ part: String, hasBias: Bool) throws(Failure) -> TrainingProjection {
        TrainingProjection(
          weight: try tensor(name + part + ".weight"),
          bias: hasBias ? try tensor(name + part + ".bias") : nil)
      }
      blocks.append(
        TrainingBlock(
          attentionNorm: try tensor(name + "input_layernorm.weight"),
          query: try projection("self_attn.q_proj", hasBias: c.attentionBias),
          key: try projection("self_attn.k_proj", hasBias: c.attentionBias),
          value: try projection("self_attn.v_proj", hasBias: c.attentionBias),
          output: try projection("self_attn.o_proj", hasBias: c.attentionBias),
          feedForwardNorm: try tensor(name + "post_attention_layernorm.weight"),
          gate: try projection("mlp.gate_proj", hasBias: c.mlpBias),
          up: try projection("mlp.up_proj", hasBias: c.mlpBias),
          down: try projection("mlp.down_proj", hasBias: c.mlpBias),
          configuration: c, rotary: rotary))
    }
    self.blocks = blocks
  }

  /// All tensors in a store, under `prefix`.
  public init(configuration: LlamaConfiguration, store: ParameterStore, prefix: String = "", positions: Int? = nil) {
    self.init(configuration: configuration, positions: positions) { name in
      guard let tensor = store.tensor(prefix + name) else {
        preconditionFailure("\(prefix + name) was not declared")
      }
      return tensor
    }
  }

  /// The anchor alone.
  public var network: TrainingNetwork {
    TrainingNetwork(
      embedding: embedding, stages: blocks.map { .block($0) }, finalNorm: finalNorm,
      normEpsilon: configuration.normEpsilon, head: head)
  }
}

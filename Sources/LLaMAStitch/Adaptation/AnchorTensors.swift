/// The tensors of one LLaMA as training sees them, whether trained or frozen.
public struct AnchorTensors: Sendable {
  public let configuration: LlamaConfiguration
  /// [vocabulary × hidden]
  public let embedding: TrainingTensor
  public let blocks: [TrainingBlock]
  public let finalNorm: TrainingTensor
  /// [vocabulary × hidden]; the embedding where tied.
  public let head: TrainingTensor

  /// Names (Hugging Face's) and shapes of all tensors of a LLaMA.
  public static func shapes(of configuration: LlamaConfiguration) -> [(name: String, shape: [Int])] {
    let c = configuration
    var all: [(name: String, shape: [Int])] = [("model.embed_tokens.weight", [c.vocabularySize, c.hiddenSize])]
    for index in 0..<c.blockCount {
      let block = "model.layers.\(index)."
      all.append((block + "input_layernorm.weight", [c.hiddenSize]))
      let attention = [
        ("q_proj", c.queryWidth, c.hiddenSize), ("k_proj", c.keyValueWidth, c.hiddenSize),
        ("v_proj", c.keyValueWidth, c.hiddenSize), ("o_proj", c.hiddenSize, c.queryWidth),
      ]
      for (name, rows, columns) in attention {
        all.append((block + "self_attn.\(name).weight", [rows, columns]))
        if c.attentionBias { all.append((block + "self_attn.\(name).bias", [rows])) }
      }
      all.append((block + "post_attention_layernorm.weight", [c.hiddenSize]))
      let feedForward = [
        ("gate_proj", c.intermediateSize, c.hiddenSize), ("up_proj", c.intermediateSize, c.hiddenSize),
        ("down_proj", c.hiddenSize, c.intermediateSize),
      ]
      for (name, rows, columns) in feedForward {
        all.append((block + "mlp.\(name).weight", [rows, columns]))
        if c.mlpBias { all.append((block + "mlp.\(name).bias", [rows])) }
      }
    }
    all.append(("model.norm.weight", [c.hiddenSize]))
    if !c.tiedEmbeddings { all.append(("lm_head.weight", [c.vocabularySize, c.hiddenSize])) }
    return all
  }

  /// Declarations for training every weight; names get `prefix`.
  public static func declarations(
    of configuration: LlamaConfiguration, prefix: String = ""
  ) -> [ParameterStore.Declaration] {
    shapes(of: configuration).map {
      .init(prefix + $0.name, shape: $0.shape, decays: $0.shape.count > 1)
    }
  }

  /// Gathers the tensors by their Hugging Face names.
  /// - Parameter positions: how many positions the rotary table covers; the context length if absent.
  public init<Failure: Error>(
    configuration c: LlamaConfiguration, positions: Int? = nil,
    tensor: (String) throws(Failure) -> TrainingTensor
  ) throws(Failure) {
    configuration = c
    embedding = try tensor("model.embed_tokens.weight")
    finalNorm = try tensor("model.norm.weight")
    head = c.tiedEmbeddings ? embedding : try tensor("lm_head.weight")
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

extension AnchorTensors {
  /// A loaded anchor with every weight frozen, in the type it is stored in.
  public init(frozen model: LlamaModel, positions: Int? = nil) {
    let rotary = RotaryTable(
      configuration: model.configuration, positions: positions ?? model.configuration.contextLength)
    func projection(_ projection: Projection) -> TrainingProjection {
      TrainingProjection(
        weight: TrainingMatrix(frozen: projection.weight), bias: projection.bias.map { TrainingTensor(frozen: $0) })
    }
    self.init(
      configuration: model.configuration, embedding: TrainingMatrix(frozen: model.embedding),
      blocks: model.blocks.map { block in
        TrainingBlock(
          attentionNorm: TrainingTensor(frozen: block.attentionNorm), query: projection(block.query),
          key: projection(block.key), value: projection(block.value), output: projection(block.output),
          feedForwardNorm: TrainingTensor(frozen: block.mlpNorm), gate: projection(block.gate),
          up: projection(block.up), down: projection(block.down), configuration: model.configuration,
          rotary: rotary)
      },
      finalNorm: TrainingTensor(frozen: model.finalNorm), head: TrainingMatrix(frozen: model.head.weight))
  }

  /// Every tensor by its Hugging Face name; vectors are matrices of one row.
  var named: [String: TrainingMatrix] {
    var named: [String: TrainingMatrix] = [
      LlamaConfiguration.embeddingName: embedding, LlamaConfiguration.finalNormName: .floats(finalNorm),
      LlamaConfiguration.headName: head,
    ]
    for (index, block) in blocks.enumerated() {
      func add(_ part: String, _ matrix: TrainingMatrix?) {
        named[LlamaConfiguration.blockTensorName(index, part)] = matrix
      }
      add("input_layernorm.weight", .floats(block.attentionNorm))
      add("post_attention_layernorm.weight", .floats(block.feedForwardNorm))
      for (part, projection) in [
        ("self_attn.q_proj", block.query), ("self_attn.k_proj", block.key), ("self_attn.v_proj", block.value),
        ("self_attn.o_proj", block.output), ("mlp.gate_proj", block.gate), ("mlp.up_proj", block.up),
        ("mlp.down_proj", block.down),
      ] {
        add(part + ".weight", projection.weight)
        add(part + ".bias", projection.bias.map { .floats($0) })
      }
    }
    return named
  }

  /// The values of every tensor by its Hugging Face name, of an anchor whose weights are trained.
  var floats: [String: VectorView] {
    named.compactMapValues { matrix in
      guard case .floats(let tensor) = matrix else { return nil }
      return tensor.values.dense
    }
  }
}

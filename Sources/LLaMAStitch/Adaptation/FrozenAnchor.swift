extension AnchorTensors {
  /// A loaded anchor with every weight frozen, widened to single precision.
  public init(frozen model: LlamaModel, positions: Int? = nil) {
    func matrix(_ weights: WeightMatrix) -> TrainingTensor {
      let buffer = FloatBuffer(weights.floats())
      return TrainingTensor(values: buffer.matrix(rows: weights.rows, columns: weights.columns))
    }
    let rotary = RotaryTable(
      configuration: model.configuration, positions: positions ?? model.configuration.contextLength)
    func projection(_ projection: Projection) -> TrainingProjection {
      TrainingProjection(
        weight: matrix(projection.weight), bias: projection.bias.map { TrainingTensor(frozen: $0) })
    }
    let embedding = matrix(model.embedding)
    self.init(
      configuration: model.configuration, embedding: embedding,
      blocks: model.blocks.map { block in
        TrainingBlock(
          attentionNorm: TrainingTensor(frozen: block.attentionNorm), query: projection(block.query),
          key: projection(block.key), value: projection(block.value), output: projection(block.output),
          feedForwardNorm: TrainingTensor(frozen: block.mlpNorm), gate: projection(block.gate),
          up: projection(block.up), down: projection(block.down), configuration: model.configuration,
          rotary: rotary)
      },
      finalNorm: TrainingTensor(frozen: model.finalNorm),
      head: model.configuration.tiedEmbeddings ? embedding : matrix(model.head.weight))
  }

  /// The same anchor with its matrices rounded to a storage type, as they will be read back.
  func rounded(to type: ElementType?) -> AnchorTensors {
    guard let type, type != .f32 else { return self }
    for (_, values) in namedWeights { values.round(to: type) }
    return self
  }

  /// Every tensor's values by its Hugging Face name.
  var namedWeights: [String: VectorView] {
    var named: [String: VectorView] = [
      LlamaConfiguration.embeddingName: embedding.values.dense,
      LlamaConfiguration.finalNormName: finalNorm.values.dense,
      LlamaConfiguration.headName: head.values.dense,
    ]
    for (index, block) in blocks.enumerated() {
      func add(_ part: String, _ tensor: TrainingTensor?) {
        named[LlamaConfiguration.blockTensorName(index, part)] = tensor?.values.dense
      }
      add("input_layernorm.weight", block.attentionNorm)
      add("post_attention_layernorm.weight", block.feedForwardNorm)
      for (part, projection) in [
        ("self_attn.q_proj", block.query), ("self_attn.k_proj", block.key), ("self_attn.v_proj", block.value),
        ("self_attn.o_proj", block.output), ("mlp.gate_proj", block.gate), ("mlp.up_proj", block.up),
        ("mlp.down_proj", block.down),
      ] {
        add(part + ".weight", projection.weight)
        add(part + ".bias", projection.bias)
      }
    }
    return named
  }
}

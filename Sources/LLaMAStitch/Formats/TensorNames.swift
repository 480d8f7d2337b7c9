// The tensors of a LLaMA, by their Hugging Face names.

extension LlamaConfiguration {
  /// A weight's name and shape, `[out, in]` for matrices.
  public struct TensorShape: Sendable, Equatable {
    public let name: String
    public let shape: [Int]
  }

  public static let embeddingName = "model.embed_tokens.weight"
  public static let finalNormName = "model.norm.weight"
  public static let headName = "lm_head.weight"

  /// The name of a tensor of block `block`, for example `blockTensorName(0, "self_attn.q_proj.weight")`.
  public static func blockTensorName(_ block: Int, _ part: String) -> String {
    "model.layers.\(block).\(part)"
  }

  /// Every tensor such a model has, in the order of the forward pass. A tied head is not listed.
  public var tensorShapes: [TensorShape] {
    var result = [TensorShape(name: Self.embeddingName, shape: [vocabularySize, hiddenSize])]
    for block in 0..<blockCount {
      func add(_ part: String, _ shape: [Int]) {
        result.append(TensorShape(name: Self.blockTensorName(block, part), shape: shape))
      }
      func projection(_ part: String, out: Int, in columns: Int, bias: Bool) {
        add("\(part).weight", [out, columns])
        if bias { add("\(part).bias", [out]) }
      }
      add("input_layernorm.weight", [hiddenSize])
      projection("self_attn.q_proj", out: queryWidth, in: hiddenSize, bias: attentionBias)
      projection("self_attn.k_proj", out: keyValueWidth, in: hiddenSize, bias: attentionBias)
      projection("self_attn.v_proj", out: keyValueWidth, in: hiddenSize, bias: attentionBias)
      projection("self_attn.o_proj", out: hiddenSize, in: queryWidth, bias: attentionBias)
      add("post_attention_layernorm.weight", [hiddenSize])
      projection("mlp.gate_proj", out: intermediateSize, in: hiddenSize, bias: mlpBias)
      projection("mlp.up_proj", out: intermediateSize, in: hiddenSize, bias: mlpBias)
      projection("mlp.down_proj", out: hiddenSize, in: intermediateSize, bias: mlpBias)
    }
    result.append(TensorShape(name: Self.finalNormName, shape: [hiddenSize]))
    if !tiedEmbeddings {
      result.append(TensorShape(name: Self.headName, shape: [vocabularySize, hiddenSize]))
    }
    return result
  }

  /// How a tensor is stored in a model of a type. In quantised ones vectors stay F32, and matrices whose rows are not
  /// whole blocks BF16. Where matrices have 4 bits, embedding and head, on which all else depends, have 8.
  package func storageType(_ type: ElementType, of tensor: TensorShape) -> ElementType {
    guard type.isQuantized else { return type }
    if tensor.shape.count < 2 { return .f32 }
    if tensor.shape[1] % type.blockLength != 0 { return .bf16 }
    let isEnd = tensor.name == Self.embeddingName || tensor.name == Self.headName
    return type == .q4_0 && isEnd ? .q8_0 : type
  }
}

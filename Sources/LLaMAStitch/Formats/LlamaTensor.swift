/// A tensor of a LLaMA, whatever a format calls it. This file is the one table of their names and shapes.
public enum LlamaTensor: Hashable, Sendable {
  case embedding
  case block(Int, BlockTensor)
  case finalNorm
  /// Of its own only where it is not tied to the embedding.
  case head
}

/// A tensor of one block, in the order of the forward pass.
public enum BlockTensor: CaseIterable, Hashable, Sendable {
  case attentionNorm
  case queryWeight, queryBias, keyWeight, keyBias, valueWeight, valueBias, outputWeight, outputBias
  case mlpNorm
  case gateWeight, gateBias, upWeight, upBias, downWeight, downBias
}

// MARK: - The table

extension BlockTensor {
  /// What formats call the tensor within its block, and its shape: a vector where there are no columns.
  private var row: (huggingFace: String, gguf: String, rows: Size, columns: Size?) {
    switch self {
    case .attentionNorm: ("input_layernorm.weight", "attn_norm.weight", \.hiddenSize, nil)
    case .queryWeight: ("self_attn.q_proj.weight", "attn_q.weight", \.queryWidth, \.hiddenSize)
    case .queryBias: ("self_attn.q_proj.bias", "attn_q.bias", \.queryWidth, nil)
    case .keyWeight: ("self_attn.k_proj.weight", "attn_k.weight", \.keyValueWidth, \.hiddenSize)
    case .keyBias: ("self_attn.k_proj.bias", "attn_k.bias", \.keyValueWidth, nil)
    case .valueWeight: ("self_attn.v_proj.weight", "attn_v.weight", \.keyValueWidth, \.hiddenSize)
    case .valueBias: ("self_attn.v_proj.bias", "attn_v.bias", \.keyValueWidth, nil)
    case .outputWeight: ("self_attn.o_proj.weight", "attn_output.weight", \.hiddenSize, \.queryWidth)
    case .outputBias: ("self_attn.o_proj.bias", "attn_output.bias", \.hiddenSize, nil)
    case .mlpNorm: ("post_attention_layernorm.weight", "ffn_norm.weight", \.hiddenSize, nil)
    case .gateWeight: ("mlp.gate_proj.weight", "ffn_gate.weight", \.intermediateSize, \.hiddenSize)
    case .gateBias: ("mlp.gate_proj.bias", "ffn_gate.bias", \.intermediateSize, nil)
    case .upWeight: ("mlp.up_proj.weight", "ffn_up.weight", \.intermediateSize, \.hiddenSize)
    case .upBias: ("mlp.up_proj.bias", "ffn_up.bias", \.intermediateSize, nil)
    case .downWeight: ("mlp.down_proj.weight", "ffn_down.weight", \.hiddenSize, \.intermediateSize)
    case .downBias: ("mlp.down_proj.bias", "ffn_down.bias", \.hiddenSize, nil)
    }
  }

  private typealias Size = KeyPath<LlamaConfiguration, Int>

  /// Its name at Hugging Face, within the block.
  var huggingFaceName: String { row.huggingFace }
  /// Its name in a GGUF file, within the block.
  var ggufName: String { row.gguf }

  fileprivate func shape(in configuration: LlamaConfiguration) -> [Int] {
    let row = row
    return [configuration[keyPath: row.rows]] + (row.columns.map { [configuration[keyPath: $0]] } ?? [])
  }

  fileprivate func exists(in configuration: LlamaConfiguration) -> Bool {
    switch self {
    case .queryBias, .keyBias, .valueBias: configuration.attentionBias != .none
    case .outputBias: configuration.attentionBias == .all
    case .gateBias, .upBias, .downBias: configuration.mlpBias
    default: true
    }
  }
}

extension LlamaTensor {
  /// Its name in a Hugging Face checkpoint, for example `model.layers.0.self_attn.q_proj.weight`.
  public var huggingFaceName: String {
    switch self {
    case .embedding: "model.embed_tokens.weight"
    case .block(let index, let tensor): "model.layers.\(index).\(tensor.huggingFaceName)"
    case .finalNorm: "model.norm.weight"
    case .head: "lm_head.weight"
    }
  }

  /// Its name in a GGUF file, for example `blk.0.attn_q.weight`.
  public var ggufName: String {
    switch self {
    case .embedding: "token_embd.weight"
    case .block(let index, let tensor): "blk.\(index).\(tensor.ggufName)"
    case .finalNorm: "output_norm.weight"
    case .head: "output.weight"
    }
  }
}

// MARK: - The tensors of one model

extension LlamaConfiguration {
  /// Every tensor such a model has, in the order of the forward pass. A tied head is not listed.
  public var tensors: [LlamaTensor] {
    let parts = BlockTensor.allCases.filter { $0.exists(in: self) }
    return [.embedding] + (0..<blockCount).flatMap { block in parts.map { .block(block, $0) } } + [.finalNorm]
      + (tiedEmbeddings ? [] : [.head])
  }

  /// A tensor's shape, `[out, in]` for matrices.
  public func shape(of tensor: LlamaTensor) -> [Int] {
    switch tensor {
    case .embedding, .head: [vocabularySize, hiddenSize]
    case .block(_, let tensor): tensor.shape(in: self)
    case .finalNorm: [hiddenSize]
    }
  }

  /// How a tensor is stored in a model of a type. In quantised ones vectors stay F32, and matrices whose rows are not
  /// whole blocks BF16. Where matrices have 4 bits, embedding and head, on which all else depends, have 8.
  package func storageType(_ type: ElementType, of tensor: LlamaTensor) -> ElementType {
    guard type.isQuantized else { return type }
    let shape = shape(of: tensor)
    if shape.count < 2 { return .f32 }
    if shape[1] % type.blockLength != 0 { return .bf16 }
    let isEnd = tensor == .embedding || tensor == .head
    return type != .q8_0 && isEnd ? .q8_0 : type
  }
}

// MARK: - By name

extension LlamaConfiguration {
  /// A tensor with its Hugging Face name and shape.
  public struct TensorShape: Sendable, Equatable {
    public let tensor: LlamaTensor
    public let shape: [Int]

    public var name: String { tensor.huggingFaceName }
  }

  /// `tensors` with names and shapes.
  public var tensorShapes: [TensorShape] { tensors.map { TensorShape(tensor: $0, shape: shape(of: $0)) } }

  package func storageType(_ type: ElementType, of tensor: TensorShape) -> ElementType {
    storageType(type, of: tensor.tensor)
  }
}

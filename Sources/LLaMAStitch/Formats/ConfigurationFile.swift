import Foundation
import Support

// Reading and writing `config.json`.

extension LlamaConfiguration {
  /// Reads a Hugging Face `config.json` of `model_type` llama, mistral, qwen2 or smollm3.
  ///
  /// A sliding window limits the context, within which it changes nothing. Both spellings of the rotary settings are understood: `rope_theta` with `rope_scaling`, and the newer
  /// `rope_parameters`. What transformers has a default for may be absent or null.
  /// - Throws: `FileError`, `SafetensorsError` where the file cannot be read, `CheckpointError.configuration` otherwise.
  public init(file url: URL) throws {
    let bytes = try MappedFile(url).bytes
    try self.init(json: bytes.data, file: url.path)
  }

  /// Reads the text of a `config.json`; `file` names it in errors.
  public init(json: Data, file: String) throws(CheckpointError) {
    let document: JSONValue
    do {
      document = try JSONValue(utf8: json)
    } catch {
      throw .configuration(file: file, cause: "\(error)", remedy: "download or export the model again")
    }
    guard let members = document.object else {
      throw .configuration(
        file: file, cause: "it is \(document.kind), not an object", remedy: "name a model's config.json")
    }
    let fields = ConfigurationFields(members: members, file: file)
    let type = try fields.modelType()

    let hiddenSize = try fields.count("hidden_size")
    let headCount = try fields.count("num_attention_heads", most: 1 << 16)
    let keyValueHeadCount = try fields.count(
      "num_key_value_heads", most: 1 << 16, default: type.keyValueHeadCount ?? headCount)
    let headDimension: Int
    if fields.has("head_dim") {
      headDimension = try fields.count("head_dim", most: 1 << 16)
    } else {
      guard hiddenSize % headCount == 0 else {
        throw fields.impossible(
          "hidden_size \(hiddenSize) is not a multiple of num_attention_heads \(headCount) and head_dim is absent")
      }
      headDimension = hiddenSize / headCount
    }
    guard headCount % keyValueHeadCount == 0 else {
      throw fields.impossible(
        "num_attention_heads \(headCount) is not a multiple of num_key_value_heads \(keyValueHeadCount)")
    }
    guard headDimension % 2 == 0 else {
      throw fields.impossible("head_dim \(headDimension) is odd, rotary positions need pairs")
    }
    let vocabularySize = try fields.count("vocab_size")
    let blockCount = try fields.count("num_hidden_layers", most: 1 << 14)
    let claimed = try fields.count("max_position_embeddings", most: 1 << 30, default: type.contextLength)
    let rope = try fields.rope(type, contextLength: claimed, headDimension: headDimension)

    self.init(
      vocabularySize: vocabularySize,
      hiddenSize: hiddenSize,
      intermediateSize: try fields.count("intermediate_size"),
      blockCount: blockCount,
      headCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension,
      contextLength: min(claimed, rope.contextLimit ?? claimed, try fields.window(type) ?? claimed),
      normEpsilon: Float(try fields.positive("rms_norm_eps", default: 1e-6)),
      ropeTheta: rope.theta,
      ropeScaling: rope.scaling,
      tiedEmbeddings: try fields.flag("tie_word_embeddings", default: type == .smollm3),
      attentionBias: try fields.attentionBias(type),
      mlpBias: try fields.mlpBias(type),
      bosToken: try fields.tokens("bos_token_id", default: type.endTokens.map { $0 - 1 }, below: vocabularySize).first,
      eosTokens: try fields.tokens("eos_token_id", default: type.endTokens, below: vocabularySize))
    unrotatedBlocks = type == .smollm3 ? try fields.unrotatedBlocks(of: blockCount) : []
  }

  /// The text of a `config.json` that transformers (old and new) and this program read alike.
  /// - Parameter elementType: the type of the weights, for `torch_dtype`.
  public func json(elementType: ElementType) -> Data {
    let typeName =
      switch elementType {
      case .bf16: "bfloat16"
      case .f16: "float16"
      default: "float32"
      }
    let eos = eosTokens.count == 1 ? "\(eosTokens[0])" : "\(eosTokens)"
    let type: ModelType =
      attentionBias == .queryKeyValue ? .qwen2 : unrotatedBlocks.isEmpty ? .llama : .smollm3
    var lines = [
      "\"architectures\": [\"\(type.architecture)\"]",
      "\"model_type\": \"\(type.rawValue)\"",
      "\"vocab_size\": \(vocabularySize)",
      "\"hidden_size\": \(hiddenSize)",
      "\"intermediate_size\": \(intermediateSize)",
      "\"num_hidden_layers\": \(blockCount)",
      "\"num_attention_heads\": \(headCount)",
      "\"num_key_value_heads\": \(keyValueHeadCount)",
      "\"head_dim\": \(headDimension)",
      "\"max_position_embeddings\": \(contextLength)",
      "\"rms_norm_eps\": \(normEpsilon)",
      "\"rope_theta\": \(ropeTheta)",
    ]
    if let rope = ropeJSON { lines.append("\"rope_scaling\": {\(rope)}") }
    if type == .smollm3 {
      let rotated = (0..<blockCount).map { unrotatedBlocks.contains($0) ? 0 : 1 }
      lines.append("\"no_rope_layers\": \(rotated)")
    }
    lines += [
      "\"hidden_act\": \"silu\"",
      "\"tie_word_embeddings\": \(tiedEmbeddings)",
      "\"bos_token_id\": \(bosToken.map(String.init) ?? "null")",
      "\"eos_token_id\": \(eosTokens.isEmpty ? "null" : eos)",
      "\"torch_dtype\": \"\(typeName)\"",
    ]
    if type != .qwen2 {
      lines += ["\"attention_bias\": \(attentionBias == .all)", "\"mlp_bias\": \(mlpBias)"]
    }
    return Data("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8)
  }
}

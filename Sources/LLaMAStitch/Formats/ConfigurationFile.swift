import Foundation
import Support

// Reading and writing `config.json`.

extension LlamaConfiguration {
  /// Reads a Hugging Face `config.json`.
  ///
  /// Both spellings of the rotary settings are understood: `rope_theta` with `rope_scaling`, and the newer
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
    try fields.requireLlama()

    let hiddenSize = try fields.count("hidden_size")
    let headCount = try fields.count("num_attention_heads", most: 1 << 16)
    let keyValueHeadCount = try fields.count("num_key_value_heads", most: 1 << 16, default: headCount)
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
    let rope = try fields.rope()

    self.init(
      vocabularySize: vocabularySize,
      hiddenSize: hiddenSize,
      intermediateSize: try fields.count("intermediate_size"),
      blockCount: try fields.count("num_hidden_layers", most: 1 << 14),
      headCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headDimension: headDimension,
      contextLength: try fields.count("max_position_embeddings", most: 1 << 30, default: 2048),
      normEpsilon: Float(try fields.positive("rms_norm_eps", default: 1e-6)),
      ropeTheta: rope.theta,
      ropeScaling: rope.scaling,
      tiedEmbeddings: try fields.flag("tie_word_embeddings"),
      attentionBias: try fields.flag("attention_bias"),
      mlpBias: try fields.flag("mlp_bias"),
      bosToken: try fields.tokens("bos_token_id", default: [1], below: vocabularySize).first,
      eosTokens: try fields.tokens("eos_token_id", default: [2], below: vocabularySize))
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
    var lines = [
      "\"architectures\": [\"LlamaForCausalLM\"]",
      "\"model_type\": \"llama\"",
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
    switch ropeScaling {
    case .none: break
    case .linear(let factor):
      lines.append("\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": \(factor)}")
    case .llama3(let factor, let low, let high, let original):
      lines.append(
        "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": \(factor), \"low_freq_factor\": \(low), \"high_freq_factor\": \(high), \"original_max_position_embeddings\": \(original)}"
      )
    }
    lines += [
      "\"hidden_act\": \"silu\"",
      "\"tie_word_embeddings\": \(tiedEmbeddings)",
      "\"attention_bias\": \(attentionBias)",
      "\"mlp_bias\": \(mlpBias)",
      "\"bos_token_id\": \(bosToken.map(String.init) ?? "null")",
      "\"eos_token_id\": \(eosTokens.isEmpty ? "null" : eos)",
      "\"torch_dtype\": \"\(typeName)\"",
    ]
    return Data("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8)
  }
}

/// Typed access to the members of a `config.json`, with errors that name the member.
private struct ConfigurationFields {
  let members: [String: JSONValue]
  let file: String

  func has(_ name: String) -> Bool { members[name].map { $0 != .null } ?? false }

  func impossible(_ cause: String) -> CheckpointError {
    .configuration(file: file, cause: cause, remedy: "correct config.json or download it again")
  }

  func unsupported(_ cause: String) -> CheckpointError {
    .configuration(file: file, cause: cause, remedy: "use a LLaMA model (model_type “llama”, hidden_act “silu”)")
  }

  func requireLlama() throws(CheckpointError) {
    guard let type = members["model_type"] else { throw unsupported("model_type is missing") }
    guard type == .string("llama") else {
      throw unsupported("model_type \(text(type)) is not supported")
    }
    if has("hidden_act"), let activation = members["hidden_act"],
      activation != .string("silu"), activation != .string("swish")
    {
      throw unsupported("hidden_act \(text(activation)) is not supported")
    }
    if has("quantization_config") { throw unsupported("quantised weights are not supported here") }
  }

  private func text(_ value: JSONValue) -> String { value.string.map { "“\($0)”" } ?? value.kind }

  /// A number from 1 to `most`.
  func count(_ name: String, most: Int = 1 << 28, default fallback: Int? = nil) throws(CheckpointError) -> Int {
    guard has(name), let value = members[name] else {
      guard let fallback else { throw impossible("\(name) is missing") }
      return fallback
    }
    guard let number = value.double else { throw impossible("\(name) is \(value.kind), not a number") }
    guard let count = value.integer, count >= 1, count <= most else {
      throw impossible("\(name) is \(number), not a whole number from 1 to \(most)")
    }
    return count
  }

  func positive(_ name: String, default fallback: Double) throws(CheckpointError) -> Double {
    try Self(members: members, file: file).positive(name, in: members, default: fallback)
  }

  func positive(
    _ name: String, in members: [String: JSONValue], default fallback: Double? = nil
  ) throws(CheckpointError) -> Double {
    guard let value = members[name], value != .null else {
      guard let fallback else { throw impossible("\(name) is missing") }
      return fallback
    }
    guard let number = value.double else { throw impossible("\(name) is \(value.kind), not a number") }
    guard number > 0, number.isFinite, Float(number) > 0, Float(number).isFinite else {
      throw impossible("\(name) is \(number), not a positive number")
    }
    return number
  }

  func flag(_ name: String) throws(CheckpointError) -> Bool {
    guard has(name), let value = members[name] else { return false }
    guard let flag = value.bool else { throw impossible("\(name) is \(value.kind), not true or false") }
    return flag
  }

  /// One token id, a list of them, or (explicitly null) none. Ids outside the vocabulary are impossible.
  func tokens(_ name: String, default fallback: [Int], below limit: Int) throws(CheckpointError) -> [Int] {
    guard let value = members[name] else { return fallback.filter { $0 < limit } }
    if value == .null { return [] }
    var tokens: [Int] = []
    for item in value.array ?? [value] {
      guard let token = item.integer else { throw impossible("\(name) is \(item.kind), not a token id") }
      guard token >= 0, token < limit else {
        throw impossible("\(name) is \(token), outside the vocabulary of \(limit)")
      }
      tokens.append(token)
    }
    return tokens
  }

  func rope() throws(CheckpointError) -> (theta: Double, scaling: LlamaConfiguration.RopeScaling) {
    // The new spelling keeps θ inside; the old one keeps it beside, with the scaling possibly null.
    let key = has("rope_parameters") ? "rope_parameters" : "rope_scaling"
    let outerTheta = try positive("rope_theta", default: 10_000)
    guard has(key), let value = members[key] else { return (outerTheta, .none) }
    guard let rope = value.object else { throw impossible("\(key) is \(value.kind), not an object") }
    let theta = try positive("rope_theta", in: rope, default: outerTheta)
    if let partial = rope["partial_rotary_factor"]?.double, partial != 1 {
      throw impossible("partial_rotary_factor \(partial) is not supported")
    }
    let type = rope["rope_type"] ?? rope["type"] ?? .string("default")
    switch type.string {
    case "default": return (theta, .none)
    case "linear":
      return (theta, .linear(factor: try positive("factor", in: rope)))
    case "llama3":
      let low = try positive("low_freq_factor", in: rope)
      let high = try positive("high_freq_factor", in: rope)
      guard high > low else { throw impossible("high_freq_factor \(high) is not above low_freq_factor \(low)") }
      let original = try Self(members: rope, file: file)
        .count("original_max_position_embeddings", most: 1 << 30)
      return (
        theta,
        .llama3(
          factor: try positive("factor", in: rope), lowFrequencyFactor: low, highFrequencyFactor: high,
          originalContextLength: original)
      )
    default:
      throw .configuration(
        file: file, cause: "rope type \(text(type)) is not supported",
        remedy: "use a model with plain, linear or llama3 rotary positions")
    }
  }
}

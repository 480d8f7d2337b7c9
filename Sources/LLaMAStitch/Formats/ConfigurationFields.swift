import Support

/// The models that are read, as `model_type` names them, with what transformers supposes where a configuration is silent.
enum ModelType: String {
  case llama
  case mistral
  /// With biases on queries, keys and values.
  case qwen2
  /// With blocks that do not rotate.
  case smollm3

  var architecture: String {
    switch self {
    case .llama: "LlamaForCausalLM"
    case .mistral: "MistralForCausalLM"
    case .qwen2: "Qwen2ForCausalLM"
    case .smollm3: "SmolLM3ForCausalLM"
    }
  }

  var contextLength: Int {
    switch self {
    case .llama: 2048
    case .mistral: 1 << 17
    case .qwen2, .smollm3: 1 << 15
    }
  }

  /// `nil`: as many as heads.
  var keyValueHeadCount: Int? {
    switch self {
    case .llama: nil
    case .mistral: 8
    case .qwen2: 32
    case .smollm3: 4
    }
  }

  var ropeTheta: Double { self == .smollm3 ? 2_000_000 : 10_000 }

  /// The token that begins a text comes before the one that ends it.
  var endTokens: [Int] {
    switch self {
    case .llama, .mistral: [2]
    case .qwen2: []
    case .smollm3: [128_001]
    }
  }
}

/// Typed access to the members of a `config.json` or a file beside it, with errors that name the member.
struct ConfigurationFields {
  let members: [String: JSONValue]
  let file: String
  var remedy = "correct config.json or download it again"

  func has(_ name: String) -> Bool { members[name].map { $0 != .null } ?? false }

  func impossible(_ cause: String) -> CheckpointError {
    .configuration(file: file, cause: cause, remedy: remedy)
  }

  func unsupported(_ cause: String) -> CheckpointError {
    .configuration(
      file: file, cause: cause,
      remedy: "use a model of type llama, mistral, qwen2 or smollm3 with hidden_act “silu”, not quantised")
  }

  func modelType() throws(CheckpointError) -> ModelType {
    guard let value = members["model_type"] else { throw unsupported("model_type is missing") }
    guard let type = value.string.flatMap(ModelType.init(rawValue:)) else {
      throw unsupported("model_type \(text(value)) is not supported")
    }
    if has("hidden_act"), let activation = members["hidden_act"],
      activation != .string("silu"), activation != .string("swish")
    {
      throw unsupported("hidden_act \(text(activation)) is not supported")
    }
    if has("quantization_config") { throw unsupported("quantised weights are not supported here") }
    return type
  }

  func text(_ value: JSONValue) -> String { value.string.map { "“\($0)”" } ?? value.kind }

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

  func positive(_ name: String, default fallback: Double? = nil) throws(CheckpointError) -> Double {
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

  func flag(_ name: String, default fallback: Bool = false) throws(CheckpointError) -> Bool {
    guard has(name), let value = members[name] else { return fallback }
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
}

// MARK: - What differs between models

extension ConfigurationFields {
  func attentionBias(_ type: ModelType) throws(CheckpointError) -> LlamaConfiguration.AttentionBias {
    let isSet = try flag("attention_bias")
    switch type {
    case .qwen2: return .queryKeyValue
    case .mistral:
      if isSet { throw unsupported("a mistral with attention_bias is not supported") }
      return .none
    case .llama, .smollm3: return isSet ? .all : .none
    }
  }

  func mlpBias(_ type: ModelType) throws(CheckpointError) -> Bool {
    let isSet = try flag("mlp_bias")
    if isSet, type == .qwen2 || type == .mistral {
      throw unsupported("a \(type.rawValue) with mlp_bias is not supported")
    }
    return isSet
  }

  /// Tokens that a block with a sliding window sees, where any has one.
  func window(_ type: ModelType) throws(CheckpointError) -> Int? {
    let slides: Bool
    switch type {
    case .llama: return nil
    case .mistral: slides = true
    case .qwen2, .smollm3: slides = try flag("use_sliding_window")
    }
    // Null is none; nothing is 4096 in a mistral and in a qwen2 that slides.
    if !slides || members["sliding_window"] == .null { return nil }
    if members["sliding_window"] == nil && type == .smollm3 { return nil }
    return try count("sliding_window", most: 1 << 30, default: 4096)
  }

  /// The blocks that a `no_rope_layers` has a 0 for: every fourth one without it.
  func unrotatedBlocks(of blockCount: Int) throws(CheckpointError) -> [Int] {
    guard has("no_rope_layers"), let value = members["no_rope_layers"] else {
      let interval = try count("no_rope_layer_interval", default: 4)
      return (0..<blockCount).filter { ($0 + 1) % interval == 0 }
    }
    guard let marks = value.array, marks.count >= blockCount, marks.allSatisfy({ $0.integer == 0 || $0.integer == 1 })
    else { throw impossible("no_rope_layers is not a list of \(blockCount) ones and zeros") }
    return (0..<blockCount).filter { marks[$0].integer == 0 }
  }
}

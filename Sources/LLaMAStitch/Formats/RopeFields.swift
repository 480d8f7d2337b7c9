import Foundation
import Support

// Rotary positions in a `config.json`.

extension ConfigurationFields {
  typealias Rope = (theta: Double, scaling: LlamaConfiguration.RopeScaling, contextLimit: Int?)

  /// How positions are rotated, and how many of them at most where that is another number than the model's.
  /// - Parameter contextLength: what the model was made for.
  func rope(_ model: ModelType, contextLength: Int, headDimension: Int) throws(CheckpointError) -> Rope {
    // The new spelling keeps θ inside; the old one keeps it beside, with the scaling possibly null.
    let key = has("rope_parameters") ? "rope_parameters" : "rope_scaling"
    let outerTheta = try positive("rope_theta", default: model.ropeTheta)
    guard has(key), let value = members[key] else { return (outerTheta, .none, nil) }
    guard let members = value.object else { throw impossible("\(key) is \(value.kind), not an object") }
    let rope = Self(members: members, file: file)
    let theta = try rope.positive("rope_theta", default: outerTheta)
    if let partial = members["partial_rotary_factor"]?.double, partial != 1 {
      throw impossible("partial_rotary_factor \(partial) is not supported")
    }
    let type = members["rope_type"] ?? members["type"] ?? .string("default")
    switch type.string {
    case "default": return (theta, .none, nil)
    // Frequencies change with the length of a text that is longer than what the model was made for: never here.
    case "dynamic":
      _ = try rope.factor()
      return (theta, .none, nil)
    case "linear": return (theta, .linear(factor: try rope.factor()), nil)
    case "llama3": return (theta, try rope.llama3(contextLength: contextLength), nil)
    case "yarn": return (theta, .yarn(try rope.yarn(theta: theta, contextLength: contextLength)), nil)
    case "longrope":
      let (scaling, limit) = try rope.table(contextLength: contextLength, pairs: headDimension / 2)
      return (theta, scaling, limit)
    default:
      throw .configuration(
        file: file, cause: "rope type \(text(type)) is not supported",
        remedy: "use a model with plain, linear, dynamic, llama3, yarn or longrope rotary positions")
    }
  }

  private func factor() throws(CheckpointError) -> Double { try positive("factor") }

  private func originalContextLength(default contextLength: Int) throws(CheckpointError) -> Int {
    try count("original_max_position_embeddings", most: 1 << 30, default: contextLength)
  }

  private func llama3(contextLength: Int) throws(CheckpointError) -> LlamaConfiguration.RopeScaling {
    let low = try positive("low_freq_factor")
    let high = try positive("high_freq_factor")
    guard high > low else { throw impossible("high_freq_factor \(high) is not above low_freq_factor \(low)") }
    return .llama3(
      factor: try factor(), lowFrequencyFactor: low, highFrequencyFactor: high,
      originalContextLength: try originalContextLength(default: contextLength))
  }

  private func yarn(theta: Double, contextLength: Int) throws(CheckpointError) -> LlamaConfiguration.YaRN {
    typealias YaRN = LlamaConfiguration.YaRN
    guard theta > 1 else {
      throw impossible("rope_theta \(theta) leaves nothing for yarn to scale; it must be above 1")
    }
    let original = try originalContextLength(default: contextLength)
    let factor = try positive("factor", default: Double(contextLength) / Double(original))
    var magnitude = YaRN.magnitude(factor)
    if has("attention_factor") {
      magnitude = try positive("attention_factor")
    } else if let weight = members["mscale"]?.double, let all = members["mscale_all_dim"]?.double,
      weight != 0, all != 0
    {
      magnitude = YaRN.magnitude(factor, weight: weight) / YaRN.magnitude(factor, weight: all)
    }
    var yarn = YaRN(factor: factor, originalContextLength: original, magnitude: magnitude)
    yarn.betaFast = try positive("beta_fast", default: 32)
    yarn.betaSlow = try positive("beta_slow", default: 1)
    yarn.truncates = try flag("truncate", default: true)
    guard yarn.betaFast >= yarn.betaSlow else {
      throw impossible("beta_fast \(yarn.betaFast) is below beta_slow \(yarn.betaSlow)")
    }
    return yarn
  }

  /// LongRoPE: one table of factors for texts within the original context, another for longer ones. Where they differ the
  /// context ends with the first.
  private func table(
    contextLength: Int, pairs: Int
  ) throws(CheckpointError) -> (LlamaConfiguration.RopeScaling, limit: Int?) {
    func factors(_ name: String) throws(CheckpointError) -> [Double] {
      guard let list = members[name]?.array?.compactMap(\.double), list.count == pairs,
        list.allSatisfy({ $0 > 0 && Float($0) > 0 && Float($0).isFinite })
      else { throw impossible("\(name) is not a list of \(pairs) positive numbers") }
      return list
    }
    let (short, long) = (try factors("short_factor"), try factors("long_factor"))
    let original = try originalContextLength(default: contextLength)
    let factor = try positive("factor", default: Double(contextLength) / Double(original))
    var magnitude = 1.0
    if factor > 1, original > 1 { magnitude = (1 + log(factor) / log(Double(original))).squareRoot() }
    magnitude = try positive("attention_factor", default: magnitude)
    return (.table(factors: short, magnitude: magnitude), short == long ? nil : original)
  }
}

extension LlamaConfiguration {
  /// The members of `rope_scaling`; `nil` where there is none.
  var ropeJSON: String? {
    switch ropeScaling {
    case .none, .unrotated: return nil
    case .linear(let factor): return "\"rope_type\": \"linear\", \"factor\": \(factor)"
    case .llama3(let factor, let low, let high, let original):
      return
        "\"rope_type\": \"llama3\", \"factor\": \(factor), \"low_freq_factor\": \(low), \"high_freq_factor\": \(high), \"original_max_position_embeddings\": \(original)"
    case .yarn(let yarn):
      return
        "\"rope_type\": \"yarn\", \"factor\": \(yarn.factor), \"original_max_position_embeddings\": \(yarn.originalContextLength), \"beta_fast\": \(yarn.betaFast), \"beta_slow\": \(yarn.betaSlow), \"attention_factor\": \(yarn.magnitude), \"truncate\": \(yarn.truncates)"
    case .table(let factors, let magnitude):
      return
        "\"rope_type\": \"longrope\", \"short_factor\": \(factors), \"long_factor\": \(factors), \"factor\": 1.0, \"attention_factor\": \(magnitude), \"original_max_position_embeddings\": \(contextLength)"
    }
  }
}

import Foundation

/// The architectures that are read, as GGUF names them.
enum GGUFArchitecture: String {
  /// Mistral, too.
  case llama
  /// With biases on queries, keys and values; rows as in Hugging Face's files.
  case qwen2
  /// Every fourth block does not rotate.
  case smollm3

  /// What a model is written as.
  init(of configuration: LlamaConfiguration) {
    self =
      configuration.attentionBias == .queryKeyValue
      ? .qwen2 : configuration.unrotatedBlocks.isEmpty ? .llama : .smollm3
  }

  /// Those of a smollm3, which GGUF takes for granted.
  static func unrotatedBlocks(of blockCount: Int) -> [Int] { (0..<blockCount).filter { $0 % 4 == 3 } }
}

/// The keys of the metadata that describe a LLaMA. Those of the model begin with its architecture.
enum GGUFKey: String {
  case vocabularySize = "vocab_size"
  case contextLength = "context_length"
  case hiddenSize = "embedding_length"
  case intermediateSize = "feed_forward_length"
  case blockCount = "block_count"
  case expertCount = "expert_count"
  case headCount = "attention.head_count"
  case keyValueHeadCount = "attention.head_count_kv"
  case keyLength = "attention.key_length"
  case valueLength = "attention.value_length"
  case slidingWindow = "attention.sliding_window"
  case normEpsilon = "attention.layer_norm_rms_epsilon"
  case ropeDimensions = "rope.dimension_count"
  case ropeTheta = "rope.freq_base"
  case ropeScalingType = "rope.scaling.type"
  case ropeScalingFactor = "rope.scaling.factor"
  case ropeOriginalContext = "rope.scaling.original_context_length"
  case ropeAttentionFactor = "rope.scaling.attn_factor"
  case ropeBetaFast = "rope.scaling.yarn_beta_fast"
  case ropeBetaSlow = "rope.scaling.yarn_beta_slow"
  /// What older files have instead of a type and a factor.
  case ropeLinearScale = "rope.scale_linear"

  func name(in architecture: GGUFArchitecture) -> String { "\(architecture.rawValue).\(rawValue)" }

  static let architecture = "general.architecture"
  static let name = "general.name"
  static let alignment = "general.alignment"
  static let fileType = "general.file_type"
  static let partNumber = "split.no"
  static let partCount = "split.count"
  static let tensorCount = "split.tensors.count"
  static let vocabularyKind = "tokenizer.ggml.model"
  static let bosToken = "tokenizer.ggml.bos_token_id"
  static let eosToken = "tokenizer.ggml.eos_token_id"
  /// What ends a turn, where that is another token than what ends a text.
  static let eotToken = "tokenizer.ggml.eot_token_id"
  /// What ends a message that a tool is to answer.
  static let eomToken = "tokenizer.ggml.eom_token_id"
  /// A tensor: what frequencies are divided by, a number a pair.
  static let ropeFactors = "rope_freqs.weight"
}

/// What a GGUF file says of a LLaMA.
struct GGUFMetadata {
  private let file: GGUFFile
  private let architecture: GGUFArchitecture

  /// - Throws: `GGUFError` where it is no LLaMA.
  init(_ file: GGUFFile) throws(GGUFError) {
    self.file = file
    guard let name = file.metadata[GGUFKey.architecture]?.text else {
      throw .damaged(file: file.url.path, cause: "it does not name an architecture")
    }
    guard let architecture = GGUFArchitecture(rawValue: name) else {
      throw .unsupported(
        file: file.url.path, cause: "its architecture is “\(name)”", remedy: "use a LLaMA (llama, qwen2 or smollm3)")
    }
    self.architecture = architecture
  }

  func configuration() throws(GGUFError) -> LlamaConfiguration {
    if let experts = value(.expertCount)?.integer, experts > 0 {
      throw .unsupported(
        file: file.url.path, cause: "it is a mixture of experts", remedy: "use a LLaMA without experts")
    }
    let hiddenSize = try count(.hiddenSize)
    let headCount = try count(.headCount, most: 1 << 16)
    let keyValueHeadCount = try count(.keyValueHeadCount, most: 1 << 16, default: headCount)
    let headDimension = try count(.keyLength, most: 1 << 16, default: hiddenSize / headCount)
    guard headCount % keyValueHeadCount == 0, headDimension > 0, headDimension % 2 == 0 else {
      throw damaged("its numbers of heads do not fit each other")
    }
    for key in [GGUFKey.ropeDimensions, .valueLength] {
      guard try count(key, most: 1 << 16, default: headDimension) == headDimension else {
        throw .unsupported(
          file: file.url.path, cause: "\(key.name(in: architecture)) differs from the width of a head",
          remedy: "use a plain LLaMA")
      }
    }
    guard let embedding = file.tensors[LlamaTensor.embedding.ggufName], embedding.shape.count == 2 else {
      throw damaged("it has no tensor “\(LlamaTensor.embedding.ggufName)”")
    }
    let blockCount = try count(.blockCount, most: 1 << 14)
    let contextLength = try count(.contextLength, most: 1 << 30, default: 2048)
    // A window of 0 is none.
    let window =
      value(.slidingWindow)?.integer == 0 ? nil : try count(.slidingWindow, most: 1 << 30, default: contextLength)
    // An embedding may have more rows than there are tokens.
    let (bosToken, eosTokens) = tokens(below: embedding.shape[0])
    var configuration = LlamaConfiguration(
      vocabularySize: embedding.shape[0], hiddenSize: hiddenSize, intermediateSize: try count(.intermediateSize),
      blockCount: blockCount, headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      contextLength: min(contextLength, window ?? contextLength),
      normEpsilon: Float(try positive(.normEpsilon, default: 1e-5)),
      ropeTheta: try positive(.ropeTheta, default: 10_000),
      ropeScaling: try scaling(contextLength: contextLength, pairs: headDimension / 2),
      tiedEmbeddings: file.tensors[LlamaTensor.head.ggufName] == nil,
      attentionBias: try attentionBias(), mlpBias: has(.gateBias), bosToken: bosToken, eosTokens: eosTokens)
    if architecture == .smollm3 { configuration.unrotatedBlocks = GGUFArchitecture.unrotatedBlocks(of: blockCount) }
    return configuration
  }

  private func has(_ bias: BlockTensor) -> Bool { file.tensors[LlamaTensor.block(0, bias).ggufName] != nil }

  private func attentionBias() throws(GGUFError) -> LlamaConfiguration.AttentionBias {
    let (inputs, output) = (has(.queryBias), has(.outputBias))
    if architecture == .qwen2 {
      guard !output, !has(.gateBias) else { throw otherBiases }
      return .queryKeyValue
    }
    guard inputs == output else { throw otherBiases }
    return inputs ? .all : .none
  }

  private var otherBiases: GGUFError {
    .unsupported(
      file: file.url.path, cause: "it has other biases than a \(architecture.rawValue)",
      remedy: "use the model's Hugging Face directory")
  }

  /// The tokens that begin and end a text.
  private func tokens(below limit: Int) -> (bos: Int?, eos: [Int]) {
    func token(_ name: String, default fallback: Int? = nil) -> Int? {
      guard let token = file.metadata[name]?.integer ?? fallback, (0..<limit).contains(token) else { return nil }
      return token
    }
    // SentencePiece's usual ones; nothing is usual elsewhere.
    let isOther = file.metadata[GGUFKey.vocabularyKind].map { $0.text != "llama" } ?? false
    var ends: [Int] = []
    for end in [
      token(GGUFKey.eosToken, default: isOther ? nil : 2), token(GGUFKey.eotToken), token(GGUFKey.eomToken),
    ] {
      if let end, !ends.contains(end) { ends.append(end) }
    }
    return (token(GGUFKey.bosToken, default: isOther ? nil : 1), ends)
  }

  // MARK: Rotary positions

  private func scaling(contextLength: Int, pairs: Int) throws(GGUFError) -> LlamaConfiguration.RopeScaling {
    let type = value(.ropeScalingType)?.text ?? "linear"
    let factor =
      type == "none"
      ? 1 : try positive(.ropeScalingFactor, default: try positive(.ropeLinearScale, default: 1))
    let table = try factors(pairs)
    switch (type, table) {
    case ("none", nil), ("linear", nil): return factor == 1 ? .none : .linear(factor: factor)
    case ("none", let table?), ("linear", let table?): return .table(factors: table.map { $0 * factor }, magnitude: 1)
    case ("yarn", nil):
      let original = try count(.ropeOriginalContext, most: 1 << 30, default: contextLength)
      var yarn = LlamaConfiguration.YaRN(factor: factor, originalContextLength: original)
      yarn.magnitude *= try positive(.ropeAttentionFactor, default: 1)
      yarn.betaFast = try positive(.ropeBetaFast, default: yarn.betaFast)
      yarn.betaSlow = try positive(.ropeBetaSlow, default: yarn.betaSlow)
      guard yarn.betaFast >= yarn.betaSlow else {
        throw damaged("its yarn_beta_fast \(yarn.betaFast) is below yarn_beta_slow \(yarn.betaSlow)")
      }
      let theta = try positive(.ropeTheta, default: 10_000)
      guard theta > 1 else {
        throw damaged("its rope.freq_base \(theta) leaves nothing for yarn to scale; it must be above 1")
      }
      return .yarn(yarn)
    default:
      throw .unsupported(
        file: file.url.path, cause: "its rotary positions are scaled by “\(type)”",
        remedy: "use a model with plain, linear or yarn rotary positions")
    }
  }

  /// What frequencies are divided by: how converters write the scaling of Llama 3.
  private func factors(_ pairs: Int) throws(GGUFError) -> [Double]? {
    guard let tensor = file.tensors[GGUFKey.ropeFactors] else { return nil }
    guard tensor.shape == [pairs] else {
      throw .damaged(
        file: tensor.path,
        cause: "tensor “\(tensor.name)” has shape \(tensor.shape), its metadata ask for [\(pairs)]")
    }
    let factors = tensor.floats()
    guard factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw .damaged(file: tensor.path, cause: "tensor “\(tensor.name)” is not all positive numbers")
    }
    return factors.allSatisfy { $0 == 1 } ? nil : factors.map(Double.init)
  }

  // MARK: Values

  private func value(_ key: GGUFKey) -> GGUFValue? { file.metadata[key.name(in: architecture)] }

  private func damaged(_ cause: String) -> GGUFError { .damaged(file: file.url.path, cause: cause) }

  /// A number from 1 to `most`, or a list of one number a block, all the same.
  private func count(_ key: GGUFKey, most: Int = 1 << 28, default fallback: Int? = nil) throws(GGUFError) -> Int {
    guard let value = value(key) else {
      guard let fallback else { throw damaged("\(key.name(in: architecture)) is missing") }
      return fallback
    }
    var count = value.integer
    if let numbers = value.numbers, let first = numbers.first, numbers.allSatisfy({ $0 == first }) {
      count = Int(exactly: first)
    }
    guard let count, (1...most).contains(count) else {
      throw damaged("\(key.name(in: architecture)) is not a whole number from 1 to \(most)")
    }
    return count
  }

  private func positive(_ key: GGUFKey, default fallback: Double) throws(GGUFError) -> Double {
    guard let value = value(key) else { return fallback }
    guard let number = value.double, number > 0, number.isFinite, Float(number) > 0, Float(number).isFinite else {
      throw damaged("\(key.name(in: architecture)) is not a positive number")
    }
    return number
  }
}

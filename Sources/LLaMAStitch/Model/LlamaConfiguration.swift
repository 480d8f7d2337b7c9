/// The numbers that define a LLaMA, as in a Hugging Face `config.json`.
public struct LlamaConfiguration: Sendable, Equatable {
  /// How rotary positions are scaled.
  public enum RopeScaling: Sendable, Equatable {
    case none
    /// Every frequency divided by `factor`.
    case linear(factor: Double)
    /// Llama 3: long wavelengths divided by `factor`, short ones left, those between interpolated.
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalContextLength: Int)
  }

  public var vocabularySize: Int
  /// Width of the residual stream.
  public var hiddenSize: Int
  /// Width of the feed-forward layer.
  public var intermediateSize: Int
  public var blockCount: Int
  public var headCount: Int
  /// Key/value heads; fewer than `headCount` is grouped-query attention.
  public var keyValueHeadCount: Int
  public var headDimension: Int
  public var contextLength: Int
  public var normEpsilon: Float
  public var ropeTheta: Double
  public var ropeScaling: RopeScaling
  /// Whether the output head is the embedding table.
  public var tiedEmbeddings: Bool
  public var attentionBias: Bool
  public var mlpBias: Bool
  public var bosToken: Int?
  public var eosTokens: [Int]

  public init(
    vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, blockCount: Int, headCount: Int,
    keyValueHeadCount: Int? = nil, headDimension: Int? = nil, contextLength: Int = 2048,
    normEpsilon: Float = 1e-5, ropeTheta: Double = 10_000, ropeScaling: RopeScaling = .none,
    tiedEmbeddings: Bool = false, attentionBias: Bool = false, mlpBias: Bool = false,
    bosToken: Int? = 1, eosTokens: [Int] = [2]
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.blockCount = blockCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headDimension = headDimension ?? hiddenSize / max(1, headCount)
    self.contextLength = contextLength
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.tiedEmbeddings = tiedEmbeddings
    self.attentionBias = attentionBias
    self.mlpBias = mlpBias
    self.bosToken = bosToken
    self.eosTokens = eosTokens
  }

  /// Width of all query heads together.
  public var queryWidth: Int { headCount * headDimension }
  /// Width of all key (or value) heads together.
  public var keyValueWidth: Int { keyValueHeadCount * headDimension }
}

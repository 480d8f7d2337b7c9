import Foundation

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
    /// YaRN (Peng et al. 2023, arXiv 2309.00071).
    case yarn(YaRN)
    /// The frequency of each pair divided by a factor of its own; cosines and sines times `magnitude`.
    case table(factors: [Double], magnitude: Double)
    /// No rotation at all.
    case unrotated
  }

  /// Frequencies that turn more than `betaFast` times within the original context are left, those that turn less than
  /// `betaSlow` times are divided by `factor`, and there is a ramp between.
  public struct YaRN: Sendable, Equatable {
    public var factor: Double
    public var originalContextLength: Int
    public var betaFast = 32.0
    public var betaSlow = 1.0
    /// What cosines and sines are multiplied by.
    public var magnitude: Double
    /// Whether the ramp begins and ends at whole pairs.
    public var truncates = true

    /// - Parameter magnitude: the paper's where there is none.
    public init(factor: Double, originalContextLength: Int, magnitude: Double? = nil) {
      self.factor = factor
      self.originalContextLength = originalContextLength
      self.magnitude = magnitude ?? Self.magnitude(factor)
    }

    /// `0.1 · weight · ln factor + 1`, and 1 where nothing is stretched.
    static func magnitude(_ factor: Double, weight: Double = 1) -> Double {
      factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
    }
  }

  /// Which projections of attention have biases.
  public enum AttentionBias: Sendable, Equatable {
    case none
    /// As in Qwen2.
    case queryKeyValue
    case all
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
  public var attentionBias: AttentionBias
  public var mlpBias: Bool
  /// Blocks whose queries and keys are not rotated, in order.
  public var unrotatedBlocks: [Int] = []
  public var bosToken: Int?
  public var eosTokens: [Int]

  public init(
    vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, blockCount: Int, headCount: Int,
    keyValueHeadCount: Int? = nil, headDimension: Int? = nil, contextLength: Int = 2048,
    normEpsilon: Float = 1e-5, ropeTheta: Double = 10_000, ropeScaling: RopeScaling = .none,
    tiedEmbeddings: Bool = false, attentionBias: AttentionBias = .none, mlpBias: Bool = false,
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

  /// The same as one of its blocks sees it.
  func of(block index: Int) -> LlamaConfiguration {
    guard unrotatedBlocks.contains(index) else { return self }
    var configuration = self
    configuration.ropeScaling = .unrotated
    return configuration
  }

  /// Width of all query heads together.
  public var queryWidth: Int { headCount * headDimension }
  /// Width of all key (or value) heads together.
  public var keyValueWidth: Int { keyValueHeadCount * headDimension }
}

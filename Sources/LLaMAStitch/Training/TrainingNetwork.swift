/// A linear map in training: y = W x + b + s·B(A x) + Δb, any part of it trained or frozen.
public struct TrainingProjection: Sendable {
  /// [out × in]
  public var weight: TrainingMatrix
  /// [out]
  public var bias: TrainingTensor?
  public var lowRank: TrainingLowRank?
  /// Δb [out], added on top: a stitch-specific bias.
  public var extraBias: TrainingTensor?

  public init(
    weight: TrainingTensor, bias: TrainingTensor? = nil, lowRank: TrainingLowRank? = nil,
    extraBias: TrainingTensor? = nil
  ) {
    self.init(weight: .floats(weight), bias: bias, lowRank: lowRank, extraBias: extraBias)
  }

  public init(
    weight: TrainingMatrix, bias: TrainingTensor? = nil, lowRank: TrainingLowRank? = nil,
    extraBias: TrainingTensor? = nil
  ) {
    self.weight = weight
    self.bias = bias
    self.lowRank = lowRank
    self.extraBias = extraBias
  }

  var outputs: Int { weight.rows }
  var inputs: Int { weight.columns }
  /// Whether a gradient of one of its parts depends on x.
  var hasUseForInput: Bool { weight.parameter != nil || lowRank != nil }

  var parameters: [Int] {
    [weight.parameter, bias?.parameter, lowRank?.a.parameter, lowRank?.b.parameter, extraBias?.parameter]
      .compactMap { $0 }
  }
}

/// A low-rank update s·B A (Hu et al. 2021).
public struct TrainingLowRank: Sendable {
  /// [rank × in]
  public var a: TrainingTensor
  /// [out × rank]
  public var b: TrainingTensor
  /// α / rank
  public var scale: Float

  public init(a: TrainingTensor, b: TrainingTensor, scale: Float) {
    self.a = a
    self.b = b
    self.scale = scale
  }

  var rank: Int { a.values.rows }
}

/// One decoder block in training.
public struct TrainingBlock: Sendable {
  public var attentionNorm: TrainingTensor
  public var query: TrainingProjection
  public var key: TrainingProjection
  public var value: TrainingProjection
  public var output: TrainingProjection
  public var feedForwardNorm: TrainingTensor
  public var gate: TrainingProjection
  public var up: TrainingProjection
  public var down: TrainingProjection
  public var headCount: Int
  public var keyValueHeadCount: Int
  public var headDimension: Int
  public var normEpsilon: Float
  public var rotary: RotaryTable

  public init(
    attentionNorm: TrainingTensor, query: TrainingProjection, key: TrainingProjection,
    value: TrainingProjection, output: TrainingProjection, feedForwardNorm: TrainingTensor,
    gate: TrainingProjection, up: TrainingProjection, down: TrainingProjection,
    configuration: LlamaConfiguration, rotary: RotaryTable
  ) {
    self.attentionNorm = attentionNorm
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    self.feedForwardNorm = feedForwardNorm
    self.gate = gate
    self.up = up
    self.down = down
    headCount = configuration.headCount
    keyValueHeadCount = configuration.keyValueHeadCount
    headDimension = configuration.headDimension
    normEpsilon = configuration.normEpsilon
    self.rotary = rotary
  }

  var parameters: [Int] {
    [attentionNorm.parameter, feedForwardNorm.parameter].compactMap { $0 }
      + [query, key, value, output, gate, up, down].flatMap(\.parameters)
  }
}

/// One runnable network as training sees it: embedding, blocks and perhaps a stitching layer, norm, head.
public struct TrainingNetwork: Sendable {
  public enum Stage: Sendable {
    case block(TrainingBlock)
    case stitch(TrainingProjection)
  }

  /// [vocabulary × hidden]
  public var embedding: TrainingMatrix
  public var stages: [Stage]
  public var finalNorm: TrainingTensor
  public var normEpsilon: Float
  /// [vocabulary × hidden]; the embedding itself where tied.
  public var head: TrainingMatrix

  public init(
    embedding: TrainingMatrix, stages: [Stage], finalNorm: TrainingTensor, normEpsilon: Float,
    head: TrainingMatrix
  ) {
    self.embedding = embedding
    self.stages = stages
    self.finalNorm = finalNorm
    self.normEpsilon = normEpsilon
    self.head = head
  }

  /// The first stage that a gradient must reach: what lies before it is frozen, the embedding too. The number of stages
  /// where none has anything to train.
  var firstTrainedStage: Int {
    if embedding.parameter != nil { return 0 }
    return stages.firstIndex { stage in
      switch stage {
      case .block(let block): !block.parameters.isEmpty
      case .stitch(let layer): !layer.parameters.isEmpty
      }
    } ?? stages.count
  }

  /// The parameters this network uses, ascending, each once.
  public var parameters: [Int] {
    var all = [embedding.parameter, finalNorm.parameter, head.parameter].compactMap { $0 }
    for stage in stages {
      switch stage {
      case .block(let block): all += block.parameters
      case .stitch(let layer): all += layer.parameters
      }
    }
    return Set(all).sorted()
  }
}

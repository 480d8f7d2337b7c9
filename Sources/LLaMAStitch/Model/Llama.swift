import Support

/// The parts of a LLaMA, in the order in which a token meets them. Inference and training both run over them; how, say
/// `ForwardPass` and `TrainingPass`.

// MARK: - Attention

/// Grouped-query attention with rotary positions: `softmax(q kᵀ / √d) v` of every head, then the output projection.
public struct Attention: Sendable {
  /// `[heads · headDimension × hidden]`
  public var query: Projection
  /// `[keyValueHeads · headDimension × hidden]`
  public var key: Projection
  /// `[keyValueHeads · headDimension × hidden]`
  public var value: Projection
  /// `[hidden × heads · headDimension]`
  public var output: Projection
  /// What every token attends to before the text; `nil` where there is nothing.
  public var prefix: PrefixVectors?

  public init(query: Projection, key: Projection, value: Projection, output: Projection) {
    self.query = query
    self.key = key
    self.value = value
    self.output = output
  }
}

// MARK: - MLP

/// The gated feed-forward layer: `down(silu(gate(x)) ⊙ up(x))`.
public struct MLP: Sendable {
  /// `[intermediate × hidden]`
  public var gate: Projection
  /// `[intermediate × hidden]`
  public var up: Projection
  /// `[hidden × intermediate]`
  public var down: Projection
  /// A bottleneck beside it; `nil` where there is none.
  public var parallel: ParallelAdapter?

  public init(gate: Projection, up: Projection, down: Projection) {
    self.gate = gate
    self.up = up
    self.down = down
  }
}

// MARK: - Block

/// One transformer block: `x += attention(norm(x)); x += mlp(norm(x))`. It has its own widths, so that blocks of different
/// models can follow each other.
public struct Block: Sendable {
  /// Heads, rotary positions and norm of the model the block comes from.
  public let configuration: LlamaConfiguration
  /// `[hidden]`
  public var attentionNorm: WeightVector
  public var attention: Attention
  /// `[hidden]`
  public var mlpNorm: WeightVector
  public var mlp: MLP

  public init(
    configuration: LlamaConfiguration, attentionNorm: WeightVector, attention: Attention, mlpNorm: WeightVector,
    mlp: MLP
  ) {
    self.configuration = configuration
    self.attentionNorm = attentionNorm
    self.attention = attention
    self.mlpNorm = mlpNorm
    self.mlp = mlp
  }

  /// Where the seven projections are, in the order of the forward pass.
  static let projectionPaths: [any WritableKeyPath<Block, Projection> & Sendable] = [
    \.attention.query, \.attention.key, \.attention.value, \.attention.output, \.mlp.gate, \.mlp.up, \.mlp.down,
  ]

  /// Where the two norms are, with the names that what is learned of them has.
  static let normPaths: [(name: String, path: any WritableKeyPath<Block, WeightVector> & Sendable)] = [
    ("attention", \.attentionNorm), ("mlp", \.mlpNorm),
  ]

  /// The seven projections in the order of the forward pass.
  public var projections: [Projection] { Self.projectionPaths.map { self[keyPath: $0] } }

  public var flopsPerToken: Int {
    let attended = 4 * (attention.prefix?.length ?? 0) * configuration.queryWidth
    return projections.reduce(attended + (mlp.parallel?.flopsPerToken ?? 0)) { $0 + $1.flopsPerToken }
  }
  public var parameterCount: Int {
    let added = (mlp.parallel?.parameterCount ?? 0) + (attention.prefix?.parameterCount ?? 0)
    return projections.reduce(attentionNorm.count + mlpNorm.count + added) { $0 + $1.parameterCount }
  }
  public var byteCount: Int {
    let added = (mlp.parallel?.byteCount ?? 0) + 4 * (attention.prefix?.parameterCount ?? 0)
    return projections.reduce(4 * (attentionNorm.count + mlpNorm.count) + added) { $0 + $1.byteCount }
  }

  /// The parameters of a store that it uses.
  var parameters: [Int] {
    [attentionNorm.parameter, mlpNorm.parameter].compactMap { $0 } + projections.flatMap(\.parameters)
      + (mlp.parallel?.parameters ?? []) + (attention.prefix?.parameters ?? [])
  }
}

// MARK: - Network

/// One step of a network between embedding and head.
public enum Stage: Sendable {
  case block(Block)
  /// A stitching layer: from the hidden state of one model to that of another.
  case stitch(Projection)

  /// Floating-point operations of one token at zero context.
  public var flopsPerToken: Int {
    switch self {
    case .block(let block): block.flopsPerToken
    case .stitch(let layer): layer.flopsPerToken
    }
  }

  public var parameterCount: Int {
    switch self {
    case .block(let block): block.parameterCount
    case .stitch(let layer): layer.parameterCount
    }
  }

  public var byteCount: Int {
    switch self {
    case .block(let block): block.byteCount
    case .stitch(let layer): layer.byteCount
    }
  }

  /// The parameters of a store that it uses.
  var parameters: [Int] {
    switch self {
    case .block(let block): block.parameters
    case .stitch(let layer): layer.parameters
    }
  }
}

/// A decoder: embedding, blocks and stitching layers, norm, head. A model, or a stitch of several.
///
/// It describes shared weights and owns none, so it is cheap to make and copy, and many stitches share the blocks of
/// their anchors. Nothing in it changes; a new adapter makes a new network. A backend compiles it to run
/// (`ComputeBackend`); training runs over it as it is.
public struct Network: Sendable {
  /// The starting model's, `[vocabulary × hidden]`.
  public let embedding: WeightMatrix
  public let stages: [Stage]
  /// The ending model's, `[hidden]`.
  public let finalNorm: WeightVector
  public let finalNormEpsilon: Float
  /// The ending model's, `[vocabulary × hidden]`; the embedding where the two are tied.
  public let head: Projection
  /// What runs beside the stages, if anything.
  public let side: SideNetwork?
  /// What it reads besides tokens, if anything.
  public let prompt: SoftPrompt?

  public init(
    embedding: WeightMatrix, stages: [Stage], finalNorm: WeightVector, finalNormEpsilon: Float, head: Projection,
    side: SideNetwork? = nil, prompt: SoftPrompt? = nil
  ) {
    var width = embedding.columns
    for stage in stages {
      switch stage {
      case .block(let block):
        precondition(block.configuration.hiddenSize == width, "a block of another width than its input")
      case .stitch(let layer):
        precondition(layer.inputSize == width, "a stitching layer of another width than its input")
        width = layer.outputSize
      }
    }
    precondition(
      side?.fits(stages: stages.count, width: width) ?? true, "a side network of another")
    precondition(
      stages.allSatisfy { stage in
        guard case .block(let block) = stage else { return true }
        return (block.attention.prefix?.length ?? 0) == Self.prefixLength(of: stages)
      }, "prefixes of different lengths")
    precondition(
      [side != nil, prompt != nil, Self.prefixLength(of: stages) > 0].count { $0 } < 2,
      "a side network, a soft prompt or a prefix beside another")
    precondition(prompt.map { $0.embeddings.columns == embedding.columns } ?? true, "a soft prompt of another width")
    precondition(finalNorm.count == width && head.inputSize == width, "a head of another width than its input")
    self.embedding = embedding
    self.stages = stages
    self.finalNorm = finalNorm
    self.finalNormEpsilon = finalNormEpsilon
    self.head = head
    self.side = side
    self.prompt = prompt
  }

  /// Rows of the head: the logits of one token.
  public var vocabularySize: Int { head.outputSize }

  /// The blocks, in order.
  public var blocks: [Block] {
    stages.compactMap { stage in if case .block(let block) = stage { block } else { nil } }
  }

  /// The blocks before the first stitching layer, or all.
  var leadingBlocks: [Block] {
    stages.prefix { stage in if case .block = stage { true } else { false } }
      .compactMap { stage in if case .block(let block) = stage { block } else { nil } }
  }

  /// The longest text that fits the context that every block was made for.
  public var contextLength: Int {
    (blocks.map(\.configuration.contextLength).min()).map { max(1, $0 - virtualTokens) } ?? .max
  }

  /// Positions of the context before the text's first.
  public var virtualTokens: Int { prompt?.length ?? Self.prefixLength(of: stages) }

  private static func prefixLength(of stages: [Stage]) -> Int {
    for case .block(let block) in stages { return block.attention.prefix?.length ?? 0 }
    return 0
  }

  // MARK: Cost

  /// Floating-point operations of one token at zero context, head included.
  public var flopsPerToken: Int {
    let added = (side?.flopsPerToken ?? 0) + (prompt?.flopsPerToken ?? 0)
    return stages.reduce(head.flopsPerToken + added) { $0 + $1.flopsPerToken }
  }

  private var hasTiedHead: Bool { head.weight.bytes.isSame(as: embedding.bytes) }

  /// Parameters of everything used; a head tied to the embedding counts once.
  public var parameterCount: Int {
    let ends = (hasTiedHead ? 0 : embedding.elementCount) + head.parameterCount + finalNorm.count
    let added = (side?.parameterCount ?? 0) + (prompt?.parameterCount ?? 0)
    return stages.reduce(ends + added) { $0 + $1.parameterCount }
  }

  /// Bytes of everything used; a head tied to the embedding counts once.
  public var byteCount: Int {
    let ends = (hasTiedHead ? 0 : embedding.byteCount) + head.byteCount + 4 * finalNorm.count
    return stages.reduce(ends + (side?.byteCount ?? 0) + (prompt?.byteCount ?? 0)) { $0 + $1.byteCount }
  }

  /// Bytes of weights that computing one token reads: every stage, norm and head whole, of the embedding one row.
  public var weightBytesPerToken: Int {
    let ends = embedding.columns * embedding.elementType.size + 4 * finalNorm.count + head.byteCount
    return stages.reduce(ends + (side?.byteCount ?? 0) + (prompt?.byteCount ?? 0)) { $0 + $1.byteCount }
  }

  // MARK: Training

  /// The parameters of a store that it uses, ascending, each once.
  public var parameters: [Int] {
    let ends =
      [embedding.parameter, finalNorm.parameter].compactMap { $0 } + head.parameters + (side?.parameters ?? [])
      + (prompt?.parameters ?? [])
    return Set(stages.reduce(ends) { $0 + $1.parameters }).sorted()
  }

  /// Whether what enters the first stage depends on something trained.
  var trainsInput: Bool { embedding.parameter != nil || !(prompt?.parameters ?? []).isEmpty }

  /// The first stage that a gradient must reach: what lies before it is frozen, the embedding too. The number of stages
  /// where none has anything to train.
  var firstTrainedStage: Int {
    if trainsInput { return 0 }
    return stages.firstIndex { !$0.parameters.isEmpty } ?? stages.count
  }
}

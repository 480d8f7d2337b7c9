import Support

/// One step of a network between embedding and head.
public enum Stage: Sendable {
  case block(Block)
  /// A stitching layer: from the residual stream of one model to that of another.
  case stitch(Projection)

  /// Floating-point operations of one token at zero context.
  public var flopsPerToken: Int {
    switch self {
    case .block(let block): block.flopsPerToken
    case .stitch(let projection): projection.flopsPerToken
    }
  }
}

/// A runnable network: a model, or a stitch of two.
///
/// It describes shared weights and owns none, so it is cheap to make and copy, and many stitches share the blocks of
/// their anchors. Nothing in it changes; a new adapter makes a new network.
public struct Network: Sendable {
  /// The starting model's, `[vocabulary × hidden]`.
  public let embedding: WeightMatrix
  public let stages: [Stage]
  /// The ending model's, `[hidden]`.
  public let finalNorm: VectorView
  public let finalNormEpsilon: Float
  /// The ending model's, `[vocabulary × hidden]`.
  public let head: Projection

  public init(
    embedding: WeightMatrix, stages: [Stage], finalNorm: VectorView, finalNormEpsilon: Float, head: Projection
  ) {
    var width = embedding.columns
    for stage in stages {
      switch stage {
      case .block(let block):
        precondition(block.configuration.hiddenSize == width, "a block of another width than its input")
      case .stitch(let projection):
        precondition(projection.inputSize == width, "a stitching layer of another width than its input")
        width = projection.outputSize
      }
    }
    precondition(finalNorm.count == width && head.inputSize == width, "a head of another width than its input")
    self.embedding = embedding
    self.stages = stages
    self.finalNorm = finalNorm
    self.finalNormEpsilon = finalNormEpsilon
    self.head = head
  }

  /// Rows of the head: the logits of one token.
  public var vocabularySize: Int { head.outputSize }

  /// The longest context that every block was made for.
  public var contextLength: Int {
    stages.reduce(Int.max) { shortest, stage in
      if case .block(let block) = stage { min(shortest, block.configuration.contextLength) } else { shortest }
    }
  }

  /// Floating-point operations of one token at zero context, head included.
  public var flopsPerToken: Int {
    stages.reduce(head.flopsPerToken) { $0 + $1.flopsPerToken }
  }

  /// Parameters of everything used; a head tied to the embedding counts once.
  public var parameterCount: Int {
    count(embedding: embedding.elementCount, head: head.parameterCount, \.parameterCount, \.parameterCount)
      + finalNorm.count
  }

  /// Bytes of everything used; a head tied to the embedding counts once.
  public var byteCount: Int {
    count(embedding: embedding.byteCount, head: head.byteCount, \.byteCount, \.byteCount) + 4 * finalNorm.count
  }

  /// Bytes of weights that computing one token reads: every stage, norm and head whole, of the embedding one row.
  public var weightBytesPerToken: Int {
    let ends = embedding.columns * embedding.elementType.size + 4 * finalNorm.count + head.byteCount
    return stages.reduce(ends) { total, stage in
      switch stage {
      case .block(let block): total + block.byteCount
      case .stitch(let projection): total + projection.byteCount
      }
    }
  }

  /// Bytes of the keys and values of so many positions, of the stages from `first` on: computing the next token reads
  /// them.
  public func cacheBytes(positions: Int, from first: Int = 0, type: CacheType = .f32) -> Int {
    stages.dropFirst(first).reduce(0) { total, stage in
      guard case .block(let block) = stage else { return total }
      return total + KVCache.byteCount(configuration: block.configuration, capacity: positions, type: type)
    }
  }

  private func count(
    embedding embeddingCount: Int, head headCount: Int, _ ofBlock: (Block) -> Int, _ ofStitch: (Projection) -> Int
  ) -> Int {
    let ends = head.weight.bytes.isSame(as: embedding.bytes) ? headCount : embeddingCount + headCount
    return stages.reduce(ends) { total, stage in
      switch stage {
      case .block(let block): total + ofBlock(block)
      case .stitch(let projection): total + ofStitch(projection)
      }
    }
  }
}

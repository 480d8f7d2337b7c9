/// A projection as addresses.
struct LinearPlan {
  let weight: UnsafeWeights
  /// b + Δb
  let bias: UnsafeFloats?
  let a: UnsafeWeights?
  let b: UnsafeWeights?
  let scale: Float

  var rows: Int { weight.rows }

  init(_ projection: Projection, keeping buffers: inout [FloatBuffer]) {
    weight = UnsafeWeights(projection.weight)
    switch (projection.bias, projection.extraBias) {
    case (let bias?, let extra?):
      let sum = FloatBuffer(count: bias.count)
      for index in 0..<bias.count { sum[index] = bias[index] + extra[index] }
      buffers.append(sum)
      self.bias = UnsafeFloats(sum)
    case (let bias, let extra):
      self.bias = (bias ?? extra).map { UnsafeFloats($0) }
    }
    a = projection.lowRank.map { UnsafeWeights($0.read.a) }
    b = projection.lowRank.map { UnsafeWeights($0.read.b) }
    scale = projection.lowRank?.scale ?? 0
  }
}

/// A block as addresses.
struct BlockPlan {
  let hiddenSize: Int
  let intermediateSize: Int
  let headCount: Int
  let keyValueHeadCount: Int
  let headDimension: Int
  let epsilon: Float
  let attentionNorm: UnsafeFloats
  let query: LinearPlan
  let key: LinearPlan
  let value: LinearPlan
  let output: LinearPlan
  let mlpNorm: UnsafeFloats
  let gate: LinearPlan
  let up: LinearPlan
  let down: LinearPlan
  let rotary: UnsafeRotary
  let cache: UnsafeCache
}

enum StagePlan {
  case block(BlockPlan)
  case stitch(LinearPlan)
}

/// A network laid out for the forward pass: addresses and numbers only, with everything they point to kept alive.
///
/// `@unchecked Sendable`: nothing changes after `init`; the caches' contents are the session's concern.
final class NetworkPlan: @unchecked Sendable {
  let network: Network
  let caches: [KVCache]
  let embedding: UnsafeWeights
  let stages: UnsafeArray<StagePlan>
  /// How many of the first stages are shared, and where they leave their results.
  let sharedStages: Int
  let prefix: PrefixCache?
  let finalNorm: UnsafeFloats
  let head: LinearPlan
  /// The largest of each width among the stages, for scratch.
  private(set) var widest = Widths()
  /// Multiplications per token: of all, head included, and of the stages before each.
  let multiplications: Int
  private let multiplicationsBefore: [Int]
  private var buffers: [FloatBuffer] = []

  struct Widths: Equatable {
    var hidden = 0
    var query = 0
    var keyValue = 0
    var intermediate = 0
    var rank = 0
    /// Of weights whose products need scratch.
    var scratchColumns = 0

    func union(_ other: Widths) -> Widths {
      Widths(
        hidden: max(hidden, other.hidden), query: max(query, other.query), keyValue: max(keyValue, other.keyValue),
        intermediate: max(intermediate, other.intermediate), rank: max(rank, other.rank),
        scratchColumns: max(scratchColumns, other.scratchColumns))
    }
  }

  /// - Parameters:
  ///   - contextLength: positions to have angles and cache for.
  ///   - prefix: what the blocks before the stitching layer share with other networks; as many positions.
  ///   - angles: makes the tables of rotary positions.
  init(
    _ network: Network, contextLength: Int, prefix: PrefixCache? = nil, cacheType: CacheType,
    angles: (LlamaConfiguration, Int) -> RotaryAngles
  ) {
    self.network = network
    self.prefix = prefix
    sharedStages = prefix == nil ? 0 : network.leadingBlocks.count
    precondition(
      prefix.map {
        $0.contextLength == contextLength && $0.caches.count >= network.leadingBlocks.count
          && $0.caches.allSatisfy { $0.type == cacheType }
      } ?? true)
    var buffers: [FloatBuffer] = []
    var caches: [KVCache] = []
    var widest = Widths()
    widest.hidden = network.embedding.columns
    func note(_ projection: Projection) {
      widest.rank = max(widest.rank, projection.lowRank?.rank ?? 0)
      for weight in [projection.weight, projection.lowRank?.read.a, projection.lowRank?.read.b].compactMap({ $0 })
      where weight.elementType.isQuantized || weight.elementType == .bf16 {
        widest.scratchColumns = max(widest.scratchColumns, weight.columns)
      }
    }
    var plans: [StagePlan] = []
    var before = [0]
    for (index, stage) in network.stages.enumerated() {
      before.append(before[index] + stage.flopsPerToken / 2)
      switch stage {
      case .stitch(let projection):
        note(projection)
        widest.hidden = max(widest.hidden, projection.outputSize)
        plans.append(.stitch(LinearPlan(projection, keeping: &buffers)))
      case .block(let block):
        let configuration = block.configuration
        let table = angles(configuration, contextLength)
        buffers += [table.cosines, table.sines]
        let rotary = UnsafeRotary(cosines: table.cosines, sines: table.sines, half: configuration.headDimension / 2)
        let cache =
          index < sharedStages
          ? prefix!.caches[index] : KVCache(configuration: configuration, capacity: contextLength, type: cacheType)
        caches.append(cache)
        widest.query = max(widest.query, configuration.queryWidth)
        widest.keyValue = max(widest.keyValue, configuration.keyValueWidth)
        widest.intermediate = max(widest.intermediate, configuration.intermediateSize)
        block.projections.forEach(note)
        plans.append(
          .block(
            BlockPlan(
              hiddenSize: configuration.hiddenSize, intermediateSize: configuration.intermediateSize,
              headCount: configuration.headCount, keyValueHeadCount: configuration.keyValueHeadCount,
              headDimension: configuration.headDimension, epsilon: configuration.normEpsilon,
              attentionNorm: UnsafeFloats(block.attentionNorm),
              query: LinearPlan(block.query, keeping: &buffers), key: LinearPlan(block.key, keeping: &buffers),
              value: LinearPlan(block.value, keeping: &buffers),
              output: LinearPlan(block.output, keeping: &buffers), mlpNorm: UnsafeFloats(block.mlpNorm),
              gate: LinearPlan(block.gate, keeping: &buffers), up: LinearPlan(block.up, keeping: &buffers),
              down: LinearPlan(block.down, keeping: &buffers), rotary: rotary,
              cache: UnsafeCache(cache, configuration: configuration))))
      }
    }
    note(network.head)
    embedding = UnsafeWeights(network.embedding)
    stages = UnsafeArray(plans)
    finalNorm = UnsafeFloats(network.finalNorm)
    head = LinearPlan(network.head, keeping: &buffers)
    multiplications = network.flopsPerToken / 2
    multiplicationsBefore = before
    self.buffers = buffers
    self.caches = caches
    self.widest = widest
  }

  deinit { stages.deallocate() }

  /// Multiplications per token of some stages; the last one comes with the head.
  func multiplications(of range: Range<Int>) -> Int {
    let end = range.upperBound == stages.count ? multiplications : multiplicationsBefore[range.upperBound]
    return end - multiplicationsBefore[range.lowerBound]
  }
}

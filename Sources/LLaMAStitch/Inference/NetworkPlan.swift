import Support

/// A network laid out for the forward pass: addresses and numbers only, with everything they point to kept alive.
///
/// `@unchecked Sendable`: nothing changes after `init`; the caches' contents are the session's concern.
final class NetworkPlan: @unchecked Sendable {
  let embedding: UnsafeWeights
  let stages: UnsafeArray<StagePlan>
  let finalNorm: UnsafeFloats
  let finalNormEpsilon: Float
  let head: LinearPlan
  /// The same with the norm before it.
  var output: HeadPlan { HeadPlan(norm: finalNorm, epsilon: finalNormEpsilon, linear: head) }
  /// What runs beside the stages, if anything.
  let ladder: LadderPlan?
  let parallelNetwork: ParallelNetworkPlan?
  let prompt: PromptPlan?
  /// Positions of caches and of angles before those of a text.
  let offset: Int
  /// How many of the first stages are shared, and where they leave their results.
  let sharedStages: Int
  let prefix: PrefixCache?
  /// Of all blocks; each is to cover a position before it is computed.
  let rotaryTables: [RotaryTable]
  let widths: Widths
  /// Multiplications per token: of all, head included, and of the stages before each.
  let multiplications: Int
  private let multiplicationsBefore: [Int]
  private let network: Network
  private let owned: Owned

  /// Of the blocks, in their order.
  var caches: [KVCache] { owned.caches }

  /// - Parameters:
  ///   - texts: how many to have caches for.
  ///   - contextLength: positions to have angles and cache for.
  ///   - prefix: what the blocks before the first stitching layer share with other networks, of one text; as many
  ///     positions.
  ///   - shelf: what it has in common with networks whose texts are computed beside its own.
  init(
    _ network: Network, texts: Int, contextLength: Int, prefix: PrefixCache?, cacheType: CacheType,
    rotaryTables: RotaryTables, shelf: PlanShelf? = nil
  ) {
    precondition(prefix == nil || texts == 1)
    self.network = network
    self.prefix = prefix
    let shared = prefix == nil ? 0 : network.leadingBlocks.count
    precondition(prefix?.serves(network.leadingBlocks, contextLength: contextLength, type: cacheType) ?? true)
    var owned = Owned(shelf: shelf)
    var tables: [RotaryTable] = []
    var plans: [StagePlan] = []
    let offset = network.virtualTokens
    self.offset = offset
    func table(_ configuration: LlamaConfiguration) -> RotaryTable {
      let table = rotaryTables.table(configuration, positions: contextLength + offset)
      if !tables.contains(where: { $0 === table }) { tables.append(table) }
      return table
    }
    func cache(_ block: Block) -> KVCache {
      shelf?.cache(block, capacity: contextLength, besides: owned.caches)
        ?? KVCache(of: block, texts: texts, capacity: contextLength + offset, type: cacheType)
    }
    for (index, stage) in network.stages.enumerated() {
      switch stage {
      case .stitch(let layer): plans.append(.stitch(LinearPlan(layer, keeping: &owned)))
      case .block(let block):
        let cache = index < shared ? prefix!.caches[index] : cache(block)
        plans.append(
          .block(
            BlockPlan(block, cache: cache, offset: offset, rotary: table(block.configuration), keeping: &owned)))
      }
    }
    /// What the side network keeps after so many stages.
    func cache(after stages: Int, _ shape: KeptShape) -> KVCache {
      if let prefix, stages <= shared { return prefix.sideCaches[stages]! }
      return KVCache(shape, texts: texts, capacity: contextLength, type: cacheType)
    }
    switch network.side {
    case .ladder(let side):
      ladder = LadderPlan(side, keeping: &owned) { stage, block, owned in
        let shape = KeptShape(configuration: block.configuration, sums: 0)
        return BlockPlan(
          block, cache: cache(after: stage + 1, shape), offset: offset, rotary: table(block.configuration),
          keeping: &owned)
      }
      parallelNetwork = nil
    case .parallel(let side):
      precondition(prefix == nil || side.insertion == network.stages.count, "late blocks are not shared")
      parallelNetwork = ParallelNetworkPlan(side, keeping: &owned) { cache(after: $0, $1) }
      ladder = nil
    case nil: (ladder, parallelNetwork) = (nil, nil)
    }
    prompt = network.prompt.map { PromptPlan($0) }
    sharedStages = shared
    self.rotaryTables = tables
    embedding = UnsafeWeights(network.embedding)
    stages = UnsafeArray(plans)
    finalNorm = UnsafeFloats(network.finalNorm.values)
    finalNormEpsilon = network.finalNormEpsilon
    head = LinearPlan(network.head, keeping: &owned)
    widths = Widths(of: network)
    multiplications = network.flopsPerToken / 2
    multiplicationsBefore = network.stages.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.flopsPerToken / 2) }
    self.owned = owned
  }

  deinit {
    stages.deallocate()
    ladder?.deallocate()
    parallelNetwork?.deallocate()
  }

  /// Multiplications per token of some stages; the last one comes with the head.
  func multiplications(of range: Range<Int>) -> Int {
    let end = range.upperBound == stages.count ? multiplications : multiplicationsBefore[range.upperBound]
    return end - multiplicationsBefore[range.lowerBound]
  }

  /// What was made for the plan and lives as long as it does.
  struct Owned {
    var buffers: [FloatBuffer] = []
    var weights: [WeightMatrix] = []
    var caches: [KVCache] = []
    /// Where projections are that other plans have, too.
    var shelf: PlanShelf?
  }
}

/// The last norm and the head.
struct HeadPlan: BitwiseCopyable {
  let norm: UnsafeFloats
  let epsilon: Float
  let linear: LinearPlan

  func isSame(as other: HeadPlan) -> Bool {
    norm.address == other.norm.address && linear.weight.address == other.linear.weight.address
      && linear.bias?.address == other.linear.bias?.address && linear.a?.address == other.linear.a?.address
      && linear.outputScale?.address == other.linear.outputScale?.address
  }
}

enum StagePlan: BitwiseCopyable {
  case block(BlockPlan)
  case stitch(LinearPlan)

  var isBlock: Bool { if case .block = self { true } else { false } }
}

/// A block as addresses.
struct BlockPlan: BitwiseCopyable {
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
  let parallel: ParallelPlan?
  let rotary: UnsafeRotary
  let cache: UnsafeCache
  /// Where in the cache a text begins, and in the table its angles.
  let offset: Int

  init(
    _ block: Block, cache: KVCache, offset: Int, rotary: RotaryTable, keeping owned: inout NetworkPlan.Owned
  ) {
    let configuration = block.configuration
    hiddenSize = configuration.hiddenSize
    intermediateSize = configuration.intermediateSize
    headCount = configuration.headCount
    keyValueHeadCount = configuration.keyValueHeadCount
    headDimension = configuration.headDimension
    epsilon = configuration.normEpsilon
    attentionNorm = UnsafeFloats(block.attentionNorm.values)
    query = LinearPlan(block.attention.query, site: 0, keeping: &owned)
    key = LinearPlan(block.attention.key, site: 1, keeping: &owned)
    value = LinearPlan(block.attention.value, site: 2, keeping: &owned)
    output = LinearPlan(block.attention.output, site: 3, keeping: &owned)
    mlpNorm = UnsafeFloats(block.mlpNorm.values)
    gate = LinearPlan(block.mlp.gate, site: 4, keeping: &owned)
    up = LinearPlan(block.mlp.up, site: 5, keeping: &owned)
    down = LinearPlan(block.mlp.down, site: 6, keeping: &owned)
    parallel = block.mlp.parallel.map { ParallelPlan($0, keeping: &owned) }
    self.offset = offset
    self.rotary = UnsafeRotary(rotary)
    self.cache = UnsafeCache(cache, configuration: configuration)
    owned.caches.append(cache)
  }
}

/// A projection as addresses, its deltas gathered: one bias, one low-rank update.
struct LinearPlan: BitwiseCopyable {
  let weight: UnsafeWeights
  /// b + Σ Δb
  let bias: UnsafeFloats?
  let a: UnsafeWeights?
  let b: UnsafeWeights?
  let scale: Float
  /// γ, by which everything is multiplied in the end.
  let outputScale: UnsafeFloats?
  /// Its place in its block.
  var site = 0

  var rows: Int { weight.rows }

  /// One of a block's, by its place in the forward pass.
  init(_ projection: Projection, site: Int, keeping owned: inout NetworkPlan.Owned) {
    self = owned.shelf?.linear(projection) ?? LinearPlan(projection, keeping: &owned)
    self.site = site
  }

  init(_ projection: Projection, keeping owned: inout NetworkPlan.Owned) {
    weight = UnsafeWeights(projection.weight)
    var biases = [projection.bias].compactMap { $0?.values }
    var updates: [LowRank] = []
    for delta in projection.deltas {
      switch delta {
      case .bias(let bias): biases.append(bias.values)
      case .lowRank(let update): updates.append(update)
      case .kronecker(let sum): updates.append(sum.expanded)
      case .scale: break
      }
    }
    if biases.count > 1 {
      let sum = FloatBuffer(biases[0].array)
      for bias in biases.dropFirst() {
        for index in 0..<bias.count { sum[index] += bias[index] }
      }
      owned.buffers.append(sum)
      biases = [sum.vector]
    }
    bias = biases.first.map { UnsafeFloats($0) }
    let update = updates.isEmpty ? nil : LowRank.combined(updates)
    if let update { owned.weights += [update.read.a, update.read.b] }
    a = update.map { UnsafeWeights($0.read.a) }
    b = update.map { UnsafeWeights($0.read.b) }
    scale = update?.scale ?? 0
    outputScale = projection.scale.map { UnsafeFloats($0.values) }
  }
}

extension Widths {
  /// Those of a network.
  fileprivate init(of network: Network) {
    self.init()
    hidden = network.embedding.columns
    for stage in network.stages {
      switch stage {
      case .stitch(let layer):
        note(layer)
        hidden = max(hidden, layer.outputSize)
      case .block(let block): note(block)
      }
    }
    switch network.side {
    case .ladder(let ladder):
      side = ladder.width
      for case let rung? in ladder.rungs { note(rung.block) }
    case .parallel(let parallel):
      merged = parallel.width
      readers = parallel.reading.count
    case nil: break
    }
    note(network.head)
  }

  private mutating func note(_ block: Block) {
    query = max(query, block.configuration.queryWidth)
    keyValue = max(keyValue, block.configuration.keyValueWidth)
    intermediate = max(intermediate, block.configuration.intermediateSize)
    parallel = max(parallel, block.mlp.parallel?.width ?? 0)
    block.projections.forEach { note($0) }
  }

  private mutating func note(_ projection: Projection) {
    note(projection.weight)
    if projection.scale != nil { hasScales = true }
    let ranks = projection.deltas.reduce(0) { $0 + $1.rank }
    // The factors of several updates are gathered into one, and filled up to whole blocks where they are quantised.
    let block = ElementType.q8_0.blockLength
    let columns = (ranks + block - 1) / block * block
    rank = max(rank, columns)
    scratchColumns = max(scratchColumns, columns)
    if ranks > 0 { scratchColumns = max(scratchColumns, projection.inputSize) }
  }

  private mutating func note(_ weights: WeightMatrix) {
    if weights.elementType.isQuantized || weights.elementType == .bf16 {
      scratchColumns = max(scratchColumns, weights.columns)
    }
  }
}

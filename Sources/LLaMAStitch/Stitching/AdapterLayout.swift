/// Whose the biases before the stitch point are.
public enum BiasScope: String, Sendable, Codable, CaseIterable {
  /// The starting anchor's: all stitches that start in it compute the same prefix, whose KV cache can be shared.
  case tail
  /// Each stitch's own, as the paper draws it.
  case all
}

/// The shape of what ESTA trains.
public struct AdapterOptions: Sendable, Equatable, Codable {
  /// r of every low-rank update.
  public var rank: Int
  /// α; updates are scaled by α/r.
  public var alpha: Float
  public var scope: BiasScope
  /// Stitch-specific biases on the adapted projections.
  public var trainsBiases: Bool
  /// Low-rank update and added bias of the stitching layers.
  public var updatesLayers: Bool
  /// The projections of a block that are adapted.
  public var targets: [AdapterTarget]
  /// The blocks of each anchor whose projections are adapted, by its name; all of them if absent.
  public var blocks: [String: [Int]]?
  /// Whether the blocks before the first stitching layer, and so whole anchors, stay as they are: all routes that start
  /// in one anchor then share its cache and hidden states exactly, and the anchors answer as they did.
  public var keepsPrefix: Bool
  /// A side network, if there is one.
  public var side: SideOptions?
  /// Low-rank updates of the targets.
  public var hasLowRank: Bool
  /// Scales of what attention and the MLP add to the hidden state, and the weights of norms (DiffFit: Xie et al. 2023,
  /// arXiv 2304.06648).
  public var hasScales: Bool
  /// Sums of Kronecker products on the targets, if there are any.
  public var kronecker: KroneckerOptions?
  /// Bottlenecks beside the MLPs, if there are any.
  public var parallel: ParallelOptions?
  /// Keys and values before every text, if there are any.
  public var prefix: PrefixOptions?
  /// A soft prompt and an update of embeddings, if there are any.
  public var prompt: PromptOptions?

  public init(
    rank: Int = 16, alpha: Float? = nil, scope: BiasScope = .tail, trainsBiases: Bool = true,
    updatesLayers: Bool = true, targets: [AdapterTarget] = AdapterTarget.attention, keepsPrefix: Bool = false,
    side: SideOptions? = nil, hasLowRank: Bool = true, hasScales: Bool = false
  ) {
    self.rank = rank
    self.alpha = alpha ?? Float(rank)
    self.scope = scope
    self.trainsBiases = trainsBiases
    self.updatesLayers = updatesLayers
    self.targets = targets
    self.keepsPrefix = keepsPrefix
    self.side = side
    self.hasLowRank = hasLowRank
    self.hasScales = hasScales
  }

  /// DiffFit's: biases, scales and norms.
  public static func diffFit(scope: BiasScope = .tail) -> AdapterOptions {
    AdapterOptions(
      scope: scope, updatesLayers: false, targets: AdapterTarget.allCases, hasLowRank: false, hasScales: true)
  }

  /// What adapters do not say was so before it could be said.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rank = try container.decode(Int.self, forKey: .rank)
    alpha = try container.decode(Float.self, forKey: .alpha)
    scope = try container.decode(BiasScope.self, forKey: .scope)
    trainsBiases = try container.decode(Bool.self, forKey: .trainsBiases)
    updatesLayers = try container.decode(Bool.self, forKey: .updatesLayers)
    targets = try container.decodeIfPresent([AdapterTarget].self, forKey: .targets) ?? AdapterTarget.attention
    keepsPrefix = try container.decodeIfPresent(Bool.self, forKey: .keepsPrefix) ?? false
    hasLowRank = try container.decodeIfPresent(Bool.self, forKey: .hasLowRank) ?? true
    hasScales = try container.decodeIfPresent(Bool.self, forKey: .hasScales) ?? false
    side = try container.decodeIfPresent(SideOptions.self, forKey: .side)
    kronecker = try container.decodeIfPresent(KroneckerOptions.self, forKey: .kronecker)
    parallel = try container.decodeIfPresent(ParallelOptions.self, forKey: .parallel)
    prefix = try container.decodeIfPresent(PrefixOptions.self, forKey: .prefix)
    blocks = try container.decodeIfPresent([String: [Int]].self, forKey: .blocks)
    prompt = try container.decodeIfPresent(PromptOptions.self, forKey: .prompt)
  }

  public var scale: Float { alpha / Float(rank) }

  /// Whether what a file says can be the shape of anything.
  var isSound: Bool {
    let counts = [
      side?.reduction, side?.interval, kronecker?.factor, kronecker?.experts, kronecker?.rank, parallel?.width,
      prefix?.length, prompt?.length, prompt?.positions, prompt?.rank, rank,
    ]
    return counts.allSatisfy { (1...1 << 24).contains($0 ?? 1) }
      && [kronecker?.scale, parallel?.scale].allSatisfy { $0?.isFinite ?? true }
  }

  /// Nothing but what stands beside the projections, which is yet to be said.
  public static var besideProjections: AdapterOptions {
    AdapterOptions(trainsBiases: false, updatesLayers: false, targets: [], hasLowRank: false)
  }

  /// What of it is no change of weights; `nil` where all is.
  public var unmergeable: String? {
    if side != nil { return "a side network" }
    if prefix != nil { return "a prefix of keys and values" }
    if prompt != nil { return "a soft prompt" }
    return parallel == nil ? nil : "adapters beside the MLPs"
  }
}

/// What ESTA adds to a family, by name and shape: the one place that says which tensor belongs where.
///
/// - LoRA on q, k, v, o of every block, and on gate, up and down where asked for, shared: `anchors.NAME.layers.N.self_attn.q_proj.lora_A` `[r × in]`, `.lora_B` `[out × r]`
/// - biases of those projections, of an anchor `anchors.NAME.layers.N.self_attn.q_proj.bias`, of a stitch
///   `stitches.ID.anchors.NAME.layers.N.self_attn.q_proj.bias`
/// - updates of a stitching layer: `stitches.ID.lora_A`, `.lora_B`, `.delta_bias`; with the junction's number after the
///   id where a route has several: `stitches.ID.0.lora_A`
public struct AdapterLayout: Sendable {
  public let names: [String]
  public let configurations: [LlamaConfiguration]
  public let routes: [Route]
  public let options: AdapterOptions

  public init(names: [String], configurations: [LlamaConfiguration], routes: [Route], options: AdapterOptions) {
    self.names = names
    self.configurations = configurations
    self.routes = routes
    self.options = options
  }

  public func id(_ route: Route) -> String { route.id(names: names, depths: configurations.map(\.blockCount)) }

  // MARK: Names

  /// A delta as it is stored.
  package enum Slot {
    /// Tensors `NAME.lora_A` and `NAME.lora_B`.
    case lowRank(String)
    /// Tensors `NAME.kron_S`, `NAME.kron_U` and `NAME.kron_V`.
    case kronecker(String)
    case bias(String)
    case scale(String)
  }

  /// What a route's projection has added to it, in the order in which it is applied.
  package func slots(_ route: Route, _ site: Assembler.Site) -> [Slot] {
    switch site {
    case .block(let segment, let anchor, let block, let target):
      guard !options.keepsPrefix || segment > 0 else { return [] }
      let place = Self.lowRankName(names[anchor], block: block, target)
      let scale = options.hasScales && Self.scaled.contains(target) ? [Slot.scale(place + ".scale")] : []
      guard options.targets.contains(target), isAdapted(block, of: anchor) else { return scale }
      // The first segment is the prefix that all stitches of the starting anchor have in common.
      let isShared = route.isAnchor || options.scope == .tail && segment == 0
      let bias = Slot.bias((isShared ? "" : "stitches.\(id(route)).") + place + ".bias")
      return (options.trainsBiases ? [bias] : []) + updates(place) + scale
    case .layer(let junction):
      let place = Self.layerName(id(route), junction: junction, of: route)
      return options.updatesLayers ? [.bias(place + ".delta_bias")] + updates(place) : []
    }
  }

  private func updates(_ place: String) -> [Slot] {
    (options.hasLowRank ? [.lowRank(place)] : []) + (options.kronecker == nil ? [] : [.kronecker(place)])
  }

  /// Prefix of the LoRA of a projection.
  private static func lowRankName(_ anchor: String, block: Int, _ target: AdapterTarget) -> String {
    "anchors.\(anchor).layers.\(block).\(target.placeInBlock)"
  }

  /// Prefix of the low-rank update of a projection of an anchor.
  public func lowRankName(anchor: Int, block: Int, _ target: AdapterTarget) -> String {
    Self.lowRankName(names[anchor], block: block, target)
  }

  /// Prefix of the tensors of a stitching layer.
  static func layerName(_ id: String, junction: Int, of route: Route) -> String {
    route.junctions.count == 1 ? "stitches.\(id)" : "stitches.\(id).\(junction)"
  }

  // MARK: Tensors

  /// What a route's projection has added to it, of the tensors that there are.
  func deltas(_ route: Route, _ site: Assembler.Site, from tensors: some DeltaTensors) -> [Delta] {
    slots(route, site).compactMap { slot in
      switch slot {
      case .lowRank(let name): tensors.lowRank(name, scale: options.scale).map(Delta.lowRank)
      case .kronecker(let name): tensors.kronecker(name, scale: options.kronecker?.scale ?? 1)
      case .bias(let name): tensors.bias(name).map(Delta.bias)
      case .scale(let name): tensors.bias(name).map(Delta.scale)
      }
    }
  }

  /// Every tensor, LoRA first, in a stable order.
  public var declarations: [ParameterStore.Declaration] { placed.map(\.declaration) }

  /// Where each tensor acts, by name: from 0 in an anchor's first block to 1 in its last one. A stitching layer acts where
  /// its route leaves an anchor.
  var depths: [String: Double] { Dictionary(uniqueKeysWithValues: placed.map { ($0.declaration.name, $0.depth) }) }

  private var placed: [(declaration: ParameterStore.Declaration, depth: Double)] {
    var all: [(declaration: ParameterStore.Declaration, depth: Double)] = []
    func add(_ name: String, shape: [Int], decays: Bool, at depth: Double) {
      all.append((.init(name, shape: shape, decays: decays), depth))
    }
    func add(update name: String, outputs: Int, inputs: Int, at depth: Double) {
      if options.hasLowRank {
        add(name + ".lora_A", shape: [options.rank, inputs], decays: true, at: depth)
        add(name + ".lora_B", shape: [outputs, options.rank], decays: true, at: depth)
      }
      for (name, shape) in kroneckerShapes(name, outputs: outputs, inputs: inputs) {
        add(name, shape: shape, decays: true, at: depth)
      }
    }
    func depth(_ block: Int, of anchor: Int) -> Double {
      Double(block) / Double(max(1, configurations[anchor].blockCount - 1))
    }
    let reached = reachedBlocks
    for (anchor, configuration) in configurations.enumerated() {
      for block in 0..<configuration.blockCount where reached[anchor].contains(block) {
        for (name, width) in scaleWidths(anchor, block) {
          add(name, shape: [width], decays: false, at: depth(block, of: anchor))
        }
        for (name, shape) in parallelShapes(anchor, block) + prefixShapes(anchor, block) {
          add(name, shape: shape, decays: shape.count > 1, at: depth(block, of: anchor))
        }
        for target in options.targets where isAdapted(block, of: anchor) {
          add(
            update: lowRankName(anchor: anchor, block: block, target), outputs: target.outputs(configuration),
            inputs: target.inputs(configuration), at: depth(block, of: anchor))
        }
      }
    }
    var seen: Set<String> = []
    for route in routes {
      for (segment, anchor, block) in route.blocks {
        for target in options.targets {
          for case .bias(let name) in slots(route, .block(segment: segment, anchor: anchor, block: block, target))
          where seen.insert(name).inserted {
            add(
              name, shape: [target.outputs(configurations[anchor])], decays: false, at: depth(block, of: anchor))
          }
        }
      }
      for (index, junction) in route.junctions.enumerated() where options.updatesLayers {
        let place = Self.layerName(id(route), junction: index, of: route)
        let outputs = configurations[junction.to].hiddenSize
        let depth = depth(junction.exit - 1, of: junction.from)
        add(update: place, outputs: outputs, inputs: configurations[junction.from].hiddenSize, at: depth)
        add(place + ".delta_bias", shape: [outputs], decays: false, at: depth)
      }
    }
    for anchor in configurations.indices {
      for (name, shape) in promptShapes(anchor) { add(name, shape: shape, decays: true, at: 0) }
    }
    for (declaration, anchor, block) in sideDeclarations { all.append((declaration, depth(block, of: anchor))) }
    return all
  }
}

extension AdapterLayout {
  /// - Throws: `TrainingError.plan` where the family has no place for what the options say.
  package func check() throws {
    try checkSide()
    try checkKronecker()
    try checkVirtualTokens()
  }

  /// Whether the projections of a block are adapted.
  private func isAdapted(_ block: Int, of anchor: Int) -> Bool {
    options.blocks.map { $0[names[anchor]]?.contains(block) ?? false } ?? true
  }

  /// A block of an anchor with what an adapter has for it besides the deltas of its projections.
  func adapted(_ block: Block, anchor: Int, number: Int, from tensors: some DeltaTensors) -> Block {
    var block = renormed(block, anchor: anchor, number: number, from: tensors)
    block.mlp.parallel = parallel(anchor, number, from: tensors)
    block.attention.prefix = prefix(anchor, number, from: tensors)
    return block
  }

  /// The blocks of each anchor that have an update in some route.
  private var reachedBlocks: [Set<Int>] {
    guard options.keepsPrefix else { return configurations.map { Set(0..<$0.blockCount) } }
    var reached = configurations.map { _ in Set<Int>() }
    for route in routes {
      for (segment, anchor, block) in route.blocks where segment > 0 { reached[anchor].insert(block) }
    }
    return reached
  }
}

/// Where the tensors of deltas come from: an adapter that never changes, or the store of those that are trained.
protocol DeltaTensors {
  /// The low-rank update of this name; `nil` where there is none.
  func lowRank(_ name: String, scale: Float) -> LowRank?
  /// The sum of Kronecker products of this name; `nil` where there is none.
  func kronecker(_ name: String, scale: Float) -> Delta?
  /// The added bias of this name, or another vector; `nil` where there is none.
  func bias(_ name: String) -> WeightVector?
  /// The matrix of this name; `nil` where there is none.
  func matrix(_ name: String) -> WeightMatrix?
}

/// What is trained, and where it has nothing, what it came on top of.
struct LayeredTensors: DeltaTensors {
  let trained: ParameterStore
  let below: Adapter?

  func lowRank(_ name: String, scale: Float) -> LowRank? {
    trained.lowRank(name, scale: scale) ?? below?.lowRank(name, scale: scale)
  }
  func kronecker(_ name: String, scale: Float) -> Delta? {
    trained.kronecker(name, scale: scale) ?? below?.kronecker(name, scale: scale)
  }
  func bias(_ name: String) -> WeightVector? { trained.bias(name) ?? below?.bias(name) }
  func matrix(_ name: String) -> WeightMatrix? { trained.matrix(name) ?? below?.matrix(name) }
}

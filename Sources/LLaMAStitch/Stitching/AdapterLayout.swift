/// Whose the biases before the stitch point are.
public enum BiasScope: String, Sendable, Codable, CaseIterable {
  /// The starting anchor's: all stitches that start in it compute the same prefix, whose cache can be shared.
  case tail
  /// Each stitch's own, as the paper draws it.
  case all
}

/// What ESTA adds to a family, by name and shape: the one place that says which tensor belongs where.
///
/// - LoRA on q, k, v, o of every block, shared: `anchors.NAME.layers.N.self_attn.q_proj.lora_A` `[r × in]`, `.lora_B` `[out × r]`
/// - biases of those projections, of an anchor `anchors.NAME.layers.N.self_attn.q_proj.bias`, of a stitch
///   `stitches.ID.anchors.NAME.layers.N.self_attn.q_proj.bias`
/// - updates of a stitching layer: `stitches.ID.lora_A`, `.lora_B`, `.delta_bias`
public struct AdapterLayout: Sendable {
  /// The projections that are adapted.
  public enum Target: String, CaseIterable, Sendable {
    case query = "q_proj"
    case key = "k_proj"
    case value = "v_proj"
    case output = "o_proj"

    /// Where it is in a block.
    package var path: WritableKeyPath<Block, Projection> {
      switch self {
      case .query: \.query
      case .key: \.key
      case .value: \.value
      case .output: \.output
      }
    }

    func inputs(_ c: LlamaConfiguration) -> Int { self == .output ? c.queryWidth : c.hiddenSize }
    func outputs(_ c: LlamaConfiguration) -> Int {
      switch self {
      case .query: c.queryWidth
      case .key, .value: c.keyValueWidth
      case .output: c.hiddenSize
      }
    }
  }

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

  private var depths: [Int] { configurations.map(\.blockCount) }

  public func id(_ route: Route) -> String { route.id(names: names, depths: depths) }

  /// Prefix of the LoRA of a projection.
  public func lowRankName(anchor: Int, block: Int, _ target: Target) -> String {
    "anchors.\(names[anchor]).layers.\(block).self_attn.\(target.rawValue)"
  }

  /// Name of the bias that a route uses on a projection of a block.
  public func biasName(_ route: Route, anchor: Int, block: Int, _ target: Target) -> String {
    let place = lowRankName(anchor: anchor, block: block, target) + ".bias"
    guard route.join != nil else { return place }
    if options.scope == .tail && anchor == route.start { return place }
    return "stitches.\(id(route)).\(place)"
  }

  /// Prefix of the updates of a route's stitching layer.
  public func layerName(_ route: Route) -> String { "stitches.\(id(route))" }

  /// The blocks a route runs through, in order.
  public func blocks(_ route: Route) -> [(anchor: Int, block: Int)] {
    let own = (0..<(route.join?.prefix ?? depths[route.start])).map { (anchor: route.start, block: $0) }
    guard let join = route.join else { return own }
    return own + (join.entry..<depths[join.end]).map { (anchor: join.end, block: $0) }
  }

  /// Every tensor, LoRA first, in a stable order.
  public var declarations: [ParameterStore.Declaration] {
    var all: [ParameterStore.Declaration] = []
    for (anchor, configuration) in configurations.enumerated() {
      for block in 0..<configuration.blockCount {
        for target in Target.allCases {
          let name = lowRankName(anchor: anchor, block: block, target)
          all.append(
            .init(name + ".lora_A", shape: [options.rank, target.inputs(configuration)], decays: true))
          all.append(
            .init(name + ".lora_B", shape: [target.outputs(configuration), options.rank], decays: true))
        }
      }
    }
    var seen: Set<String> = []
    for route in routes {
      if options.trainsBiases {
        for (anchor, block) in blocks(route) {
          for target in Target.allCases {
            let name = biasName(route, anchor: anchor, block: block, target)
            if seen.insert(name).inserted {
              all.append(.init(name, shape: [target.outputs(configurations[anchor])], decays: false))
            }
          }
        }
      }
      if let join = route.join, options.updatesLayers {
        let from = configurations[route.start].hiddenSize
        let to = configurations[join.end].hiddenSize
        all.append(.init(layerName(route) + ".lora_A", shape: [options.rank, from], decays: true))
        all.append(.init(layerName(route) + ".lora_B", shape: [to, options.rank], decays: true))
        all.append(.init(layerName(route) + ".delta_bias", shape: [to], decays: false))
      }
    }
    return all
  }
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

  public init(
    rank: Int = 16, alpha: Float? = nil, scope: BiasScope = .tail, trainsBiases: Bool = true,
    updatesLayers: Bool = true
  ) {
    self.rank = rank
    self.alpha = alpha ?? Float(rank)
    self.scope = scope
    self.trainsBiases = trainsBiases
    self.updatesLayers = updatesLayers
  }

  public var scale: Float { alpha / Float(rank) }
}

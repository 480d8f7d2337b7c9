/// What the routes of a family run through, and how a route becomes a network.
///
/// The anchors and layers may be mapped from files, or trained in a `ParameterStore`: inference, ESTA and the training of
/// all weights assemble alike.
public struct Assembler: Sendable {
  /// Cheapest first.
  public let anchors: [LlamaModel]
  /// The stitching layers of each route that has any, in order of its junctions.
  package let layers: [Route: [Projection]]
  /// What healing adds to the routes, before anything else.
  let healing: Healing?

  public init(anchors: [LlamaModel], layers: [Route: [Projection]]) {
    self.init(anchors: anchors, layers: layers, healing: nil)
  }

  init(anchors: [LlamaModel], layers: [Route: [Projection]], healing: Healing?) {
    self.anchors = anchors
    self.layers = layers
    self.healing = healing
  }

  /// A projection of a route that an adapter may add something to.
  public enum Site: Hashable, Sendable {
    /// One of a block's, in a segment of the route.
    case block(segment: Int, anchor: Int, block: Int, AdapterTarget)
    /// The stitching layer at a junction.
    case layer(junction: Int)
  }

  /// A route as a runnable network over the shared weights: the starting anchor's embedding, the segments' blocks with
  /// stitching layers between them, the ending anchor's norm and head.
  /// - Parameters:
  ///   - side: what runs beside it.
  ///   - prompt: what it reads besides tokens.
  ///   - block: what becomes of a block of an anchor, but for its projections.
  ///   - deltas: what is added to a projection, besides what healing adds.
  public func assemble(
    _ route: Route, side: SideNetwork? = nil, prompt: SoftPrompt? = nil,
    block: (Block, _ anchor: Int, _ number: Int) -> Block = { block, _, _ in block },
    deltas: (Site) -> [Delta] = { _ in [] }
  ) -> Network {
    func all(at site: Site) -> [Delta] { (healing?.deltas(route, site) ?? []) + deltas(site) }
    var stages: [Stage] = []
    for (index, segment) in route.segments.enumerated() {
      if index > 0 {
        guard var layer = layers[route]?[index - 1] else { preconditionFailure("a route without its stitching layer") }
        layer.deltas += all(at: .layer(junction: index - 1))
        stages.append(.stitch(layer))
      }
      for number in segment.blocks {
        var block = block(anchors[segment.anchor].blocks[number], segment.anchor, number)
        for target in AdapterTarget.allCases {
          let added = all(at: .block(segment: index, anchor: segment.anchor, block: number, target))
          if !added.isEmpty { block[keyPath: target.path].deltas += added }
        }
        stages.append(.block(block))
      }
    }
    let end = anchors[route.end]
    return Network(
      embedding: anchors[route.start].embedding, stages: stages, finalNorm: end.finalNorm,
      finalNormEpsilon: end.configuration.normEpsilon, head: end.head, side: side, prompt: prompt)
  }

  /// The same with all that an adapter of this layout adds.
  func assemble(_ route: Route, _ layout: AdapterLayout, from tensors: some DeltaTensors) -> Network {
    assemble(
      route, side: layout.side(route, from: tensors), prompt: layout.prompt(route, from: tensors),
      block: { layout.adapted($0, anchor: $1, number: $2, from: tensors) }
    ) { layout.deltas(route, $0, from: tensors) }
  }
}

extension Assembler {
  /// The same with what a store trains.
  package func assemble(_ route: Route, _ layout: AdapterLayout, trained: ParameterStore) -> Network {
    assemble(route, layout, from: trained)
  }
}

/// The projections of a block that may be adapted. `rawValue` is the name in Hugging Face models.
public enum AdapterTarget: String, CaseIterable, Sendable, Codable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"

  /// Those of attention.
  public static let attention: [AdapterTarget] = [.query, .key, .value, .output]

  /// The name in Hugging Face models, within a block.
  var placeInBlock: String { (Self.attention.contains(self) ? "self_attn." : "mlp.") + rawValue }

  /// Where it is in a block.
  package var path: WritableKeyPath<Block, Projection> {
    switch self {
    case .query: \.attention.query
    case .key: \.attention.key
    case .value: \.attention.value
    case .output: \.attention.output
    case .gate: \.mlp.gate
    case .up: \.mlp.up
    case .down: \.mlp.down
    }
  }

  func inputs(_ c: LlamaConfiguration) -> Int {
    switch self {
    case .query, .key, .value, .gate, .up: c.hiddenSize
    case .output: c.queryWidth
    case .down: c.intermediateSize
    }
  }
  func outputs(_ c: LlamaConfiguration) -> Int {
    switch self {
    case .query: c.queryWidth
    case .key, .value: c.keyValueWidth
    case .output, .down: c.hiddenSize
    case .gate, .up: c.intermediateSize
    }
  }
}

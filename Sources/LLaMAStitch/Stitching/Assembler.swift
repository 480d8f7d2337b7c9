/// What the routes of a family run through, and how a route becomes a network.
///
/// The anchors and layers may be mapped from files, or trained in a `ParameterStore`: inference, ESTA and the training of
/// all weights assemble alike.
public struct Assembler: Sendable {
  /// Cheapest first.
  public let anchors: [LlamaModel]
  /// The stitching layers of each route that has any, in order of its junctions.
  package let layers: [Route: [Projection]]

  public init(anchors: [LlamaModel], layers: [Route: [Projection]]) {
    self.anchors = anchors
    self.layers = layers
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
  /// - Parameter deltas: what is added to a projection.
  public func assemble(_ route: Route, deltas: (Site) -> [Delta] = { _ in [] }) -> Network {
    var stages: [Stage] = []
    for (index, segment) in route.segments.enumerated() {
      if index > 0 {
        guard var layer = layers[route]?[index - 1] else { preconditionFailure("a route without its stitching layer") }
        layer.deltas += deltas(.layer(junction: index - 1))
        stages.append(.stitch(layer))
      }
      for number in segment.blocks {
        var block = anchors[segment.anchor].blocks[number]
        for target in AdapterTarget.allCases {
          let added = deltas(.block(segment: index, anchor: segment.anchor, block: number, target))
          if !added.isEmpty { block[keyPath: target.path].deltas += added }
        }
        stages.append(.block(block))
      }
    }
    let end = anchors[route.end]
    return Network(
      embedding: anchors[route.start].embedding, stages: stages, finalNorm: end.finalNorm,
      finalNormEpsilon: end.configuration.normEpsilon, head: end.head)
  }
}

/// The projections of a block that are adapted. `rawValue` is the name in Hugging Face models.
public enum AdapterTarget: String, CaseIterable, Sendable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"

  /// Where it is in a block.
  package var path: WritableKeyPath<Block, Projection> {
    switch self {
    case .query: \.attention.query
    case .key: \.attention.key
    case .value: \.attention.value
    case .output: \.attention.output
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

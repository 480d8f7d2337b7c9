import Foundation
import LLaMAStitch
import Support

/// Networks of a family to measure sessions with: those of a family's directory, or random ones.
public struct MeasuredFamily {
  /// A stitch as a network.
  public struct Member {
    public let id: String
    let route: Route
    let network: Network

    var isAnchor: Bool { route.isAnchor }
    /// Stages that its prefix cache has, too.
    var sharedStages: Int { route.leadingBlockCount }
  }

  /// Cheapest first.
  public let members: [Member]
  let anchors: [Network]
  let contextLength: Int
  private let exits: [[Int: Int]]
  private let sharesPrefixes: Bool

  /// The stops of a family, or all its stitches, with its own adapter.
  public init(_ family: Family, allStitches: Bool) throws {
    let adapter = try family.ownAdapter()
    members = (allStitches ? family.stitches : family.stops).map {
      Member(id: $0.id, route: $0.route, network: family.network($0.route, adapter: adapter))
    }
    anchors = family.anchors.indices.map { family.network(family.route(ofAnchor: $0), adapter: adapter) }
    exits = family.anchors.indices.map { family.exits(of: $0) }
    contextLength = min(family.contextLength, InferenceSession.longestUsualContext)
    sharesPrefixes = adapter?.options.sharesPrefix ?? true
  }

  /// Random anchors of a shape and random stitching layers: both anchors and the stitch in the middle between them, or
  /// all stitches.
  /// - Parameter directory: where the anchors are, or are written.
  public init(
    random shape: LargeFamilyBenchmark.Shape, _ type: ElementType, in directory: URL, allStitches: Bool
  ) throws {
    let models = try shape.anchors.map { anchor in
      try anchor.configuration.randomModel(
        type, at: directory.appendingPathComponent("\(anchor.name)-\(type.rawValue.lowercased())"))
    }
    let names = shape.anchors.map(\.name)
    let depths = models.map(\.blocks.count)
    var routes = Route.all(depths: depths)
    if !allStitches { routes = routes.filter { $0.isAnchor || $0.junctions[0].entry == depths[1] / 2 } }
    var layers: [Route: [Projection]] = [:]
    for (index, route) in routes.enumerated() {
      layers[route] = route.junctions.map { Self.layer($0, models, seed: index, isQuantized: type.isQuantized) }
    }
    let assembler = Assembler(anchors: models, layers: layers)
    members = routes.map {
      Member(id: $0.id(names: names, depths: depths), route: $0, network: assembler.assemble($0))
    }.sorted { $0.network.flopsPerToken < $1.network.flopsPerToken }
    anchors = models.map { $0.network() }
    exits = models.indices.map { routes.exits(of: $0) }
    contextLength = models.map(\.configuration.contextLength).min()!
    sharesPrefixes = true
  }

  /// A random stitching layer, in the type that a family would store it in.
  private static func layer(
    _ junction: Route.Junction, _ models: [LlamaModel], seed: Int, isQuantized: Bool
  ) -> Projection {
    let inputs = models[junction.from].configuration.hiddenSize
    let outputs = models[junction.to].configuration.hiddenSize
    let weight = FloatBuffer(count: inputs * outputs)
    var random = SeededGenerator(seed: UInt64(seed))
    weight.vector.fillUniformly(within: Float((3 / Double(inputs)).squareRoot()), &random)
    let matrix = weight.matrix(rows: outputs, columns: inputs)
    return Projection(
      weight: isQuantized ? WeightMatrix.bfloat16([matrix])[0] : WeightMatrix(matrix),
      bias: WeightVector(FloatBuffer(count: outputs).vector))
  }

  /// What sessions of members that start in an anchor share; `nil` where they share nothing.
  func prefix(of start: Int, contextLength: Int) -> PrefixCache? {
    sharesPrefixes ? PrefixCache(anchor: anchors[start], exits: exits[start], contextLength: contextLength) : nil
  }
}

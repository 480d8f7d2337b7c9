import Foundation
import Support

/// One runnable network of a family.
public struct Stitch: Sendable, Equatable, Identifiable {
  public let id: String
  public let route: Route
  /// For people: `small[0..<4] → medium[3..<8]`.
  public let routeText: String
  /// Parameters of the network, adapter included.
  public let parameters: Int
  /// Floating-point operations of a token at zero context, head included.
  public let flopsPerToken: Int
  /// Bytes of the weights used.
  public let weightBytes: Int
}

/// Anchors, routes and stitching layers in memory. All stitches share the anchors' weights.
public struct Family: Sendable {
  public let directory: URL
  public let description: FamilyDescription
  /// Cheapest first.
  public let anchors: [LlamaModel]
  /// W and b of each stitched route.
  let layers: [Route: Projection]
  /// Every stitch, cheapest first.
  public let stitches: [Stitch]

  public var names: [String] { description.anchors.map(\.name) }
  public var routes: [Route] { description.routes }
  public var identity: String { description.identity }
  public var tokenizerFile: URL { directory.appendingPathComponent(FamilyDescription.tokenizerName) }
  public var contextLength: Int { anchors.map(\.configuration.contextLength).min()! }

  /// Opens a family directory.
  /// - Throws: `FamilyError`, `CheckpointError`, `FileError`, `SafetensorsError`.
  public init(_ directory: URL) throws {
    let description = try FamilyDescription.read(in: directory)
    func part(_ name: String) throws -> URL { try FamilyDescription.part(name, of: directory) }
    let anchors = try description.anchors.map { anchor in
      let place = try part(anchor.directory)
      for name in try FamilyDescription.names(in: place) { _ = try part("\(anchor.directory)/\(name)") }
      return try LlamaModel.load(directory: place)
    }
    let tensors = try SafetensorsFile(part(FamilyDescription.stitchesName))
    _ = try part(FamilyDescription.tokenizerName)
    try self.init(directory: directory, description: description, anchors: anchors) { name, shape in
      let tensor = try tensors.tensor(name)
      try tensor.check(shape: shape, file: tensors.url)
      return tensor
    }
  }

  init(
    directory: URL, description: FamilyDescription, anchors: [LlamaModel],
    tensor: (String, [Int]) throws -> SafetensorsFile.Tensor
  ) throws {
    let file = directory.appendingPathComponent(FamilyDescription.fileName).path
    let depths = anchors.map(\.configuration.blockCount)
    let names = description.anchors.map(\.name)
    try Self.checkStitchable(anchors.map(\.configuration), names: names)
    var layers: [Route: Projection] = [:]
    var ids: Set<String> = []
    for route in description.routes {
      guard anchors.indices.contains(route.start) else {
        throw FamilyError.damaged(file: file, cause: "a route starts in an anchor that is not there")
      }
      if let join = route.join {
        guard anchors.indices.contains(join.end), join.end > route.start,
          (1...depths[route.start]).contains(join.prefix), (1..<depths[join.end]).contains(join.entry)
        else {
          throw FamilyError.damaged(file: file, cause: "a route leads through blocks that are not there")
        }
        let id = route.id(names: names, depths: depths)
        let (from, to) = (anchors[route.start].configuration.hiddenSize, anchors[join.end].configuration.hiddenSize)
        layers[route] = Projection(
          weight: WeightMatrix(try tensor("stitches.\(id).weight", [to, from])),
          bias: FloatBuffer(try tensor("stitches.\(id).bias", [to]).floats()).vector)
      }
      guard ids.insert(route.id(names: names, depths: depths)).inserted else {
        throw FamilyError.damaged(file: file, cause: "a route is there twice")
      }
    }
    for index in anchors.indices where !description.routes.contains(Route(start: index)) {
      throw FamilyError.damaged(file: file, cause: "the anchor \(names[index]) is not among the routes")
    }
    if let stops = description.stops, let wrong = stops.first(where: { !ids.contains($0) }) {
      throw FamilyError.damaged(file: file, cause: "the stop “\(wrong)” is not a stitch")
    }
    if description.stops?.isEmpty == true { throw FamilyError.damaged(file: file, cause: "it has no stops") }
    self.directory = directory
    self.description = description
    self.anchors = anchors
    self.layers = layers
    stitches = description.routes.map { route in
      let network = Self.network(
        route, anchors: anchors, layers: layers,
        layout: AdapterLayout(
          names: names, configurations: anchors.map(\.configuration), routes: [], options: AdapterOptions()),
        adapter: nil)
      return Stitch(
        id: route.id(names: names, depths: depths), route: route,
        routeText: route.text(names: names, depths: depths), parameters: network.parameterCount,
        flopsPerToken: network.flopsPerToken, weightBytes: network.byteCount)
    }.sorted { ($0.flopsPerToken, $0.id) < ($1.flopsPerToken, $1.id) }
  }

  /// Anchors must share a vocabulary.
  static func checkStitchable(_ configurations: [LlamaConfiguration], names: [String]) throws {
    for (name, configuration) in zip(names, configurations).dropFirst()
    where configuration.vocabularySize != configurations[0].vocabularySize {
      throw FamilyError.unstitchable(
        cause:
          "\(name) has a vocabulary of \(configuration.vocabularySize), \(names[0]) one of \(configurations[0].vocabularySize); use anchors with the same tokenizer"
      )
    }
  }

  /// The slider's stops, cheapest first.
  public var stops: [Stitch] {
    guard let stops = description.stops else { return stitches }
    let wanted = Set(stops)
    return stitches.filter { wanted.contains($0.id) }
  }

  /// - Throws: `FamilyError.unknownStitch`, which names the nearest id.
  public func stitch(_ id: String) throws -> Stitch {
    if let stitch = stitches.first(where: { $0.id == id }) { return stitch }
    func distance(_ other: String) -> Int { editDistance(other.lowercased(), id.lowercased()) }
    let nearest = stitches.map(\.id).min { distance($0) < distance($1) }
    throw FamilyError.unknownStitch(id: id, family: directory.path, nearest: nearest)
  }

  /// The stitching layers widened to single precision, copied.
  var fittedLayers: [Route: FittedLayer] {
    layers.mapValues { layer in
      FittedLayer(
        weight: FloatBuffer(layer.weight.floats()).matrix(rows: layer.weight.rows, columns: layer.weight.columns),
        bias: layer.bias ?? FloatBuffer(count: layer.weight.rows).vector)
    }
  }

  public func layout(_ options: AdapterOptions) -> AdapterLayout {
    AdapterLayout(
      names: names, configurations: anchors.map(\.configuration), routes: routes, options: options)
  }

  /// The family's own adapter, `nil` if it was never adapted.
  public func ownAdapter() throws -> Adapter? {
    let file = directory.appendingPathComponent(FamilyDescription.adapterName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    return try Adapter.read(FamilyDescription.part(FamilyDescription.adapterName, of: directory), for: self)
  }

  /// Prefixes of the low-rank updates whose weights are quantised.
  func quantizedTargets(_ options: AdapterOptions) -> [String] {
    let layout = layout(options)
    return anchors.enumerated().flatMap { anchor, model in
      model.blocks.enumerated().flatMap { index, block in
        AdapterLayout.Target.allCases.filter { block[keyPath: $0.path].weight.elementType.isQuantized }
          .map { layout.lowRankName(anchor: anchor, block: index, $0) }
      }
    }
  }

  /// A route as a runnable network over the shared weights.
  public func network(_ route: Route, adapter: Adapter?) -> Network {
    Self.network(
      route, anchors: anchors, layers: layers, layout: layout(adapter?.options ?? AdapterOptions()),
      adapter: adapter)
  }

  /// After how many blocks the slider's stops leave an anchor, and how many do.
  public func exits(of start: Int) -> [Int: Int] { stops.map(\.route).exits(of: start) }

  private static func network(
    _ route: Route, anchors: [LlamaModel], layers: [Route: Projection], layout: AdapterLayout,
    adapter: Adapter?
  ) -> Network {
    func adapted(_ anchor: Int, _ index: Int) -> Stage {
      var block = anchors[anchor].blocks[index]
      guard let adapter else { return .block(block) }
      for target in AdapterLayout.Target.allCases {
        block[keyPath: target.path].lowRank = adapter.lowRank(layout.lowRankName(anchor: anchor, block: index, target))
        block[keyPath: target.path].extraBias = adapter.vector(
          layout.biasName(route, anchor: anchor, block: index, target))
      }
      return .block(block)
    }
    var stages = layout.blocks(route).map { adapted($0.anchor, $0.block) }
    if let join = route.join, var layer = layers[route] {
      layer.lowRank = adapter?.lowRank(layout.layerName(route))
      layer.extraBias = adapter?.vector(layout.layerName(route) + ".delta_bias")
      stages.insert(.stitch(layer), at: join.prefix)
    }
    let start = anchors[route.start]
    let end = anchors[route.end]
    return Network(
      embedding: start.embedding, stages: stages, finalNorm: end.finalNorm,
      finalNormEpsilon: end.configuration.normEpsilon, head: end.head)
  }
}

extension SafetensorsFile.Tensor {
  /// Checks what a tensor of a family must be.
  /// - Throws: `FamilyError.damaged`.
  func check(shape expected: [Int], file: URL) throws(FamilyError) {
    guard shape == expected else {
      throw .damaged(file: file.path, cause: "“\(name)” has shape \(shape) instead of \(expected)")
    }
    guard type.isUsable else {
      throw .damaged(file: file.path, cause: "“\(name)” is \(type.rawValue) instead of F32, F16 or BF16")
    }
  }
}

/// The stitches of a family as networks whose stitching layers, and anchors where wanted, are trained themselves.
struct JointNetworks {
  /// What is trained.
  enum Scope {
    case layers
    case everything
  }

  let routes: [Route]
  let store: ParameterStore
  private let assembler: Assembler

  /// - Parameters:
  ///   - anchors: their values stay as they are; what is trained is a copy.
  ///   - layers: where the stitched ones among `routes` start.
  init(anchors: [LlamaModel], routes: [Route], layers: [Route: [Projection]], scope: Scope) {
    self.routes = routes
    let store = ParameterStore(
      Self.declarations(
        configurations: anchors.map(\.configuration), routes: routes, trainsAnchors: scope == .everything))
    self.store = store
    var trainedAnchors = anchors
    if scope == .everything {
      trainedAnchors = anchors.enumerated().map { index, anchor in
        LlamaModel(configuration: anchor.configuration, store: store, prefix: Self.prefix(ofAnchor: index))
      }
      for (anchor, trained) in zip(anchors, trainedAnchors) {
        for tensor in anchor.configuration.tensors { anchor.tensor(tensor).copy(to: trained.floats(tensor)) }
      }
    }
    var trainedLayers: [Route: [Projection]] = [:]
    for (index, route) in routes.enumerated() where !route.isAnchor {
      trainedLayers[route] = route.junctions.indices.map { junction in
        let name = Self.layerName(route: index, junction: junction, of: route)
        guard let weight = store.matrix(name + ".weight"), let bias = store.vector(name + ".bias") else {
          preconditionFailure("\(name) was not declared")
        }
        return Projection(weight: weight, bias: bias)
      }
    }
    assembler = Assembler(anchors: trainedAnchors, layers: trainedLayers)
    set(layers)
  }

  private static func prefix(ofAnchor index: Int) -> String { "anchor.\(index)." }

  private static func layerName(route: Int, junction: Int, of: Route) -> String {
    of.junctions.count == 1 ? "layer.\(route)" : "layer.\(route).\(junction)"
  }

  /// What is trained, layers first.
  static func declarations(
    configurations: [LlamaConfiguration], routes: [Route], trainsAnchors: Bool
  ) -> [ParameterStore.Declaration] {
    var declarations: [ParameterStore.Declaration] = []
    for (index, route) in routes.enumerated() {
      for (number, junction) in route.junctions.enumerated() {
        let (from, to) = (configurations[junction.from].hiddenSize, configurations[junction.to].hiddenSize)
        let name = layerName(route: index, junction: number, of: route)
        declarations.append(.init(name + ".weight", shape: [to, from], decays: false))
        declarations.append(.init(name + ".bias", shape: [to], decays: false))
      }
    }
    if trainsAnchors {
      for (index, configuration) in configurations.enumerated() {
        declarations += configuration.declarations(prefix: prefix(ofAnchor: index))
      }
    }
    return declarations
  }

  /// Replaces the values of stitching layers.
  func set(_ values: [Route: [Projection]]) {
    for (route, trained) in assembler.layers {
      for (layer, value) in zip(trained, values[route] ?? []) {
        guard let weight = layer.weight.floatsInPlace, let bias = layer.bias else { continue }
        value.weight.dequantize(0..<value.weight.rows, into: weight.dense)
        if let values = value.bias?.values { bias.values.copy(from: values) } else { bias.values.fill(0) }
      }
    }
  }

  /// The anchors' values now.
  var anchors: [LlamaModel] { assembler.anchors }

  /// The layers as they are now.
  var layers: [Route: [Projection]] { assembler.layers }

  func network(_ route: Route) -> Network { assembler.assemble(route) }
}

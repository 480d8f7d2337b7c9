/// The stitches of a family as networks whose stitching layers, and anchors where wanted, are trained themselves.
struct JointNetworks {
  /// What is trained.
  enum Scope {
    case layers
    case everything
  }

  let routes: [Route]
  let store: ParameterStore
  /// Their values now.
  let anchors: [AnchorTensors]

  /// - Parameters:
  ///   - anchors: their values stay as they are; what is trained is a copy.
  ///   - layers: where the stitched ones among `routes` start.
  init(anchors: [AnchorTensors], routes: [Route], layers: [Route: FittedLayer], scope: Scope) {
    self.routes = routes
    store = ParameterStore(
      Self.declarations(
        configurations: anchors.map(\.configuration), routes: routes, trainsAnchors: scope == .everything))
    if scope == .everything {
      for (index, anchor) in anchors.enumerated() {
        for (name, matrix) in anchor.named {
          if let tensor = store.tensor("anchor.\(index).\(name)") { matrix.copy(to: tensor.values.dense) }
        }
      }
      let store = store
      self.anchors = anchors.enumerated().map { index, anchor in
        AnchorTensors(configuration: anchor.configuration, store: store, prefix: "anchor.\(index).")
      }
    } else {
      self.anchors = anchors
    }
    set(layers)
  }

  /// What is trained, layers first.
  static func declarations(
    configurations: [LlamaConfiguration], routes: [Route], trainsAnchors: Bool
  ) -> [ParameterStore.Declaration] {
    var declarations: [ParameterStore.Declaration] = []
    for (index, route) in routes.enumerated() {
      guard let join = route.join else { continue }
      let (from, to) = (configurations[route.start].hiddenSize, configurations[join.end].hiddenSize)
      declarations.append(.init("layer.\(index).weight", shape: [to, from], decays: false))
      declarations.append(.init("layer.\(index).bias", shape: [to], decays: false))
    }
    if trainsAnchors {
      for (index, configuration) in configurations.enumerated() {
        declarations += AnchorTensors.declarations(of: configuration, prefix: "anchor.\(index).")
      }
    }
    return declarations
  }

  /// Replaces the values of stitching layers.
  func set(_ layers: [Route: FittedLayer]) {
    for (index, route) in routes.enumerated() {
      guard let layer = layers[route] else { continue }
      store.tensor("layer.\(index).weight")!.values.dense.copy(from: layer.weight.dense)
      store.tensor("layer.\(index).bias")!.values.dense.copy(from: layer.bias)
    }
  }

  /// The layers as they are now.
  var layers: [Route: FittedLayer] {
    var all: [Route: FittedLayer] = [:]
    for (index, route) in routes.enumerated() {
      guard let weight = store.tensor("layer.\(index).weight"), let bias = store.tensor("layer.\(index).bias")
      else { continue }
      all[route] = FittedLayer(weight: weight.values, bias: bias.vector)
    }
    return all
  }

  func network(_ route: Route) -> TrainingNetwork {
    guard let join = route.join, let index = routes.firstIndex(of: route) else {
      return anchors[route.start].network
    }
    let (start, end) = (anchors[route.start], anchors[join.end])
    let layer = TrainingProjection(
      weight: store.tensor("layer.\(index).weight")!, bias: store.tensor("layer.\(index).bias")!)
    return TrainingNetwork(
      embedding: start.embedding,
      stages: start.blocks[..<join.prefix].map { .block($0) } + [.stitch(layer)]
        + end.blocks[join.entry...].map { .block($0) },
      finalNorm: end.finalNorm, normEpsilon: end.configuration.normEpsilon, head: end.head)
  }
}

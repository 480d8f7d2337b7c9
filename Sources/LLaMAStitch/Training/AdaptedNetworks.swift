import Support

/// The stitches of a family as networks to train: frozen anchors and stitching layers, with what ESTA adds in a store.
struct AdaptedNetworks {
  let layout: AdapterLayout
  let store: ParameterStore
  private let family: Family
  private let anchors: [AnchorTensors]
  private let layers: [Route: TrainingProjection]

  /// - Parameter adapter: where to start; LoRA and layer updates that change nothing, if absent.
  init(_ family: Family, options: AdapterOptions, adapter: Adapter?, seed: UInt64) {
    self.family = family
    layout = family.layout(options)
    store = ParameterStore(layout.declarations)
    anchors = family.anchors.map { AnchorTensors(frozen: $0) }
    layers = family.layers.mapValues { layer in
      TrainingProjection(
        weight: TrainingMatrix(frozen: layer.weight), bias: layer.bias.map { TrainingTensor(frozen: $0) })
    }
    var random = SeededGenerator(seed: seed, stream: 3)
    for (index, parameter) in store.parameters.enumerated() {
      let values = store.value(index)
      if let start = adapter?.values(parameter.name) {
        values.copy(from: start)
      } else if parameter.name.hasSuffix(".lora_A") {
        // Uniform in ±1/√in; B is zero, so that the update is.
        let bound = 1 / Double(parameter.shape[1]).squareRoot()
        values.copy(from: (0..<parameter.count).map { _ in Float((2 * random.unit() - 1) * bound) })
      }
    }
  }

  private func lowRank(_ name: String) -> TrainingLowRank? {
    guard let a = store.tensor(name + ".lora_A"), let b = store.tensor(name + ".lora_B") else { return nil }
    return TrainingLowRank(a: a, b: b, scale: layout.options.scale)
  }

  func network(_ route: Route) -> TrainingNetwork {
    func adapted(_ anchor: Int, _ index: Int) -> TrainingNetwork.Stage {
      var block = anchors[anchor].blocks[index]
      func adapt(_ projection: inout TrainingProjection, _ target: AdapterLayout.Target) {
        projection.lowRank = lowRank(layout.lowRankName(anchor: anchor, block: index, target))
        projection.extraBias = store.tensor(layout.biasName(route, anchor: anchor, block: index, target))
      }
      adapt(&block.query, .query)
      adapt(&block.key, .key)
      adapt(&block.value, .value)
      adapt(&block.output, .output)
      return .block(block)
    }
    var stages = layout.blocks(route).map { adapted($0.anchor, $0.block) }
    if let join = route.join, var layer = layers[route] {
      layer.lowRank = lowRank(layout.layerName(route))
      layer.extraBias = store.tensor(layout.layerName(route) + ".delta_bias")
      stages.insert(.stitch(layer), at: join.prefix)
    }
    let end = anchors[route.end]
    return TrainingNetwork(
      embedding: anchors[route.start].embedding, stages: stages, finalNorm: end.finalNorm,
      normEpsilon: end.configuration.normEpsilon, head: end.head)
  }

  /// A copy of the trained values.
  func snapshot(step: Int, importance: [String: Double]) -> Adapter {
    var tensors: [String: MatrixView] = [:]
    for (index, parameter) in store.parameters.enumerated() {
      let copy = FloatBuffer(store.value(index).array)
      let columns = parameter.shape.last!
      tensors[parameter.name] = copy.matrix(rows: parameter.count / columns, columns: columns)
    }
    return Adapter(
      options: layout.options, step: step, family: family, importance: importance, tensors: tensors)
  }
}

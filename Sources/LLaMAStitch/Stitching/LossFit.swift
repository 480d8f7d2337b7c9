/// The fit by loss: anchors frozen, W and b of every stitching layer trained with the language-model loss on plain
/// text, a route drawn uniformly each step.
final class LossFit {
  private let frozen: [AnchorTensors]
  private let routes: [Route]
  private let store: ParameterStore
  private let settings: OptimizerSettings
  private var random: SeededGenerator

  init(
    frozen: [AnchorTensors], routes: [Route], layers: [Route: FittedLayer], learningRate: Float,
    seed: UInt64
  ) {
    self.frozen = frozen
    self.routes = routes.filter { $0.join != nil }
    store = ParameterStore(
      self.routes.indices.flatMap { index in
        let layer = layers[routes.filter { $0.join != nil }[index]]!
        return [
          ParameterStore.Declaration(
            "\(index).weight", shape: [layer.weight.rows, layer.weight.columns], decays: true),
          ParameterStore.Declaration("\(index).bias", shape: [layer.bias.count], decays: false),
        ]
      })
    for (index, route) in self.routes.enumerated() {
      store.tensor("\(index).weight")!.values.dense.copy(from: layers[route]!.weight.dense)
      store.tensor("\(index).bias")!.values.dense.copy(from: layers[route]!.bias)
    }
    settings = OptimizerSettings(learningRate: learningRate)
    random = SeededGenerator(seed: seed, stream: 7)
  }

  /// The layers as they are now.
  var layers: [Route: FittedLayer] {
    var all: [Route: FittedLayer] = [:]
    for (index, route) in routes.enumerated() {
      all[route] = FittedLayer(
        weight: store.tensor("\(index).weight")!.values, bias: store.tensor("\(index).bias")!.vector)
    }
    return all
  }

  /// - Returns: `false` if the listener (step, loss) stopped it.
  func run(
    _ sequences: [[Int32]], steps: Int, pool: ComputePool, listener: (Int, Double) -> Bool
  ) throws -> Bool {
    let trainer = try Trainer(store: store, pool: pool)
    let stream = ExampleStream(
      sequences.map { TrainingExample(tokens: $0, predicted: Array(repeating: true, count: $0.count)) },
      seed: random.next())
    for step in 0..<steps {
      let index = random.index(below: routes.count)
      let batch = stream.batch(step, tokens: 1024)
      let rate = settings.learningRate(step: step, total: steps)
      guard
        let result = trainer.step(network(index), [batch], settings: settings, learningRate: rate),
        listener(step + 1, result.loss)
      else { return false }
    }
    return true
  }

  private func network(_ index: Int) -> TrainingNetwork {
    let join = routes[index].join!
    let layer = TrainingProjection(
      weight: store.tensor("\(index).weight")!, bias: store.tensor("\(index).bias")!)
    return TrainingNetwork.stitched(
      start: frozen[routes[index].start], join: join, end: frozen[join.end], layer: layer)
  }
}

extension TrainingNetwork {
  /// Blocks `0 ..< prefix` of one anchor, a stitching layer, blocks `entry...` of another.
  static func stitched(
    start: AnchorTensors, join: Route.Join, end: AnchorTensors, layer: TrainingProjection
  ) -> TrainingNetwork {
    TrainingNetwork(
      embedding: start.embedding,
      stages: start.blocks[..<join.prefix].map { .block($0) } + [.stitch(layer)]
        + end.blocks[join.entry...].map { .block($0) },
      finalNorm: end.finalNorm, normEpsilon: end.configuration.normEpsilon, head: end.head)
  }
}

import Foundation

/// The fit by loss: routes drawn uniformly, each trained with the language-model loss on plain text.
///
/// Either the stitching layers alone (anchors frozen), or everything jointly, as SN-Net does on its pretraining task:
/// then the anchors learn to work together as one family.
final class LossFit {
  /// What is trained.
  enum Scope {
    case layers
    case everything
  }

  private let routes: [Route]
  private let anchors: [AnchorTensors]
  private let store: ParameterStore
  private let scope: Scope
  private let settings: OptimizerSettings
  private var random: SeededGenerator

  /// - Parameter anchors: their values, which stay as they are; what is trained is a copy.
  init(
    anchors: [AnchorTensors], routes: [Route], layers: [Route: FittedLayer], scope: Scope,
    learningRate: Float, seed: UInt64
  ) {
    // The anchors are routes too, but without layers there is nothing to train in them.
    self.routes = routes.filter { scope == .everything || $0.join != nil }
    self.scope = scope
    let frozen = anchors
    var declarations: [ParameterStore.Declaration] = []
    for (index, route) in self.routes.enumerated() {
      guard let layer = layers[route] else { continue }
      declarations.append(
        .init("layer.\(index).weight", shape: [layer.weight.rows, layer.weight.columns], decays: false))
      declarations.append(.init("layer.\(index).bias", shape: [layer.bias.count], decays: false))
    }
    if scope == .everything {
      for (index, anchor) in anchors.enumerated() {
        declarations += AnchorTensors.declarations(of: anchor.configuration, prefix: "anchor.\(index).")
      }
    }
    let store = ParameterStore(declarations)
    self.store = store
    for (index, route) in self.routes.enumerated() {
      guard let layer = layers[route] else { continue }
      store.tensor("layer.\(index).weight")!.values.dense.copy(from: layer.weight.dense)
      store.tensor("layer.\(index).bias")!.values.dense.copy(from: layer.bias)
    }
    if scope == .everything {
      for (index, anchor) in frozen.enumerated() {
        for (name, matrix) in anchor.named {
          if let tensor = store.tensor("anchor.\(index).\(name)") { matrix.copy(to: tensor.values.dense) }
        }
      }
      self.anchors = frozen.enumerated().map { index, anchor in
        AnchorTensors(configuration: anchor.configuration, store: store, prefix: "anchor.\(index).")
      }
    } else {
      self.anchors = frozen
    }
    settings = OptimizerSettings(
      learningRate: learningRate, finalShare: 0.05, weightDecay: scope == .everything ? 0.1 : 0)
    random = SeededGenerator(seed: seed, stream: 7)
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

  /// The anchors as they are now.
  var trainedAnchors: [AnchorTensors] { anchors }

  /// - Parameters:
  ///   - checkpoint: where to resume from and save to.
  ///   - listener: hears the step and the loss, answers whether to go on.
  /// - Returns: `false` if the listener stopped it.
  func run(
    _ documents: [[Int32]], sequenceLength: Int, steps: Int, tokensPerStep: Int, pool: ComputePool,
    checkpoint: URL? = nil, listener: (Int, Double) -> Bool
  ) throws -> Bool {
    let trainer = try Trainer(store: store, pool: pool)
    let stream = DocumentStream(documents: documents, sequenceLength: sequenceLength, seed: random.next())
    let perStep = max(1, tokensPerStep / sequenceLength)
    var first = 0
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) {
      let state = try TrainingCheckpoint.read(store, state: State.self, from: checkpoint) { state in
        guard state.steps == steps, state.tokens == stream.tokenCount, state.settings == settings else {
          throw TrainingError.otherRun(file: checkpoint.path, what: "plan")
        }
      }
      (first, random) = (state.step, state.random)
    }
    for step in first..<max(first, steps) {
      let route = routes[random.index(below: routes.count)]
      let batches = stride(from: 0, to: perStep, by: pool.threads).map { begin in
        var batch = PackedBatch()
        for index in begin..<min(begin + pool.threads, perStep) {
          batch.append(stream.sequence(step * perStep + index))
        }
        return batch
      }
      let rate = settings.learningRate(step: step, total: steps)
      let result = trainer.step(network(route), batches, settings: settings, learningRate: rate)
      let goOn = listener(step + 1, result?.loss ?? .nan)
      if let checkpoint, (step + 1) % 200 == 0 || !goOn {
        try TrainingCheckpoint.write(
          store,
          state: State(
            settings: settings, steps: steps, tokens: stream.tokenCount, step: step + 1, random: random),
          to: checkpoint)
      }
      if !goOn { return false }
    }
    return true
  }

  private struct State: Codable {
    var settings: OptimizerSettings
    var steps: Int
    var tokens: Int
    var step: Int
    var random: SeededGenerator
  }

  private func network(_ route: Route) -> TrainingNetwork {
    guard let join = route.join, let index = routes.firstIndex(of: route) else {
      return anchors[route.start].network
    }
    let layer = TrainingProjection(
      weight: store.tensor("layer.\(index).weight")!, bias: store.tensor("layer.\(index).bias")!)
    return TrainingNetwork.stitched(
      start: anchors[route.start], join: join, end: anchors[join.end], layer: layer)
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

import Foundation
import Support

/// The fit by loss: routes drawn uniformly, each trained with the language-model loss.
///
/// Either the stitching layers alone (anchors frozen), or everything jointly, as SN-Net does on its pretraining task:
/// then the anchors learn to work together as one family.
final class LossFit {
  private let networks: JointNetworks
  private let settings: OptimizerSettings
  private var random: SeededGenerator

  private var store: ParameterStore { networks.store }
  private var routes: [Route] { networks.routes }

  /// - Parameter anchors: their values, which stay as they are; what is trained is a copy.
  init(
    anchors: [LlamaModel], routes: [Route], layers: [Route: [Projection]], scope: JointNetworks.Scope,
    learningRate: Float, seed: UInt64
  ) {
    networks = JointNetworks(
      anchors: anchors,
      // The anchors are routes too, but without layers there is nothing to train in them.
      routes: routes.filter { scope == .everything || !$0.isAnchor }, layers: layers, scope: scope)
    settings = OptimizerSettings(
      learningRate: learningRate, finalShare: 0.05, weightDecay: scope == .everything ? 0.1 : 0)
    random = SeededGenerator(seed: seed, stream: 7)
  }

  /// The layers as they are now.
  var layers: [Route: [Projection]] { networks.layers }

  /// The anchors as they are now.
  var trainedAnchors: [LlamaModel] { networks.anchors }

  /// - Parameters:
  ///   - checkpoint: where to resume from and save to.
  ///   - listener: hears the step and the loss, answers whether to go on.
  /// - Returns: `false` if the listener stopped it.
  func run(
    _ examples: [TrainingExample], steps: Int, tokensPerStep: Int, pool: ComputePool,
    checkpoint: URL? = nil, listener: (Int, Double) -> Bool
  ) throws -> Bool {
    let rule: any StepRule = try Backpropagation(store: store, pool: pool)
    let stream = ExampleStream(examples, seed: random.next())
    let tokenCount = examples.reduce(0) { $0 + $1.tokens.count }
    var first = 0
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) {
      let state = try TrainingCheckpoint.read(store, state: State.self, from: checkpoint) { state in
        guard state.steps == steps, state.tokens == tokenCount, state.settings == settings else {
          throw TrainingError.otherRun(file: checkpoint.path, what: "plan")
        }
      }
      (first, random) = (state.step, state.random)
    }
    for step in first..<max(first, steps) {
      let route = routes[random.index(below: routes.count)]
      let rate = settings.learningRate(step: step, total: steps)
      let result = rule.step(
        networks.network(route), [stream.batch(step, tokens: tokensPerStep)], optimizer: settings, learningRate: rate,
        gate: {})
      let goOn = listener(step + 1, result.loss)
      if let checkpoint, (step + 1) % 200 == 0 || !goOn {
        try TrainingCheckpoint.write(
          store,
          state: State(
            settings: settings, steps: steps, tokens: tokenCount, step: step + 1, random: random),
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
}

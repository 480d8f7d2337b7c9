import LLaMAStitch
import Support

/// Measures how fast a model of a given shape trains.
public enum TrainingBenchmark {
  /// What is trained.
  public enum Trained {
    /// All weights, single precision, random at first.
    case everything
    /// LoRA of a rank on q, k, v and o, over frozen weights in the type they are stored in.
    case lowRank(Int, over: LlamaModel)
  }

  /// Tokens per second of forward, backward and AdamW: the median step of `seconds` of them, after two of warm-up.
  /// - Parameter batch: sequences and tokens per sequence.
  public static func tokensPerSecond(
    _ shape: BenchmarkShape, batch size: (sequences: Int, length: Int), training: Trained, pool: ComputePool,
    seconds: Double = 3
  ) throws -> Double {
    var random = SeededGenerator(seed: 1)
    let (store, network) =
      switch training {
      case .everything: everything(of: shape)
      case .lowRank(let rank, let model): lowRank(rank, over: model, &random)
      }
    let trainer = try Trainer(store: store, pool: pool)
    var batch = PackedBatch()
    for _ in 0..<size.sequences {
      batch.append((0..<size.length).map { _ in Int32(random.index(below: shape.configuration.vocabularySize)) })
    }
    let settings = OptimizerSettings(learningRate: 1e-4)
    func step() -> Double {
      let start = ContinuousClock.now
      _ = trainer.step(network, [batch], settings: settings, learningRate: 1e-4)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    _ = step()
    _ = step()
    var times: [Double] = []
    while times.count < 3 || times.reduce(0, +) < seconds { times.append(step()) }
    return Double(batch.rows) / times.sorted()[times.count / 2]
  }

  private static func everything(of shape: BenchmarkShape) -> (ParameterStore, TrainingNetwork) {
    let store = shape.randomStore()
    return (store, AnchorTensors(configuration: shape.configuration, store: store).network)
  }

  private static func lowRank(
    _ rank: Int, over model: LlamaModel, _ random: inout SeededGenerator
  ) -> (ParameterStore, TrainingNetwork) {
    let c = model.configuration
    let parts = [
      ("q", c.hiddenSize, c.queryWidth), ("k", c.hiddenSize, c.keyValueWidth),
      ("v", c.hiddenSize, c.keyValueWidth), ("o", c.queryWidth, c.hiddenSize),
    ]
    var declarations: [ParameterStore.Declaration] = []
    for block in 0..<c.blockCount {
      for (name, inputs, outputs) in parts {
        declarations.append(.init("\(block).\(name).A", shape: [rank, inputs], decays: true))
        declarations.append(.init("\(block).\(name).B", shape: [outputs, rank], decays: true))
      }
    }
    let store = ParameterStore(declarations)
    for index in store.parameters.indices where store.parameters[index].name.hasSuffix("A") {
      let values = store.value(index)
      for place in 0..<values.count { values[place] = Float(random.unit() - 0.5) * 0.1 }
    }
    let frozen = AnchorTensors(frozen: model)
    var network = frozen.network
    network.stages = frozen.blocks.enumerated().map { index, block in
      var block = block
      func adapt(_ projection: inout TrainingProjection, _ name: String) {
        projection.lowRank = TrainingLowRank(
          a: store.tensor("\(index).\(name).A")!, b: store.tensor("\(index).\(name).B")!, scale: 1)
      }
      adapt(&block.query, "q")
      adapt(&block.key, "k")
      adapt(&block.value, "v")
      adapt(&block.output, "o")
      return .block(block)
    }
    return (store, network)
  }
}

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
    let rule = try Backpropagation(store: store, pool: pool)
    var batch = PackedBatch()
    for _ in 0..<size.sequences {
      batch.append((0..<size.length).map { _ in Int32(random.index(below: shape.configuration.vocabularySize)) })
    }
    let settings = OptimizerSettings(learningRate: 1e-4)
    func step() -> Double {
      let start = ContinuousClock.now
      _ = rule.step(network, [batch], optimizer: settings, learningRate: 1e-4)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    _ = step()
    _ = step()
    var times: [Double] = []
    while times.count < 3 || times.reduce(0, +) < seconds { times.append(step()) }
    return Double(batch.rows) / median(times)
  }

  private static func everything(of shape: BenchmarkShape) -> (ParameterStore, Network) {
    let store = shape.randomStore()
    return (store, LlamaModel(configuration: shape.configuration, store: store).network())
  }

  private static func lowRank(
    _ rank: Int, over model: LlamaModel, _ random: inout SeededGenerator
  ) -> (ParameterStore, Network) {
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
    let places: [(String, WritableKeyPath<Block, Projection>)] = [
      ("q", \.attention.query), ("k", \.attention.key), ("v", \.attention.value), ("o", \.attention.output),
    ]
    let frozen = model.preparedForTraining
    let stages = frozen.blocks.enumerated().map { index, block in
      var block = block
      for (name, path) in places {
        let (a, b) = (store.matrix("\(index).\(name).A")!, store.matrix("\(index).\(name).B")!)
        block[keyPath: path].deltas = [.lowRank(LowRank(a: a, b: b, scale: 1))]
      }
      return Stage.block(block)
    }
    let network = Network(
      embedding: frozen.embedding, stages: stages, finalNorm: frozen.finalNorm,
      finalNormEpsilon: c.normEpsilon, head: frozen.head)
    return (store, network)
  }
}

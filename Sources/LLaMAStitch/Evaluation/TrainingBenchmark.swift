/// Measures how fast a model of a given shape trains.
public enum TrainingBenchmark {
  /// Tokens per second of forward, backward and AdamW: the median step of `seconds` of them, after two of warm-up.
  /// - Parameters:
  ///   - batch: sequences and tokens per sequence.
  ///   - loraRank: if given, the base is frozen and LoRA on q, k, v, o is trained instead of all weights.
  public static func tokensPerSecond(
    _ shape: BenchmarkShape, batch size: (sequences: Int, length: Int), loraRank: Int?, pool: ComputePool, seconds: Double = 3
  ) throws -> Double {
    let c = shape.configuration
    var random = SeededGenerator(seed: 1)
    let base = shape.randomStore()
    var network = AnchorTensors(configuration: c, store: base).network
    var store = base
    if let rank = loraRank { (store, network) = lora(over: base, c, rank: rank, &random) }
    let trainer = try Trainer(store: store, pool: pool)
    var batch = PackedBatch()
    for _ in 0..<size.sequences {
      batch.append((0..<size.length).map { _ in Int32(random.index(below: c.vocabularySize)) })
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

  private static func lora(
    over base: ParameterStore, _ c: LlamaConfiguration, rank: Int, _ random: inout SeededGenerator
  ) -> (ParameterStore, TrainingNetwork) {
    let parts = [("q", c.hiddenSize, c.queryWidth), ("k", c.hiddenSize, c.keyValueWidth),
      ("v", c.hiddenSize, c.keyValueWidth), ("o", c.queryWidth, c.hiddenSize)]
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
    let frozen = AnchorTensors(configuration: c) { name -> TrainingTensor in
      TrainingTensor(values: base.tensor(name)!.values)
    }
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

import LLaMAStitch
import Support

/// Model shapes that benchmarks run on, with random weights.
public enum BenchmarkShape: String, CaseIterable, Sendable {
  /// The default family's largest anchor.
  case large
  /// 8.4 million parameters.
  case eightMillion = "8M"
  /// 134 million parameters.
  case hundredMillion = "134M"
  /// TinyLlama's 1.1 billion, for inference alone.
  case billion = "1.1B"
  /// LLaMA 7B, for inference alone.
  case sevenBillion = "7B"

  /// Of half as many blocks.
  var halfAsDeep: LlamaConfiguration {
    var configuration = configuration
    configuration.blockCount /= 2
    return configuration
  }

  public var configuration: LlamaConfiguration {
    switch self {
    case .large:
      LlamaConfiguration(
        vocabularySize: 768, hiddenSize: 192, intermediateSize: 512, blockCount: 8, headCount: 6,
        contextLength: 512)
    case .eightMillion:
      LlamaConfiguration(
        vocabularySize: 4096, hiddenSize: 256, intermediateSize: 688, blockCount: 8, headCount: 8,
        contextLength: 512)
    case .hundredMillion:
      LlamaConfiguration(
        vocabularySize: 32_000, hiddenSize: 768, intermediateSize: 2048, blockCount: 12, headCount: 12,
        contextLength: 2048)
    case .billion:
      LlamaConfiguration(
        vocabularySize: 32_000, hiddenSize: 2048, intermediateSize: 5632, blockCount: 22, headCount: 32,
        keyValueHeadCount: 4, contextLength: 2048)
    case .sevenBillion:
      LlamaConfiguration(
        vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, blockCount: 32, headCount: 32,
        contextLength: 2048)
    }
  }

  /// Sequences and tokens per sequence of a training step; `nil` where training is not measured.
  public var trainingBatch: (sequences: Int, length: Int)? {
    switch self {
    case .large: (8, 256)
    case .eightMillion: (8, 128)
    case .hundredMillion: (4, 128)
    case .billion, .sevenBillion: nil
    }
  }

  /// Random values for every tensor: norms 1, matrices uniform in ±0.05.
  func randomStore(seed: UInt64 = 1) -> ParameterStore {
    var random = SeededGenerator(seed: seed)
    let store = ParameterStore(configuration.declarations())
    for (index, parameter) in store.parameters.enumerated() {
      let values = store.value(index)
      for place in 0..<values.count {
        values[place] = parameter.shape.count == 1 ? 1 : Float(random.unit() - 0.5) * 0.1
      }
    }
    return store
  }
}

/// Measures how fast a model of a given shape reads and writes.
public enum InferenceBenchmark {
  /// Tokens per second of reading a prompt and of writing after it.
  public struct Speeds: Sendable {
    public var prefill: Double
    public var decode: Double
  }

  /// Medians of several rounds of `prompt` tokens read and `reply` tokens written greedily, F32 weights.
  public static func speeds(
    _ shape: BenchmarkShape, prompt: Int = 256, reply: Int = 64, pool: ComputePool, seconds: Double = 3
  ) throws -> Speeds {
    let model = LlamaModel(configuration: shape.configuration, store: shape.randomStore())
    return try speeds(model.network(), prompt: prompt, reply: reply, pool: pool, seconds: seconds)
  }

  /// The same of a given network. Where its context is shorter than prompt and reply, so are they.
  public static func speeds(
    _ network: Network, prompt: Int = 256, reply: Int = 64, pool: ComputePool, seconds: Double = 3
  ) throws -> Speeds {
    let prompt = max(1, min(prompt, network.contextLength / 2))
    let reply = max(1, min(reply, network.contextLength - prompt - 1))
    let session = InferenceSession(network: network, contextLength: prompt + reply + 1, pool: pool)
    var random = SeededGenerator(seed: 2)
    let tokens = (0..<prompt).map { _ in random.index(below: min(network.vocabularySize, network.embedding.rows)) }
    let options = GenerationOptions(maxTokens: reply)
    var prefill: [Double] = []
    var decode: [Double] = []
    let start = ContinuousClock.now
    while prefill.count < 4 || ContinuousClock.now - start < .seconds(seconds) {
      session.truncate(to: 0)
      let result = try session.generate(prompt: tokens, options: options) { _ in .goOn }
      prefill.append(result.prefillSpeed)
      decode.append(result.decodeSpeed)
    }
    func median(_ values: [Double]) -> Double { values.dropFirst().sorted()[(values.count - 1) / 2] }
    return Speeds(prefill: median(prefill), decode: median(decode))
  }
}

extension LlamaModel {
  /// A model over the F32 values of a store with Hugging Face names; later changes of the store are seen.
  init(configuration: LlamaConfiguration, store: ParameterStore) {
    func matrix(_ name: String) -> WeightMatrix { WeightMatrix(store.tensor(name)!.values) }
    func vector(_ name: String) -> VectorView { store.tensor(name)!.values.dense }
    let embedding = matrix(LlamaConfiguration.embeddingName)
    let blocks = (0..<configuration.blockCount).map { index in
      func name(_ part: String) -> String { LlamaConfiguration.blockTensorName(index, part) }
      func projection(_ part: String, bias: Bool) -> Projection {
        Projection(weight: matrix(name(part + ".weight")), bias: bias ? vector(name(part + ".bias")) : nil)
      }
      return Block(
        configuration: configuration, attentionNorm: vector(name("input_layernorm.weight")),
        query: projection("self_attn.q_proj", bias: configuration.attentionBias),
        key: projection("self_attn.k_proj", bias: configuration.attentionBias),
        value: projection("self_attn.v_proj", bias: configuration.attentionBias),
        output: projection("self_attn.o_proj", bias: configuration.attentionBias),
        mlpNorm: vector(name("post_attention_layernorm.weight")),
        gate: projection("mlp.gate_proj", bias: configuration.mlpBias),
        up: projection("mlp.up_proj", bias: configuration.mlpBias),
        down: projection("mlp.down_proj", bias: configuration.mlpBias))
    }
    self.init(
      configuration: configuration, embedding: embedding, blocks: blocks,
      finalNorm: vector(LlamaConfiguration.finalNormName),
      head: Projection(weight: configuration.tiedEmbeddings ? embedding : matrix(LlamaConfiguration.headName)))
  }
}

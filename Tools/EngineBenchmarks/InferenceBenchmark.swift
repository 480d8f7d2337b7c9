import LLaMAStitch
import Support

/// Measures how fast a network reads and writes.
public enum InferenceBenchmark {
  /// Tokens per second of reading a prompt and of writing after it.
  public struct Speeds: Sendable {
    public var prefill: Double
    public var decode: Double
  }

  /// Medians of several rounds of `prompt` tokens read and `reply` tokens written greedily. Where the network's context
  /// is shorter than prompt and reply, so are they.
  public static func speeds(
    _ network: Network, prompt: Int = 256, reply: Int = 64, pool: ComputePool, seconds: Double = 3
  ) throws -> Speeds {
    let round = try Round(network, prompts: [prompt], reply: reply, pool: pool)
    var results: [Round.Result] = []
    let start = ContinuousClock.now
    while results.count < 4 || ContinuousClock.now - start < .seconds(seconds) { results.append(try round.run()) }
    let counted = results.dropFirst()
    return Speeds(prefill: median(counted.map { $0.prefill[0] }), decode: median(counted.map(\.decode)))
  }

  /// The time of a token that `network` writes, by that of one that `other` writes: they take turns, token by token, so that
  /// the machine's drift meets both. The median of `reply` such pairs after a prompt of `prompt` tokens.
  public static func timeRatio(
    of network: Network, by other: Network, prompt: Int, reply: Int, pool: ComputePool
  ) throws -> Double {
    var random = SeededGenerator(seed: 2)
    let prompt = max(1, min(prompt, network.contextLength / 2))
    let reply = max(1, min(reply, network.contextLength - prompt))
    let text = (0..<prompt).map { _ in random.index(below: network.vocabularySize) }
    let sessions = [network, other].map { InferenceSession(network: $0, contextLength: prompt + reply, pool: pool) }
    for session in sessions { try session.evaluate(text, logits: .none) }
    let ratios = try (0..<reply).map { _ in
      let token = random.index(below: network.vocabularySize)
      let times = try sessions.map { session in
        let start = ContinuousClock.now
        _ = try session.evaluate(token)
        return (ContinuousClock.now - start) / .seconds(1)
      }
      return times[0] / times[1]
    }
    return median(ratios)
  }

  /// Tokens per second of several texts that are written at once, greedily, each after a prompt of its own: from the median
  /// time of `reply` steps. Where the network's context is shorter than that, so are prompts and replies.
  public static func batchDecodeSpeed(
    _ network: Network, texts: Int, prompt: Int = 64, reply: Int = 64, pool: ComputePool
  ) throws -> Double {
    let prompt = max(1, min(prompt, network.contextLength / 2))
    let chunkSize = 256
    // Those that begin first have written so much when the last one begins.
    let lead = texts * prompt / (chunkSize - texts) + 2
    let reply = max(1, min(reply, network.contextLength - prompt - lead))
    let session = BatchSession(
      network: network, capacity: texts, contextLength: min(network.contextLength, prompt + lead + reply),
      chunkSize: chunkSize, pool: pool)
    var generator = BatchGenerator(session)
    var random = SeededGenerator(seed: 2)
    for _ in 0..<texts {
      let tokens = (0..<prompt).map { _ in random.index(below: min(network.vocabularySize, network.embedding.rows)) }
      try generator.add(.init(prompt: tokens, options: GenerationOptions(maxTokens: lead + reply)))
    }
    var begun: Set<Int> = []
    while begun.count < texts {
      for case .token(_, let text, _) in try generator.step() { begun.insert(text) }
    }
    var times: [Double] = []
    while times.count < reply && generator.count == texts {
      let start = ContinuousClock.now
      _ = try generator.step()
      times.append((ContinuousClock.now - start) / .seconds(1))
    }
    return times.isEmpty ? 0 : Double(texts) / median(times)
  }

  /// Prompts of several lengths read, and a reply written after the first.
  public struct Round {
    public struct Result {
      /// Tokens per second, by prompt.
      public var prefill: [Double]
      public var decode: Double
      /// Beside the reply, if asked for.
      public var memory: MemoryUse?
    }

    /// What of the memory's speed writing uses.
    public struct MemoryUse: Sendable {
      /// Bytes per second that a plain buffer is read with.
      public var limit: Double
      /// Bytes per second of weights, keys and values, by that.
      public var share: Double
    }

    /// Lengths, after they were fitted into the context.
    public let prompts: [Int]
    public let reply: Int
    /// Bytes of weights that a token of the reply reads, and of keys and values on average.
    public let weightBytes: Int
    public let cacheBytes: Int
    private let session: InferenceSession
    private let tokens: [Int]

    /// - Throws: `InferenceError`, from a warm-up.
    public init(_ network: Network, prompts: [Int], reply: Int, pool: ComputePool) throws {
      self.prompts = prompts.map { max(1, min($0, network.contextLength / 2)) }
      let first = self.prompts[0]
      let longest = self.prompts.max()!
      self.reply = max(1, min(reply, network.contextLength - first - 1))
      weightBytes = network.weightBytesPerToken
      cacheBytes = network.cacheBytes(positions: first + self.reply / 2)
      session = InferenceSession(network: network, contextLength: max(longest, first + self.reply) + 1, pool: pool)
      var random = SeededGenerator(seed: 2)
      tokens = (0..<longest).map { _ in random.index(below: min(network.vocabularySize, network.embedding.rows)) }
      _ = try generate(min(16, first), self.reply)
    }

    /// - Parameter memory: to measure, after the first prompt, `MemoryUse` as well.
    public func run(beside memory: MemoryBandwidth? = nil) throws -> Result {
      var result = Result(prefill: [], decode: 0)
      for (index, prompt) in prompts.enumerated() {
        let made = try generate(prompt, index == 0 ? reply + 1 : 1)
        result.prefill.append(made.prefillSpeed)
        if index == 0 {
          result.decode = made.decodeSpeed
          result.memory = try memory.map(use)
        }
      }
      return result
    }

    /// Tokens and passes over the buffer take turns, as the memory's speed changes within a second; medians of both.
    private func use(of memory: MemoryBandwidth) throws -> MemoryUse {
      session.truncate(to: prompts[0])
      var (limits, shares) = ([Double](), [Double]())
      for index in 0..<reply {
        let start = ContinuousClock.now
        _ = try session.evaluate(tokens[index % tokens.count])
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        limits.append(memory.bytesPerSecond(passes: 1))
        shares.append(Double(weightBytes + cacheBytes) / seconds / limits[index])
      }
      return MemoryUse(limit: median(limits), share: median(shares))
    }

    private func generate(_ prompt: Int, _ reply: Int) throws -> GenerationResult {
      session.truncate(to: 0)
      return try session.generate(prompt: Array(tokens[..<prompt]), options: GenerationOptions(maxTokens: reply)) { _ in
        .goOn
      }
    }
  }
}

import ChatEngine
import EngineBenchmarks
import LLaMAStitch
import Support

/// How fast a stitch makes one reply as the chat makes it: sampled, turned into text, handed over piece by piece. Where
/// networks are small, all that takes longer than the network alone.
struct ReplySpeed {
  /// Fewer tokens say little.
  private static let fewest = 8

  private let family: Family
  private let threads: Int
  private let maker: ReplyMaker
  private let adapter: AdapterInUse.Current

  init(_ text: TextFamily, adapter: Adapter?, threads: Int) {
    family = text.family
    self.threads = threads
    maker = ReplyMaker(text, threads: threads)
    self.adapter = AdapterInUse.Current(adapter: adapter)
  }

  /// In turns: of the text before, which would be computed already, nothing is of use.
  private static let questions = ["Tell me a story.", "Please tell me a story."]

  /// Tokens per second of a stitch: the median of several replies; of the network alone where its replies are too short
  /// to tell.
  /// - Parameter seconds: to spend on it, at least.
  /// - Throws: what making a reply throws.
  func tokensPerSecond(of stitch: Stitch, seconds: Double) throws -> Double {
    var options = ReplyOptions()
    options.maxTokens = 64
    var speeds: [Double] = []
    let start = ContinuousClock.now
    // The first one has the prompt to compute.
    while speeds.count < 4 || ContinuousClock.now - start < .seconds(seconds) {
      let stamp = try reply(stitch.id, to: Self.questions[speeds.count % Self.questions.count], options)
      if stamp.tokens < Self.fewest {
        let network = family.network(stitch.route, adapter: adapter.adapter)
        let pool = ComputePool(threads: threads)
        return try InferenceBenchmark.speeds(network, prompt: 32, pool: pool, seconds: seconds).decode
      }
      speeds.append(stamp.tokensPerSecond)
    }
    return median(speeds.dropFirst())
  }

  private func reply(_ stitch: String, to question: String, _ options: ReplyOptions) throws -> ReplyStamp {
    let (stream, continuation) = AsyncStream<ReplyEvent>.makeStream()
    defer { continuation.finish() }
    Task.detached { for await _ in stream {} }
    return try maker.make(
      [ChatMessage(role: .user, content: question)], stitch: stitch, options: options, adapter: adapter,
      cancellation: CancellationFlag()
    ) { continuation.yield($0) }
  }
}

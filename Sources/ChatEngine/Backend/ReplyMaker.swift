import LLaMAStitch
import Synchronization
import Tokenizer

/// Says to a running reply that it is to end.
final class StopFlag: Sendable {
  private let flag = Atomic(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}

/// Makes replies, and keeps the caches of the stitches used last.
///
/// `@unchecked Sendable`: made on the inference thread and used by the jobs of that thread alone.
final class ReplyMaker: @unchecked Sendable {
  private struct Cached {
    var stitch: String
    var session: InferenceSession
    var bytes: Int
  }

  private let text: TextFamily
  private let pool: ComputePool
  private let fitter: PromptFitter
  /// The one used last is last.
  private var cached: [Cached] = []
  private var generation = 0

  /// How many stitches keep their cache, and what all caches together may take.
  private static let mostSessions = 4
  private static let mostBytes = 2 << 30
  /// Tokens of a prompt that are computed at once: a stopped reply waits for one such chunk.
  private static let chunkSize = 128

  private let reusesCache: Bool

  init(_ text: TextFamily, threads: Int, reusesCache: Bool = true) {
    self.text = text
    self.reusesCache = reusesCache
    pool = ComputePool(threads: threads, name: "stitch-reply")
    fitter = PromptFitter(tokenizer: text.tokenizer, template: text.template, contextLength: text.contextLength)
  }

  /// Makes one reply.
  /// - Parameter emit: receives `started`, `trimmed` and the text.
  /// - Throws: `FamilyError.unknownStitch`, `EngineError.promptTooLong`,
  ///   `EngineError.conversationTooLong`, `SamplingError`, `InferenceError`,
  ///   `TokenizerError`.
  func make(
    _ messages: [ChatMessage], stitch id: String, options: ReplyOptions, adapter: AdapterInUse.Current,
    stop: StopFlag, emit: (ReplyEvent) -> Void
  ) throws -> ReplyStamp {
    let stitch = try text.family.stitch(id)
    let sampling = options.sampling
    try sampling.validate()
    let prompt = try fitter.fit(messages, maxTokens: options.maxTokens)
    if options.overflow == .refuse && prompt.dropped > 0 {
      throw EngineError.conversationTooLong(messagesToDrop: prompt.dropped)
    }
    emit(.started(stitch: stitch.id, adapterStep: adapter.adapter?.step, adapterHash: adapter.hash))
    if prompt.dropped > 0 { emit(.trimmed(droppedMessages: prompt.dropped)) }

    var decoder =
      prompt.continues
      ? try StreamingDecoder(text.tokenizer, after: prompt.tokens) : StreamingDecoder(text.tokenizer)
    var failure: TokenizerError?
    let session = session(stitch, adapter)
    let result = try session.generate(
      prompt: prompt.tokens,
      options: GenerationOptions(maxTokens: options.maxTokens, stopTokens: text.stopTokens, sampling: sampling)
    ) { event in
      if case .token(let token) = event {
        do throws(TokenizerError) {
          let more = try decoder.next(token)
          if !more.isEmpty { emit(.text(more)) }
        } catch {
          failure = error
          return .stop
        }
      }
      return stop.isSet ? .stop : .goOn
    }
    if let failure { throw failure }
    let rest = decoder.finish()
    if !rest.isEmpty { emit(.text(rest)) }
    var stamp = ReplyStamp(
      stitch: stitch.id, adapterStep: adapter.adapter?.step, tokens: result.tokens.count,
      tokensPerSecond: result.decodeSpeed, finish: Self.finish(result.finishReason),
      // The last token may have had no place any more.
      contextTokens: min(text.contextLength, result.promptTokens + result.tokens.count),
      droppedMessages: prompt.dropped)
    stamp.readTokens = result.promptTokens - result.reusedTokens
    stamp.readSeconds = result.prefillDuration / .seconds(1)
    let tokens = session.tokens
    for other in cached { stamp.cachedTokens[other.stitch] = other.session.commonPrefix(with: tokens) }
    return stamp
  }

  private static func finish(_ reason: FinishReason) -> ReplyStamp.Finish {
    switch reason {
    case .stop: .stop
    case .length, .context: .length
    case .cancelled: .cancelled
    }
  }

  /// The session of a stitch, its cache as the last reply left it. A new adapter makes all caches void.
  private func session(_ stitch: Stitch, _ adapter: AdapterInUse.Current) -> InferenceSession {
    if adapter.generation != generation || !reusesCache {
      cached = []
      generation = adapter.generation
    }
    if let index = cached.firstIndex(where: { $0.stitch == stitch.id }) {
      cached.append(cached.remove(at: index))
      return cached[cached.count - 1].session
    }
    let network = text.family.network(stitch.route, adapter: adapter.adapter)
    let bytes = network.cacheBytes(positions: text.contextLength)
    while cached.count >= Self.mostSessions
      || (!cached.isEmpty && cached.reduce(bytes) { $0 + $1.bytes } > Self.mostBytes)
    {
      cached.removeFirst()
    }
    let session = InferenceSession(
      network: network, contextLength: text.contextLength, chunkSize: Self.chunkSize, pool: pool)
    cached.append(Cached(stitch: stitch.id, session: session, bytes: bytes))
    return session
  }
}

extension Network {
  /// What keys and values of so many positions take.
  fileprivate func cacheBytes(positions: Int) -> Int {
    stages.reduce(0) { total, stage in
      guard case .block(let block) = stage else { return total }
      return total + 2 * positions * block.configuration.keyValueWidth * MemoryLayout<Float>.size
    }
  }
}

extension ReplyOptions {
  /// The same as the sampler knows it.
  public var sampling: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK ?? 0, topP: topP ?? 1, minP: minP ?? 0,
      repetitionPenalty: repetitionPenalty, seed: seed)
  }
}

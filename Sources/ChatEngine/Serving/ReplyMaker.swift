import LLaMAStitch
import Synchronization
import Tokenizer

/// Says to a running reply that it is to end.
package final class StopFlag: Sendable {
  private let flag = Atomic(false)

  package init() {}

  package var isSet: Bool { flag.load(ordering: .relaxed) }
  package func set() { flag.store(true, ordering: .relaxed) }
}

/// Makes replies, and reads ahead: what a move of the slider would have to compute before the next one.
///
/// `@unchecked Sendable`: made on the inference thread and used by the jobs of that thread alone.
package final class ReplyMaker: @unchecked Sendable {
  private let text: TextFamily
  private let scratch: InferenceScratch
  private let fitter: PromptFitter
  private let reusesCache: Bool
  private var shelf: SessionShelf?
  private var generation: Int?
  /// The conversation as it was after the last reply, and the stop that made it.
  private var last: (tokens: [Int], stitch: String)?
  /// Tokens that a stop reads ahead at once, as many as take about `pause`: so long a reply that comes meanwhile has to
  /// wait.
  private var strides: [String: Int] = [:]
  private static let pause = 0.05
  /// Tokens of a prompt that are computed at once: a stopped reply waits for one such chunk.
  private static let chunkSize = 128

  package init(_ text: TextFamily, threads: Int, cacheType: CacheType = .f32, reusesCache: Bool = true) {
    self.text = text
    self.reusesCache = reusesCache
    scratch = InferenceScratch(
      chunkSize: Self.chunkSize, cacheType: cacheType, pool: ComputePool(threads: threads, name: "stitch-reply"))
    fitter = PromptFitter(tokenizer: text.tokenizer, template: text.template, contextLength: text.contextLength)
  }

  /// Makes one reply.
  /// - Parameter emit: receives `started`, `trimmed` and the text.
  /// - Throws: `FamilyError.unknownStitch`, `EngineError.promptTooLong`,
  ///   `EngineError.conversationTooLong`, `SamplingError`, `InferenceError`,
  ///   `TokenizerError`.
  package func make(
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
    let shelf = shelf(adapter)
    let session = shelf.session(stitch)
    let drafter = shelf.drafter(for: stitch)
    let known = session.known(after: prompt.tokens)
    let result = try session.generate(
      prompt: prompt.tokens,
      options: GenerationOptions(maxTokens: options.maxTokens, stopTokens: text.stopTokens, sampling: sampling),
      drafter: drafter
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
    stamp.repeatedTokens = zip(known, result.tokens).prefix { $0 == $1 }.count
    let tokens = session.tokens
    last = (tokens, stitch.id)
    stamp.cachedTokens = shelf.cachedTokens(of: tokens)
    return stamp
  }

  /// Reads a piece of the last conversation with the stop that made the last reply, which has to do so after a change of
  /// the adapter, with its neighbours, and with the drafter.
  /// - Returns: what the stops have read now; `nil` if there was nothing left to read.
  package func readAhead(_ adapter: AdapterInUse.Current) throws -> CacheStatus? {
    guard reusesCache, let last else { return nil }
    let stops = text.family.stops
    var wanted = try [text.family.stitch(last.stitch)]
    let index = stops.firstIndex { $0.id == last.stitch }
    if let index { wanted += [index - 1, index + 1].filter(stops.indices.contains).map { stops[$0] } }
    wanted.append(text.family.cheapestAnchor)
    let shelf = shelf(adapter)
    for stitch in wanted {
      // What does not fit beside the last one is not read ahead.
      let isLast = stitch.id == last.stitch
      guard let session = isLast ? shelf.session(stitch) : shelf.sessionIfItFits(stitch) else { continue }
      let done = session.reuse(last.tokens)
      if done >= last.tokens.count - 1 { continue }
      let end = min(last.tokens.count - 1, done + strides[stitch.id, default: 8])
      let start = ContinuousClock.now
      try session.evaluate(Array(last.tokens[done..<end]), logits: .none)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      strides[stitch.id] = max(1, min(Self.chunkSize, Int(Double(end - done) * Self.pause / max(seconds, 1e-6))))
      return CacheStatus(tokens: shelf.cachedTokens(of: last.tokens), isReading: isLast)
    }
    return nil
  }

  private static func finish(_ reason: FinishReason) -> ReplyStamp.Finish {
    switch reason {
    case .stop: .stop
    case .length, .context: .length
    case .cancelled: .cancelled
    }
  }

  /// The sessions of this adapter. Another one makes all caches void.
  private func shelf(_ adapter: AdapterInUse.Current) -> SessionShelf {
    if let shelf, adapter.generation == generation && reusesCache { return shelf }
    let new = SessionShelf(text.family, adapter: adapter.adapter, scratch: scratch)
    shelf = new
    generation = adapter.generation
    return new
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

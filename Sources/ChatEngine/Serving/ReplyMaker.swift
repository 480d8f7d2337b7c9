import LLaMAStitch
import Synchronization
import Tokenizer

/// Says to a reply that it is to end.
package final class CancellationFlag: Sendable {
  private let flag = Atomic(false)

  package init() {}

  package var isCancelled: Bool { flag.load(ordering: .acquiring) }
  package func cancel() { flag.store(true, ordering: .releasing) }
}

/// Makes replies, and prefetches: computes what a move of the slider would have to compute before the next one.
///
/// `@unchecked Sendable`: made on the inference thread and used by the jobs of that thread alone.
package final class ReplyMaker: @unchecked Sendable {
  private let text: TextFamily
  private let backend: ProcessorBackend
  private let fitter: PromptFitter
  private let forms: ReplyForms
  private let reusesCache: Bool
  private var sessions: SessionCache?
  private var generation: Int?
  /// The conversation as it was after the last reply, and the stop that made it.
  private var last: (tokens: [Int], stitch: String)?
  /// Tokens that are prefetched at once for a stop, as many as take about `pause`: so long a reply that comes meanwhile
  /// has to wait.
  private var strides: [String: Int] = [:]
  private static let pause = 0.05
  /// Tokens of a prompt that are computed together: a cancelled reply waits for one such chunk.
  private static let chunkSize = 128

  package init(_ text: TextFamily, threads: Int, cacheType: CacheType = .f32, reusesCache: Bool = true) {
    self.text = text
    self.reusesCache = reusesCache
    backend = ProcessorBackend(
      chunkSize: Self.chunkSize, cacheType: cacheType, pool: ComputePool(threads: threads, name: "stitch-reply"))
    forms = ReplyForms(text.tokenizer)
    fitter = PromptFitter(tokenizer: text.tokenizer, template: text.template, contextLength: text.contextLength)
  }

  /// Makes one reply.
  /// - Parameter emit: receives `started`, `trimmed` and the text.
  /// - Throws: `FamilyError.unknownStitch`, `EngineError.promptTooLong`,
  ///   `EngineError.conversationTooLong`, `EngineError.formOfContinuation`, `FormError`, `SamplingError`,
  ///   `InferenceError`, `TokenizerError`.
  package func make(
    _ messages: [ChatMessage], stitch id: String, options: ReplyOptions, adapter: AdapterInUse.Current,
    cancellation: CancellationFlag, emit: (ReplyEvent) -> Void
  ) throws -> ReplyStamp {
    let stitch = try text.family.stitch(id)
    let sampling = options.sampling
    try sampling.validate()
    let prompt = try fitter.fit(messages, maxTokens: options.maxTokens)
    if options.overflow == .refuse && prompt.dropped > 0 {
      throw EngineError.conversationTooLong(messagesToDrop: prompt.dropped)
    }
    // What was said so far is not of the form.
    if options.form != nil && prompt.continues { throw EngineError.formOfContinuation }
    let form = try options.form.map { try forms.form($0) }
    emit(
      .started(
        stitch: stitch.id, adapterStep: adapter.adapter?.step, adapterHash: adapter.hash,
        adapterOrigin: adapter.adapter?.origin))
    if prompt.dropped > 0 { emit(.trimmed(droppedMessages: prompt.dropped)) }

    var decoder =
      prompt.continues
      ? try StreamingDecoder(text.tokenizer, after: prompt.tokens) : StreamingDecoder(text.tokenizer)
    var failure: TokenizerError?
    var stopStrings = StopStringFilter(options.stopStrings)
    let sessions = sessions(for: adapter)
    let session = sessions.session(stitch)
    let drafter = sessions.drafter(for: stitch)
    let known = session.known(after: prompt.tokens)
    var prefilled = 0
    let result = try session.generate(
      prompt: prompt.tokens,
      options: GenerationOptions(
        maxTokens: options.maxTokens, stopTokens: text.stopTokens, sampling: sampling,
        vocabularySize: text.tokenizer.vocabularySize, form: form),
      drafter: drafter
    ) { event in
      switch event {
      case .prompt(let done, _): prefilled = done
      case .token(let token):
        do throws(TokenizerError) {
          let more = stopStrings.next(try decoder.next(token))
          if !more.isEmpty { emit(.text(more)) }
        } catch {
          failure = error
          return .cancel
        }
      }
      return stopStrings.hasEnded || cancellation.isCancelled ? .cancel : .goOn
    }
    if let failure { throw failure }
    let rest = stopStrings.next(decoder.finish()) + stopStrings.finish()
    if !rest.isEmpty { emit(.text(rest)) }
    var stamp = ReplyStamp(
      stitch: stitch.id, adapterStep: adapter.adapter?.step, tokens: result.tokens.count,
      tokensPerSecond: result.decodeSpeed,
      finishReason: stopStrings.hasEnded ? .stopString : Self.finishReason(result.finishReason),
      // The last token may have had no place any more.
      contextTokens: min(text.contextLength, result.promptTokens + result.tokens.count),
      droppedMessages: prompt.dropped)
    stamp.promptTokens = result.promptTokens
    stamp.cachedPromptTokens = result.reusedTokens
    // Of the last chunk there is no event: it is told by the first token.
    let isCutShort = result.finishReason == .cancelled && result.tokens.isEmpty
    stamp.prefillTokens = (isCutShort ? prefilled : result.promptTokens) - result.reusedTokens
    stamp.prefillSeconds = result.prefillDuration / .seconds(1)
    stamp.draftedTokens = result.draftedTokens
    stamp.acceptedTokens = result.acceptedTokens
    stamp.repeatedTokens = zip(known, result.tokens).prefix { $0 == $1 }.count
    let tokens = session.tokens
    last = (tokens, stitch.id)
    stamp.cachedTokens = sessions.cachedTokens(of: tokens)
    return stamp
  }

  /// Computes a piece of the last conversation with the stop that made the last reply, which has to do so after a change
  /// of the adapter, with its neighbours, and with the drafter.
  /// - Returns: what the stops have cached now; `nil` if there was nothing left to compute.
  package func prefetch(_ adapter: AdapterInUse.Current) throws -> CacheStatus? {
    guard reusesCache, let last else { return nil }
    let stops = text.family.stops
    var wanted = try [text.family.stitch(last.stitch)]
    let index = stops.firstIndex { $0.id == last.stitch }
    if let index { wanted += [index - 1, index + 1].filter(stops.indices.contains).map { stops[$0] } }
    wanted.append(text.family.cheapestAnchor)
    let sessions = sessions(for: adapter)
    for stitch in wanted {
      // What does not fit beside the last one is not prefetched.
      let isLast = stitch.id == last.stitch
      guard let session = isLast ? sessions.session(stitch) : sessions.sessionIfItFits(stitch) else { continue }
      let done = session.reuse(last.tokens)
      if done >= last.tokens.count - 1 { continue }
      let end = min(last.tokens.count - 1, done + strides[stitch.id, default: 8])
      let start = ContinuousClock.now
      try session.evaluate(Array(last.tokens[done..<end]), logits: .none)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      strides[stitch.id] = max(1, min(Self.chunkSize, Int(Double(end - done) * Self.pause / max(seconds, 1e-6))))
      return CacheStatus(tokens: sessions.cachedTokens(of: last.tokens), isPrefilling: isLast)
    }
    return nil
  }

  private static func finishReason(_ reason: FinishReason) -> ReplyStamp.FinishReason {
    switch reason {
    case .stopToken: .stopToken
    case .length: .length
    case .context: .context
    case .cancelled: .cancelled
    }
  }

  /// The sessions of this adapter. Another one makes all caches void.
  private func sessions(for adapter: AdapterInUse.Current) -> SessionCache {
    if let sessions, adapter.generation == generation && reusesCache { return sessions }
    let new = SessionCache(text, adapter: adapter.adapter, backend: backend)
    sessions = new
    generation = adapter.generation
    return new
  }
}

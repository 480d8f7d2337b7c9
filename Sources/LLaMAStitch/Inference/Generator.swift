import Synchronization

/// What to generate.
public struct GenerationOptions: Sendable, Equatable {
  public var maxTokens: Int
  /// Tokens that end the text; they are not part of it.
  public var stopTokens: Set<Int>
  public var sampling: SamplingOptions
  /// Tokens that there are; a head may have more rows, which are never chosen. `nil`: as many as the head has.
  public var vocabularySize: Int?
  /// What the text is to look like.
  public var form: (any TokenForm)?

  public init(
    maxTokens: Int = 256, stopTokens: Set<Int> = [], sampling: SamplingOptions = SamplingOptions(),
    vocabularySize: Int? = nil, form: (any TokenForm)? = nil
  ) {
    self.maxTokens = maxTokens
    self.stopTokens = stopTokens
    self.sampling = sampling
    self.vocabularySize = vocabularySize
    self.form = form
  }

  public static func == (left: GenerationOptions, right: GenerationOptions) -> Bool {
    left.maxTokens == right.maxTokens && left.stopTokens == right.stopTokens && left.sampling == right.sampling
      && left.vocabularySize == right.vocabularySize && left.form === right.form
  }
}

/// What happens while generating.
public enum GenerationEvent: Sendable, Equatable {
  /// So many of the prompt's tokens are computed.
  case prompt(done: Int, total: Int)
  case token(Int)
}

/// What a listener answers.
public enum GenerationControl: Sendable {
  case goOn
  /// End the text here.
  case cancel
}

/// Why a text ended.
public enum FinishReason: String, Sendable, Codable {
  /// A stop token, or nothing can follow in the form that was asked for.
  case stopToken = "stop"
  /// `maxTokens` are reached.
  case length
  /// The context is full.
  case context
  /// The listener cancelled it.
  case cancelled
}

/// A generated text and what it took.
public struct GenerationResult: Sendable {
  public var tokens: [Int] = []
  public var finishReason: FinishReason = .length
  /// Tokens of the prompt, and how many of them were cached already.
  public var promptTokens = 0
  public var reusedTokens = 0
  public var prefillDuration: Duration = .zero
  public var decodeDuration: Duration = .zero
  /// Tokens that a drafter drafted, and how many of them were accepted.
  public var draftedTokens = 0
  public var acceptedTokens = 0

  /// Prompt tokens computed per second.
  public var prefillSpeed: Double { Self.speed(promptTokens - reusedTokens, prefillDuration) }
  /// Tokens generated per second; the first one comes with the prompt and is not counted.
  public var decodeSpeed: Double { Self.speed(tokens.count - 1, decodeDuration) }

  private static func speed(_ count: Int, _ duration: Duration) -> Double {
    let seconds = duration / .seconds(1)
    return count > 0 && seconds > 0 ? Double(count) / seconds : 0
  }
}

extension Sampler {
  /// Of a text that begins with `prompt`.
  /// - Throws: `SamplingError`.
  init(_ options: GenerationOptions, network: Network, prompt: [Int]) throws(SamplingError) {
    try options.sampling.validate()
    self.init(
      options.sampling, vocabularySize: min(network.vocabularySize, options.vocabularySize ?? .max),
      constraint: options.form?.begin(stopTokens: options.stopTokens))
    if options.sampling.repetitionPenalty != 1 { prompt.forEach { observe($0) } }
  }
}

extension InferenceSession {
  /// Continues `prompt`.
  ///
  /// What the session has cached of the prompt's beginning is used again. Afterwards the session holds the prompt and
  /// the generated tokens, except perhaps the last one.
  /// - Parameters:
  ///   - drafter: a cheaper network with as long a context, to draft tokens where that is quicker and where it has
  ///     prefilled the text, or nearly; it makes no difference to the text.
  ///   - listener: told of every token, and of the prompt's progress between chunks; it can cancel both.
  /// - Throws: `InferenceError`, `SamplingError`.
  public func generate(
    prompt: [Int], options: GenerationOptions, drafter: InferenceSession? = nil,
    listener: (GenerationEvent) -> GenerationControl
  ) throws -> GenerationResult {
    var sampler = try Sampler(options, network: network, prompt: prompt)
    return try generate(prompt: prompt, options: options, sampler: &sampler, drafter: drafter, listener: listener)
  }

  /// As above, with a sampler that is already under way.
  public func generate(
    prompt: [Int], options: GenerationOptions, sampler: inout Sampler, drafter: InferenceSession? = nil,
    listener: (GenerationEvent) -> GenerationControl
  ) throws -> GenerationResult {
    if prompt.isEmpty { throw InferenceError.noTokens }
    guard prompt.count <= contextLength else {
      throw InferenceError.contextOverflow(needed: prompt.count, contextLength: contextLength)
    }
    let clock = ContinuousClock()
    var result = GenerationResult()
    result.tokens.reserveCapacity(min(options.maxTokens, contextLength))
    result.promptTokens = prompt.count
    result.reusedTokens = reuse(prompt)

    let start = clock.now
    if listener(.prompt(done: result.reusedTokens, total: prompt.count)) == .cancel {
      result.finishReason = .cancelled
      return result
    }
    var done = result.reusedTokens
    var logits: VectorView?
    while done < prompt.count {
      let end = min(prompt.count, done + chunkSize)
      let rows = try prefill(Array(prompt[done..<end]), logits: end == prompt.count ? .last : .none)
      done = end
      if done == prompt.count {
        logits = rows.row(0)
      } else if listener(.prompt(done: done, total: prompt.count)) == .cancel {
        result.prefillDuration = clock.now - start
        result.finishReason = .cancelled
        return result
      }
    }
    result.prefillDuration = clock.now - start

    let decodeStart = clock.now
    result.finishReason = try decode(&result, after: prompt, from: logits!, options, &sampler, drafter, listener)
    result.decodeDuration = clock.now - decodeStart
    return result
  }

  private func decode(
    _ result: inout GenerationResult, after prompt: [Int], from first: VectorView, _ options: GenerationOptions,
    _ sampler: inout Sampler, _ drafter: InferenceSession?, _ listener: (GenerationEvent) -> GenerationControl
  ) throws -> FinishReason {
    var logits = first
    var speculation = drafter.map { SpeculativeDecoding(drafter: $0, stopTokens: options.stopTokens) }
    var text = drafter == nil ? [] : prompt
    defer { speculation?.rollBack(self) }
    // When the round under way began, if it is one to learn from, and the tokens it has made.
    var start: ContinuousClock.Instant?
    var made = 0
    while result.tokens.count < options.maxTokens {
      guard let token = sampler.sample(logits) else { throw sampler.failure }
      if options.stopTokens.contains(token) { return .stopToken }
      result.tokens.append(token)
      if listener(.token(token)) == .cancel { return .cancelled }
      if sampler.isComplete { return .stopToken }
      if result.tokens.count == 1 { evict() }
      if result.tokens.count == options.maxTokens { break }
      guard speculation != nil else {
        if position == contextLength { return .context }
        logits = try evaluate(token)
        continue
      }
      text.append(token)
      made += 1
      if let next = speculation!.accept(token) {
        result.acceptedTokens += 1
        logits = next
        continue
      }
      speculation!.rollBack(self)
      if position == contextLength { return .context }
      if let start {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        drafting.withLock { $0.record(tokens: made, seconds: seconds) }
      }
      // One more token is sampled from what the last drafted one leaves.
      let room = min(
        options.maxTokens - result.tokens.count - 1, contextLength - position - 1, SpeculativeDecoding.mostTokens)
      let isToDraft = drafting.withLock(\.drafts)
      // Prefilling what the drafter has missed is no measure of how it drafts.
      if try isToDraft && !speculation!.catchUp(text) {
        speculation = nil
        logits = try evaluate(token)
        continue
      }
      let drafts = isToDraft && room > 0
      start = drafts == isToDraft ? ContinuousClock.now : nil
      made = 0
      if drafts {
        logits = try speculation!.draft(
          after: text, atMost: room, leastProbability: leastProbability, session: self)
        result.draftedTokens += speculation!.count
      } else {
        logits = try evaluate(token)
      }
    }
    return .length
  }
}

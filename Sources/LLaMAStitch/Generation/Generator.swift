/// What to generate.
public struct GenerationOptions: Sendable, Equatable {
  public var maxTokens: Int
  /// Tokens that end the text; they are not part of it.
  public var stopTokens: Set<Int>
  public var sampling: SamplingOptions

  public init(maxTokens: Int = 256, stopTokens: Set<Int> = [], sampling: SamplingOptions = SamplingOptions()) {
    self.maxTokens = maxTokens
    self.stopTokens = stopTokens
    self.sampling = sampling
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
  case stop
}

/// Why a text ended.
public enum FinishReason: String, Sendable, Codable {
  /// A stop token.
  case stop
  /// `maxTokens` are reached.
  case length
  /// The context is full.
  case context
  /// The listener said stop.
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

  /// Prompt tokens computed per second.
  public var prefillSpeed: Double { Self.speed(promptTokens - reusedTokens, prefillDuration) }
  /// Tokens generated per second; the first one comes with the prompt and is not counted.
  public var decodeSpeed: Double { Self.speed(tokens.count - 1, decodeDuration) }

  private static func speed(_ count: Int, _ duration: Duration) -> Double {
    let seconds = duration / .seconds(1)
    return count > 0 && seconds > 0 ? Double(count) / seconds : 0
  }
}

extension InferenceSession {
  /// Continues `prompt`.
  ///
  /// What the session has cached of the prompt's beginning is used again. Afterwards the session holds the prompt and
  /// the generated tokens, except perhaps the last one.
  /// - Parameter listener: told of every token, and of the prompt's progress between chunks; it can stop both.
  /// - Throws: `InferenceError`, `SamplingError`.
  public func generate(
    prompt: [Int], options: GenerationOptions, listener: (GenerationEvent) -> GenerationControl
  ) throws -> GenerationResult {
    try options.sampling.validate()
    var sampler = Sampler(options.sampling, vocabularySize: network.vocabularySize)
    if options.sampling.repetitionPenalty != 1 { prompt.forEach { sampler.observe($0) } }
    return try generate(prompt: prompt, options: options, sampler: &sampler, listener: listener)
  }

  /// As above, with a sampler that is already under way.
  public func generate(
    prompt: [Int], options: GenerationOptions, sampler: inout Sampler,
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
    if listener(.prompt(done: result.reusedTokens, total: prompt.count)) == .stop {
      result.finishReason = .cancelled
      return result
    }
    var done = result.reusedTokens
    var logits: VectorView?
    while done < prompt.count {
      let end = min(prompt.count, done + chunkSize)
      let rows = try evaluate(Array(prompt[done..<end]), logits: end == prompt.count ? .last : .none)
      done = end
      if done == prompt.count {
        logits = rows.row(0)
      } else if listener(.prompt(done: done, total: prompt.count)) == .stop {
        result.prefillDuration = clock.now - start
        result.finishReason = .cancelled
        return result
      }
    }
    result.prefillDuration = clock.now - start

    let decodeStart = clock.now
    result.finishReason = try decode(&result.tokens, from: logits!, options, &sampler, listener)
    result.decodeDuration = clock.now - decodeStart
    return result
  }

  private func decode(
    _ tokens: inout [Int], from first: VectorView, _ options: GenerationOptions, _ sampler: inout Sampler,
    _ listener: (GenerationEvent) -> GenerationControl
  ) throws -> FinishReason {
    var logits = first
    while tokens.count < options.maxTokens {
      guard let token = sampler.sample(logits) else { throw InferenceError.notANumber }
      if options.stopTokens.contains(token) { return .stop }
      tokens.append(token)
      if listener(.token(token)) == .stop { return .cancelled }
      if tokens.count == options.maxTokens { break }
      if position == contextLength { return .context }
      logits = try evaluate(token)
    }
    return .length
  }
}

import Synchronization

/// Generates several texts at once, each with its own prompt, options, sampler and end; new ones take the places of those
/// that have ended. A text is the same, token for token, as `InferenceSession.generate` makes it alone.
///
/// Prompts are computed beside the texts under way, as many tokens of them as a step has room for.
public struct BatchGenerator {
  /// A text that is wanted.
  public struct Request: Sendable {
    public var prompt: [Int]
    public var options: GenerationOptions

    public init(prompt: [Int], options: GenerationOptions) {
      self.prompt = prompt
      self.options = options
    }
  }

  /// What a step came to.
  public enum Event: Sendable {
    /// A text's next token.
    case token(Int, text: Int)
    /// A text has ended, and its place is free.
    case finished(GenerationResult, text: Int)
  }

  private let session: BatchSession
  /// By place in the session; the numbers of texts are apart from places.
  private var running: [RunningText?]
  private var added = 0

  /// - Parameter session: all its texts are this generator's.
  public init(_ session: BatchSession) {
    self.session = session
    running = Array(repeating: nil, count: session.capacity)
  }

  /// Texts under way.
  public var count: Int { running.count { $0 != nil } }
  /// Whether another text can be added.
  public var hasRoom: Bool { running.contains { $0 == nil } }

  /// Adds a text; there must be room.
  /// - Returns: its number: they count up from 0.
  /// - Throws: `InferenceError` for an impossible prompt, `SamplingError`.
  @discardableResult
  public mutating func add(_ request: Request) throws -> Int {
    if request.prompt.isEmpty { throw InferenceError.noTokens }
    guard request.prompt.count <= session.contextLength else {
      throw InferenceError.contextOverflow(needed: request.prompt.count, contextLength: session.contextLength)
    }
    let size = session.network.embedding.rows
    for token in request.prompt where token < 0 || token >= size {
      throw InferenceError.tokenOutOfRange(token: token, vocabularySize: size)
    }
    let sampler = try Sampler(request.options, network: session.network, prompt: request.prompt)
    guard let place = running.firstIndex(where: { $0 == nil }) else {
      preconditionFailure("there is no room for another text")
    }
    session.clear(place)
    running[place] = RunningText(number: added, request, sampler)
    added += 1
    return added - 1
  }

  /// Ends a text, if it is under way, as if its listener had cancelled it.
  public mutating func cancel(_ text: Int) -> GenerationResult? {
    guard let place = running.firstIndex(where: { $0?.number == text }) else { return nil }
    return finish(place, .cancelled)
  }

  /// Computes the next token of every text under way, and what it has room for of new prompts.
  /// - Throws: `InferenceError.notANumber`: of a damaged network.
  public mutating func step() throws -> [Event] {
    var places: [Int] = []
    var continuations: [BatchSession.Continuation] = []
    func add(_ place: Int, _ tokens: ArraySlice<Int>, wantsLogits: Bool) {
      places.append(place)
      continuations.append(.init(text: place, tokens: tokens, wantsLogits: wantsLogits))
    }
    for (place, text) in running.enumerated() {
      if let text, text.missing.isEmpty, let last = text.result.tokens.last { add(place, [last], wantsLogits: true) }
    }
    var room = session.chunkSize - places.count
    let newcomers = running.indices.filter { running[$0]?.missing.isEmpty == false }
    for place in newcomers.sorted(by: { running[$0]!.number < running[$1]!.number }) where room > 0 {
      let piece = running[place]!.missing.prefix(room)
      running[place]!.missing.removeFirst(piece.count)
      room -= piece.count
      add(place, piece, wantsLogits: running[place]!.missing.isEmpty)
    }
    if places.isEmpty { return [] }
    let logits = try session.evaluate(continuations)
    let ready = zip(places, continuations).filter(\.1.wantsLogits).map(\.0)
    // A vocabulary takes long to look through: one text's is a piece of work.
    let samplers = ready.map { running[$0]!.sampler }
    session.pool.run(parts: ready.count) { samplers[$0].choose(from: logits.row($0)) }
    var events: [Event] = []
    for place in ready { events += try advance(place) }
    return events
  }

  /// Continues all prompts, as many at a time as the session has places.
  /// - Returns: what came of them, in the same order.
  /// - Throws: `InferenceError`, `SamplingError`.
  public static func generate(_ requests: [Request], session: BatchSession) throws -> [GenerationResult] {
    var generator = BatchGenerator(session)
    var results = [GenerationResult](repeating: GenerationResult(), count: requests.count)
    var waiting = requests[...]
    while !waiting.isEmpty || generator.count > 0 {
      while generator.hasRoom, let next = waiting.popFirst() { try generator.add(next) }
      for case .finished(let result, let text) in try generator.step() { results[text] = result }
    }
    return results
  }

  /// Takes the token that was chosen for a text.
  private mutating func advance(_ place: Int) throws -> [Event] {
    let options = running[place]!.options
    let number = running[place]!.number
    if running[place]!.decodeStart == nil { running[place]!.decodeStart = ContinuousClock.now }
    func finished(_ reason: FinishReason, _ generator: inout BatchGenerator) -> Event {
      .finished(generator.finish(place, reason), text: number)
    }
    if options.maxTokens <= 0 { return [finished(.length, &self)] }
    guard let token = running[place]!.sampler.chosen else { throw InferenceError.notANumber }
    if options.stopTokens.contains(token) { return [finished(.stopToken, &self)] }
    running[place]!.result.tokens.append(token)
    let event = Event.token(token, text: number)
    if running[place]!.result.tokens.count >= options.maxTokens { return [event, finished(.length, &self)] }
    if session.position(of: place) == session.contextLength { return [event, finished(.context, &self)] }
    return [event]
  }

  private mutating func finish(_ place: Int, _ reason: FinishReason) -> GenerationResult {
    let text = running[place]!
    running[place] = nil
    session.clear(place)
    var result = text.result
    let now = ContinuousClock.now
    result.finishReason = reason
    result.prefillDuration = (text.decodeStart ?? now) - text.start
    result.decodeDuration = now - (text.decodeStart ?? now)
    return result
  }
}

/// A text under way.
private struct RunningText {
  let number: Int
  let options: GenerationOptions
  let sampler: TextSampler
  /// Tokens of the prompt that are yet to be computed.
  var missing: ArraySlice<Int>
  var result = GenerationResult()
  let start = ContinuousClock.now
  var decodeStart: ContinuousClock.Instant?

  init(number: Int, _ request: BatchGenerator.Request, _ sampler: Sampler) {
    self.number = number
    options = request.options
    self.sampler = TextSampler(sampler)
    missing = request.prompt[...]
    result.promptTokens = request.prompt.count
  }
}

/// A text's sampler, for a thread of the pool at a time.
private final class TextSampler: Sendable {
  private let state: Mutex<(sampler: Sampler, chosen: Int?)>

  init(_ sampler: Sampler) { state = Mutex((sampler, nil)) }

  /// The token that was chosen last; `nil` where no logit was a number.
  var chosen: Int? { state.withLock(\.chosen) }

  func choose(from logits: VectorView) { state.withLock { $0.chosen = $0.sampler.sample(logits) } }
}

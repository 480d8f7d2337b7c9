import Synchronization

/// Generates several texts at once, each with its own prompt, options, sampler and end; new ones take the places of those
/// that have ended. A text is the same, token for token, as `InferenceSession.generate` makes it alone.
///
/// Prompts are computed beside the texts under way, as many tokens of them as a step has room for: of each half of what
/// those before it leave, so that a short one does not wait for a long one. What the session has cached of a prompt's
/// beginning, of a text that has ended or one under way, is used again.
public struct BatchGenerator {
  /// A text that is wanted.
  public struct Request: Sendable {
    /// Which of the session's networks continues it.
    public var network: Int
    public var prompt: [Int]
    public var options: GenerationOptions
    /// How many of the likeliest tokens to tell of at each place; `nil`: none, and not how likely the chosen one was.
    public var alternatives: Int?

    public init(prompt: [Int], options: GenerationOptions, alternatives: Int? = nil, network: Int = 0) {
      self.network = network
      self.prompt = prompt
      self.options = options
      self.alternatives = alternatives
    }
  }

  /// What a step came to.
  public enum Event: Sendable {
    /// A text's next token, and how likely it was where the request asks for that.
    case token(Int, text: Int, TokenLikelihoods?)
    /// A text has ended, and its place is free.
    case finished(GenerationResult, text: Int)
    /// A text cannot go on: its network is damaged, or no token goes on in its form. Its place is free.
    case failed(InferenceError, text: Int)
  }

  private let session: BatchSession
  /// By place in the session; the numbers of texts are apart from places.
  private var running: [RunningText?]
  /// The place whose text ended longest ago is first.
  private var order: [Int]
  private var added = 0

  /// - Parameter session: all its texts are this generator's.
  public init(_ session: BatchSession) {
    self.session = session
    running = Array(repeating: nil, count: session.capacity)
    order = Array(0..<session.capacity)
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
    let network = session.networks[request.network]
    let size = network.embedding.rows
    for token in request.prompt where token < 0 || token >= size {
      throw InferenceError.tokenOutOfRange(token: token, vocabularySize: size)
    }
    let sampler = try Sampler(request.options, network: network, prompt: request.prompt)
    let place = place(for: request)
    let kept = session.begin(place, with: request.prompt, network: request.network)
    running[place] = RunningText(number: added, request, sampler, kept: kept)
    added += 1
    return added - 1
  }

  /// A free place: the one whose text begins most like the prompt, or else the one whose text ended longest ago.
  private func place(for request: Request) -> Int {
    var best: (place: Int, common: Int)?
    for place in order where running[place] == nil {
      let common = session.commonPrefix(of: place, with: request.prompt, network: request.network)
      // What is shared by chance is not worth more than an older place.
      if best == nil || common > best!.common + Self.littleShared { best = (place, common) }
    }
    guard let best else { preconditionFailure("there is no room for another text") }
    return best.place
  }

  /// Tokens that texts begin alike with though they have nothing to do with each other: a template's.
  private static let littleShared = 16

  /// Ends a text, if it is under way, as if its listener had cancelled it.
  public mutating func cancel(_ text: Int) -> GenerationResult? {
    guard let place = running.firstIndex(where: { $0?.number == text }) else { return nil }
    return finish(place, .cancelled)
  }

  /// Computes the next token of every text under way, and what it has room for of new prompts.
  /// - Throws: `InferenceError`, where the session was used beside this.
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
    for (place, count) in shares(of: session.chunkSize - places.count) {
      let piece = running[place]!.missing.prefix(count)
      running[place]!.missing.removeFirst(piece.count)
      add(place, piece, wantsLogits: running[place]!.missing.isEmpty)
    }
    if places.isEmpty { return [] }
    let logits = try session.evaluate(continuations)
    let ready = zip(places, continuations).filter(\.1.wantsLogits).map(\.0)
    // A vocabulary takes long to look through: one text's is a piece of work.
    let samplers = ready.map { running[$0]!.sampler }
    session.pool.run(parts: ready.count) { samplers[$0].choose(from: logits.row($0)) }
    var events: [Event] = []
    for place in ready { events += advance(place) }
    return events
  }

  /// How many tokens of which prompts a step computes, of `room` in all: those that came first get most.
  private func shares(of room: Int) -> [(place: Int, count: Int)] {
    let newcomers = running.indices.filter { running[$0]?.missing.isEmpty == false }
      .sorted { running[$0]!.number < running[$1]!.number }
    var room = room
    var shares: [(place: Int, count: Int)] = []
    for place in newcomers where room > 0 {
      let count = min(running[place]!.missing.count, max(Self.smallestShare, (room + 1) / 2), room)
      shares.append((place, count))
      room -= count
    }
    for index in shares.indices where room > 0 {
      let more = min(running[shares[index].place]!.missing.count - shares[index].count, room)
      shares[index].count += more
      room -= more
    }
    return shares
  }

  /// Fewer tokens of a prompt are not worth a step's while.
  private static let smallestShare = 16

  /// Continues all prompts, as many at a time as the session has places.
  /// - Returns: what came of them, in the same order.
  /// - Throws: `InferenceError`, `SamplingError`.
  public static func generate(_ requests: [Request], session: BatchSession) throws -> [GenerationResult] {
    var generator = BatchGenerator(session)
    var results = [GenerationResult](repeating: GenerationResult(), count: requests.count)
    var waiting = requests[...]
    while !waiting.isEmpty || generator.count > 0 {
      while generator.hasRoom, let next = waiting.popFirst() { try generator.add(next) }
      for event in try generator.step() {
        switch event {
        case .token: break
        case .finished(let result, let text): results[text] = result
        case .failed(let error, _): throw error
        }
      }
    }
    return results
  }

  /// Takes the token that was chosen for a text.
  private mutating func advance(_ place: Int) -> [Event] {
    let options = running[place]!.options
    let number = running[place]!.number
    if running[place]!.decodeStart == nil { running[place]!.decodeStart = ContinuousClock.now }
    func finished(_ reason: FinishReason, _ generator: inout BatchGenerator) -> Event {
      .finished(generator.finish(place, reason), text: number)
    }
    if options.maxTokens <= 0 { return [finished(.length, &self)] }
    guard let token = running[place]!.sampler.chosen else {
      // What one text is asked to look like, or one network is, is no matter of the others.
      let error = running[place]!.sampler.failure
      _ = finish(place, .cancelled)
      return [.failed(error, text: number)]
    }
    if options.stopTokens.contains(token) { return [finished(.stopToken, &self)] }
    running[place]!.result.tokens.append(token)
    let event = Event.token(token, text: number, running[place]!.sampler.likelihoods)
    if running[place]!.sampler.isComplete { return [event, finished(.stopToken, &self)] }
    if running[place]!.result.tokens.count >= options.maxTokens { return [event, finished(.length, &self)] }
    if session.position(of: place) == session.contextLength { return [event, finished(.context, &self)] }
    return [event]
  }

  private mutating func finish(_ place: Int, _ reason: FinishReason) -> GenerationResult {
    let text = running[place]!
    running[place] = nil
    order.removeAll { $0 == place }
    order.append(place)
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

  /// - Parameter kept: tokens of the prompt that are computed already.
  init(number: Int, _ request: BatchGenerator.Request, _ sampler: Sampler, kept: Int) {
    self.number = number
    options = request.options
    self.sampler = TextSampler(sampler, alternatives: request.alternatives)
    missing = request.prompt[kept...]
    result.promptTokens = request.prompt.count
    result.reusedTokens = kept
  }
}

/// A text's sampler, for a thread of the pool at a time.
private final class TextSampler: Sendable {
  private struct State {
    var sampler: Sampler
    var chosen: Int?
    var likelihoods: TokenLikelihoods?
  }

  private let state: Mutex<State>
  private let alternatives: Int?

  init(_ sampler: Sampler, alternatives: Int?) {
    state = Mutex(State(sampler: sampler))
    self.alternatives = alternatives
  }

  /// Why there was no next token.
  var failure: InferenceError { state.withLock(\.sampler.failure) }
  /// The token that was chosen last; `nil` where no logit was a number, or none fits the form.
  var chosen: Int? { state.withLock(\.chosen) }
  /// Whether nothing can follow in the form that the text keeps.
  var isComplete: Bool { state.withLock(\.sampler.isComplete) }
  /// How likely it was, where that is asked for.
  var likelihoods: TokenLikelihoods? { state.withLock(\.likelihoods) }

  func choose(from logits: VectorView) {
    state.withLock { state in
      // What a form does not let come is likely all the same.
      let own = alternatives != nil && state.sampler.keepsForm ? FloatBuffer(logits.array).vector : logits
      state.chosen = state.sampler.sample(logits)
      guard let alternatives, let chosen = state.chosen else { return }
      state.likelihoods = TokenLikelihoods(
        of: chosen, alternatives: alternatives, logits: own, count: state.sampler.vocabularySize)
    }
  }
}

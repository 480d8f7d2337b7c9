import LLaMAStitch

/// The texts that are under way, of whatever stops: a token of each is computed in a step.
///
/// Used on the scheduler's thread.
final class RunningTexts {
  typealias Place = (order: Int, text: Int)

  enum Event {
    case token(Int, TokenLikelihoods?, Place)
    case finished(GenerationResult, Place)
    case failed(InferenceError, Place)
  }

  private let session: BatchSession
  private var generator: BatchGenerator
  /// At once, at most.
  private let most: Int
  /// The session's networks, by the ids of their stitches.
  private var networks: [String: Int]
  /// By the generator's number.
  private var running: [Int: (place: Place, flops: Int)] = [:]

  /// - Parameter first: the stitch of the session's network.
  init(_ session: BatchSession, first: Stitch, most: Int) {
    self.session = session
    self.most = most
    networks = [first.id: 0]
    generator = BatchGenerator(session)
  }

  var count: Int { running.count }
  var places: [Place] { running.values.map(\.place) }
  var hasRoom: Bool { running.count < most }
  /// Of a token of every text.
  var flops: Double { running.values.reduce(0) { $0 + Double($1.flops) } }

  /// - Parameter network: of the text's stitch, where that is the first one of it.
  /// - Throws: `InferenceError`, `SamplingError`.
  func add(_ request: TextRequest, as place: Place, network: (Stitch) -> Network) throws {
    let known = networks[request.stitch.id] ?? session.add(network(request.stitch))
    networks[request.stitch.id] = known
    let number = try generator.add(
      .init(prompt: request.prompt, options: request.options, alternatives: request.alternatives, network: known))
    running[number] = (place, request.stitch.flopsPerToken)
  }

  /// Ends texts, and says what came of them.
  func cancel(where isMeant: (Place) -> Bool) -> [(Place, GenerationResult)] {
    running.filter { isMeant($0.value.place) }.compactMap { number, text in
      running[number] = nil
      return generator.cancel(number).map { (text.place, $0) }
    }
  }

  /// - Throws: `InferenceError`; no text can go on then.
  func step() throws -> [Event] {
    try generator.step().compactMap { event in
      switch event {
      case .token(let token, let text, let likelihoods):
        running[text].map { .token(token, likelihoods, $0.place) }
      case .finished(let result, let text): running.removeValue(forKey: text).map { .finished(result, $0.place) }
      case .failed(let error, let text): running.removeValue(forKey: text).map { .failed(error, $0.place) }
      }
    }
  }
}

import LLaMAStitch

/// The texts of one stop that are under way.
///
/// Used on the scheduler's thread.
final class Lane {
  typealias Place = (order: Int, text: Int)

  enum Event {
    case token(Int, TokenLikelihoods?, Place)
    case finished(GenerationResult, Place)
  }

  let stitch: Stitch
  /// Of its KV caches, if they are filled.
  let bytes: Int
  /// Takes no more texts, so that another stop gets its memory.
  var isClosing = false
  private var generator: BatchGenerator
  /// By the generator's number.
  private var running: [Int: Place] = [:]

  init(stitch: Stitch, session: BatchSession, bytes: Int) {
    self.stitch = stitch
    self.bytes = bytes
    generator = BatchGenerator(session)
  }

  var count: Int { running.count }
  var hasRoom: Bool { generator.hasRoom }
  var places: [Place] { Array(running.values) }

  /// - Throws: `InferenceError`, `SamplingError`.
  func add(_ request: TextRequest, as place: Place) throws {
    let number = try generator.add(
      .init(prompt: request.prompt, options: request.options, alternatives: request.alternatives))
    running[number] = place
  }

  /// Ends texts, and says what came of them.
  func cancel(where isMeant: (Place) -> Bool) -> [(Place, GenerationResult)] {
    running.filter { isMeant($0.value) }.compactMap { number, place in
      running[number] = nil
      return generator.cancel(number).map { (place, $0) }
    }
  }

  /// - Throws: `InferenceError.notANumber`: of a damaged network.
  func step() throws -> [Event] {
    var events: [Event] = []
    for event in try generator.step() {
      switch event {
      case .token(let token, let text, let likelihoods):
        if let place = running[text] { events.append(.token(token, likelihoods, place)) }
      case .finished(let result, let text):
        if let place = running.removeValue(forKey: text) { events.append(.finished(result, place)) }
      }
    }
    return events
  }
}

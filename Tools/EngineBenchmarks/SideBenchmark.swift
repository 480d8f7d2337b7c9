import LLaMAStitch
import Support

/// How much of the time in which a network writes a token the side network takes that runs beside it.
public enum SideBenchmark {
  public struct Row: Sendable, Encodable {
    /// As `stitch adapt --method` has it.
    public var method: String
    public var stitch: String
    /// By that without a side network.
    public var timeRatio: Double
    /// Of the time with it.
    public var share: Double

    private enum CodingKeys: String, CodingKey {
      case method, stitch, share
      case timeRatio = "time_ratio"
    }
  }

  /// Every stop of a family, with a side network of each kind; how it is trained makes no difference to the time. Networks
  /// take turns, token by token, and at every position the quickest of the rounds counts: what else the machine does makes
  /// some of them take longer.
  /// - Throws: `TrainingError.plan` where the family is too narrow for one, `InferenceError`.
  public static func rows(
    _ family: Family, prompt: Int, reply: Int, rounds: Int, pool: ComputePool, note: (String) -> Void
  ) throws -> [Row] {
    let adapters = try SideKind.allCases.map { try Adapter.untrained(SideOptions(kind: $0), for: family) }
    var rows: [Row] = []
    for stop in family.stops {
      let networks = ([nil] + adapters).map { family.network(stop.route, adapter: $0) }
      let length = min(networks[0].contextLength, prompt + reply)
      let tokens = max(1, min(reply, length - 1))
      var random = SeededGenerator(seed: 2)
      let text = (0..<length).map { _ in random.index(below: networks[0].vocabularySize) }
      let sessions = networks.map { InferenceSession(network: $0, contextLength: length, pool: pool) }
      var times = [[Double]](repeating: [Double](repeating: .infinity, count: tokens), count: sessions.count)
      for _ in 0..<rounds {
        for session in sessions {
          session.truncate(to: 0)
          try session.evaluate(Array(text[..<(length - tokens)]), logits: .none)
        }
        for (place, token) in text[(length - tokens)...].enumerated() {
          for (index, session) in sessions.enumerated() {
            let start = ContinuousClock.now
            _ = try session.evaluate(token)
            times[index][place] = min(times[index][place], (ContinuousClock.now - start) / .seconds(1))
          }
        }
      }
      let quick = times.map { $0.reduce(0, +) / Double(tokens) }
      for (kind, seconds) in zip(SideKind.allCases, quick.dropFirst()) {
        rows.append(
          Row(
            method: kind.rawValue, stitch: stop.id, timeRatio: seconds / quick[0], share: 1 - quick[0] / seconds))
      }
      note("\(stop.id): \(1000 * quick[0]) ms a token without a side network")
    }
    return rows
  }
}

import LLaMAStitch
import Support

/// Measures a move of the slider: the time until the first token of a reply, against reading the whole text anew.
public enum SliderBenchmark {
  /// A move from one stop to the one beside it, in the middle of a conversation. Times are medians, in seconds.
  public struct Move: Sendable, Encodable {
    public var from: String
    public var to: String
    /// Tokens of the conversation.
    public var tokens: Int
    /// The part of the computation that the stops do not share.
    public var tail_share: Double
    /// Until the first token: with nothing known of the text, after the move, and after the move with the text prefetched.
    public var full_seconds: Double
    public var moved_seconds: Double
    public var warmed_seconds: Double
    /// One more token.
    public var step_seconds: Double
    /// Medians of ratios within a round: time after the move by the tail's share of the full time; time with the text
    /// prefetched by that of one more token.
    public var moved_by_share: Double
    public var warmed_steps: Double
  }

  /// All moves between neighbours of the slider that share blocks.
  /// - Parameters:
  ///   - tokens: of the conversation, as many as fit.
  ///   - note: told of every move before it is measured.
  public static func moves(
    _ family: MeasuredFamily, tokens: Int, rounds: Int, pool: ComputePool, note: (String) -> Void
  ) throws -> [Move] {
    let members = family.members
    var moves: [Move] = []
    for index in members.indices.dropLast() {
      for (from, to) in [(members[index], members[index + 1]), (members[index + 1], members[index])]
      where from.route.start == to.route.start {
        note("\(from.id) → \(to.id)")
        if let move = try measure(family, from, to, tokens: tokens, rounds: rounds, pool: pool) { moves.append(move) }
      }
    }
    return moves
  }

  private static let steps = 8

  private static func measure(
    _ family: MeasuredFamily, _ from: MeasuredFamily.Member, _ to: MeasuredFamily.Member, tokens: Int, rounds: Int,
    pool: ComputePool
  ) throws -> Move? {
    let context = min(family.contextLength, tokens + steps + 1)
    let count = context - steps - 1
    guard count > 1, let prefix = family.prefix(of: from.route.start, contextLength: context) else { return nil }
    let alone = InferenceSession(network: to.network, contextLength: context, pool: pool)
    let before = InferenceSession(network: from.network, pool: pool, prefix: prefix)
    let after = InferenceSession(network: to.network, pool: pool, prefix: prefix)
    let share = tailShare(of: to, shared: min(from.sharedStages, to.sharedStages), tokens: count)
    let vocabulary = min(to.network.vocabularySize, to.network.embedding.rows)
    var times: [(full: Double, moved: Double, warmed: Double, step: Double)] = []
    for round in 0...rounds {
      var random = SeededGenerator(seed: UInt64(round))
      let text = (0..<count).map { _ in random.index(below: vocabulary) }
      alone.truncate(to: 0)
      let full = try firstToken(alone, text)
      before.truncate(to: 0)
      _ = try firstToken(before, text)
      after.truncate(to: 0)
      let moved = try firstToken(after, text)
      let step = try seconds { for _ in 0..<steps { _ = try after.evaluate(text[0]) } } / Double(steps)
      let warmed = try firstToken(after, text)
      // The first round fills caches and wakes threads.
      if round > 0 { times.append((full, moved, warmed, step)) }
    }
    func median(_ value: ((full: Double, moved: Double, warmed: Double, step: Double)) -> Double) -> Double {
      Support.median(times.map(value))
    }
    return Move(
      from: from.id, to: to.id, tokens: count, tail_share: share, full_seconds: median { $0.full },
      moved_seconds: median { $0.moved }, warmed_seconds: median { $0.warmed }, step_seconds: median { $0.step },
      moved_by_share: median { $0.moved / (share * $0.full) }, warmed_steps: median { $0.warmed / $0.step })
  }

  /// Until the listener is told of it.
  private static func firstToken(_ session: InferenceSession, _ text: [Int]) throws -> Double {
    let start = ContinuousClock.now
    var seconds = 0.0
    _ = try session.generate(prompt: text, options: GenerationOptions(maxTokens: 1)) { event in
      if case .token = event { seconds = (ContinuousClock.now - start) / .seconds(1) }
      return .goOn
    }
    return seconds
  }

  private static func seconds(_ work: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try work()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// The share of the floating-point operations of reading a text that are left where the first `shared` stages are done.
  /// Where all are, the last token is computed once more, for its logits.
  static func tailShare(of member: MeasuredFamily.Member, shared: Int, tokens: Int) -> Double {
    let stages = member.network.stages
    let work = stages.map { stage in
      guard case .block(let block) = stage else { return Double(stage.flopsPerToken) }
      // A token meets half of the others: scores and sums of values, 2 operations each.
      return Double(stage.flopsPerToken) + 2 * Double(block.configuration.queryWidth * tokens)
    }
    let head = Double(member.network.head.flopsPerToken)
    let whole = Double(tokens) * work.reduce(0, +) + head
    let tail = shared == stages.count ? work.reduce(0, +) : Double(tokens) * work[shared...].reduce(0, +)
    return (tail + head) / whole
  }
}

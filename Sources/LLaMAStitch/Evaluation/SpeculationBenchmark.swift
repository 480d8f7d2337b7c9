/// Measures how much quicker stitches write when the cheapest anchor guesses for them.
public enum SpeculationBenchmark {
  public struct Row: Sendable, Encodable {
    public var stitch: String
    /// Tokens a second, alone and with guesses, and the ratio within a round: medians over the rounds.
    public var plain_tokens_per_second: Double
    public var guessing_tokens_per_second: Double
    public var ratio: Double
    public var guessed: Int
    public var accepted: Int
    /// Whether every text was the same both ways.
    public var same: Bool
  }

  /// Every member that costs at least twice as much as the cheapest anchor writes a reply to each prompt, greedily.
  /// - Parameter stopTokens: end a reply.
  public static func rows(
    _ family: MeasuredFamily, prompts: [[Int]], reply: Int, stopTokens: Set<Int>, rounds: Int, pool: ComputePool,
    note: (String) -> Void
  ) throws -> [Row] {
    let scratch = InferenceScratch(chunkSize: 128, pool: pool)
    let prefixes = family.anchors.indices.map { family.prefix(of: $0, contextLength: family.contextLength) }
    guard let cheapest = family.members.first(where: { $0.isAnchor }) else { return [] }
    func session(_ member: MeasuredFamily.Member, _ prefix: PrefixCache?) -> InferenceSession {
      InferenceSession(network: member.network, contextLength: family.contextLength, prefix: prefix, scratch: scratch)
    }
    let drafter = session(cheapest, prefixes[cheapest.route.start])
    let options = GenerationOptions(maxTokens: reply, stopTokens: stopTokens)
    return try family.members.filter { $0.network.flopsPerToken >= 2 * cheapest.network.flopsPerToken }.map { member in
      note(member.id)
      let alone = session(member, nil)
      let helped = session(member, prefixes[member.route.start])
      var row = Row(
        stitch: member.id, plain_tokens_per_second: 0, guessing_tokens_per_second: 0, ratio: 0, guessed: 0, accepted: 0, same: true)
      var (plain, guessing, ratios): ([Double], [Double], [Double]) = ([], [], [])
      // The first round finds out whether guesses pay.
      for round in 0...rounds {
        var (plainTokens, plainTime, guessingTime) = (0, Duration.zero, Duration.zero)
        for prompt in prompts {
          let one = try alone.generate(prompt: prompt, options: options) { _ in .goOn }
          // What the drafter has not read it would not guess at; a chat reads ahead.
          drafter.reuse(prompt)
          if drafter.position < prompt.count { try drafter.evaluate(Array(prompt[drafter.position...]), logits: .none) }
          let other = try helped.generate(prompt: prompt, options: options, drafter: drafter) { _ in .goOn }
          row.same = row.same && one.tokens == other.tokens
          plainTokens += max(0, one.tokens.count - 1)
          plainTime += one.decodeDuration
          guessingTime += other.decodeDuration
          row.guessed += other.guessedTokens
          row.accepted += other.acceptedTokens
        }
        if round == 0 || plainTokens == 0 { continue }
        plain.append(Double(plainTokens) / (plainTime / .seconds(1)))
        guessing.append(Double(plainTokens) / (guessingTime / .seconds(1)))
        ratios.append(plainTime / guessingTime)
      }
      func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
      (row.plain_tokens_per_second, row.guessing_tokens_per_second, row.ratio) = (median(plain), median(guessing), median(ratios))
      return row
    }
  }
}

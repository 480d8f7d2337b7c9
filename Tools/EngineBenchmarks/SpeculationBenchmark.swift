import Foundation
import LLaMAStitch
import Support

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

  /// What guesses are worth where a given share of them is right.
  public struct Assumed: Sendable, Encodable {
    public var stitch: String
    /// With which probability a guess counted as right, where those before it were.
    public var right: Double
    /// As in `Row`.
    public var plain_tokens_per_second: Double
    public var guessing_tokens_per_second: Double
    public var ratio: Double
  }

  /// A drafter and those it can guess for: members that cost at least twice as much.
  private struct Pairing {
    let family: MeasuredFamily
    let drafter: InferenceSession
    let members: [MeasuredFamily.Member]
    private let scratch: InferenceScratch
    private let prefixes: [PrefixCache?]

    init?(_ family: MeasuredFamily, pool: ComputePool) {
      guard let cheapest = family.members.first(where: { $0.isAnchor }) else { return nil }
      self.family = family
      scratch = InferenceScratch(chunkSize: 128, pool: pool)
      prefixes = family.anchors.indices.map { family.prefix(of: $0, contextLength: family.contextLength) }
      drafter = InferenceSession(
        network: cheapest.network, contextLength: family.contextLength, prefix: prefixes[cheapest.route.start],
        scratch: scratch)
      members = family.members.filter { $0.network.flopsPerToken >= 2 * cheapest.network.flopsPerToken }
    }

    /// - Parameter sharing: whether it finds the blocks computed that it shares with others.
    func session(_ member: MeasuredFamily.Member, sharing: Bool) -> InferenceSession {
      InferenceSession(
        network: member.network, contextLength: family.contextLength,
        prefix: sharing ? prefixes[member.route.start] : nil,
        scratch: scratch)
    }

    /// What the drafter has not read it would not guess at; a chat reads ahead.
    func drafterReads(_ prompt: [Int]) throws {
      drafter.reuse(prompt)
      if drafter.position < prompt.count { try drafter.evaluate(Array(prompt[drafter.position...]), logits: .none) }
    }
  }

  private static func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : InferenceBenchmark.median(values) }

  /// Every member that costs at least twice as much as the cheapest anchor writes a reply to each prompt, greedily.
  /// - Parameter stopTokens: end a reply.
  public static func rows(
    _ family: MeasuredFamily, prompts: [[Int]], reply: Int, stopTokens: Set<Int>, rounds: Int, pool: ComputePool,
    note: (String) -> Void
  ) throws -> [Row] {
    guard let pairing = Pairing(family, pool: pool) else { return [] }
    let options = GenerationOptions(maxTokens: reply, stopTokens: stopTokens)
    return try pairing.members.map { member in
      note(member.id)
      let alone = pairing.session(member, sharing: false)
      let helped = pairing.session(member, sharing: true)
      var row = Row(
        stitch: member.id, plain_tokens_per_second: 0, guessing_tokens_per_second: 0, ratio: 0, guessed: 0, accepted: 0,
        same: true)
      var (plain, guessing, ratios): ([Double], [Double], [Double]) = ([], [], [])
      // The first round finds out whether guesses pay.
      for round in 0...rounds {
        var (plainTokens, plainTime, guessingTime) = (0, Duration.zero, Duration.zero)
        for prompt in prompts {
          let one = try alone.generate(prompt: prompt, options: options) { _ in .goOn }
          try pairing.drafterReads(prompt)
          let other = try helped.generate(prompt: prompt, options: options, drafter: pairing.drafter) { _ in .goOn }
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
      (row.plain_tokens_per_second, row.guessing_tokens_per_second, row.ratio) = (
        median(plain), median(guessing), median(ratios)
      )
      return row
    }
  }

  /// The same of random networks, whose guesses are never right: here chance says of each whether it is. All that guessing
  /// takes is done, always with as many guesses as there may be, for a random drafter is never sure. Of what was drawn the
  /// time of a round of guesses counts alone, and of the tokens of a round what is expected: few draws say little.
  /// - Parameters:
  ///   - right: probabilities.
  ///   - prompt: tokens of the text to go on after, as many as fit.
  ///   - reply: tokens written, likewise.
  public static func assumed(
    _ family: MeasuredFamily, right: [Double], prompt: Int, reply: Int, rounds: Int, pool: ComputePool,
    note: (String) -> Void
  ) throws -> [Assumed] {
    guard let pairing = Pairing(family, pool: pool) else { return [] }
    let vocabulary = pairing.drafter.network.vocabularySize
    var random = SeededGenerator(seed: 1)
    let prompt = max(1, min(prompt, family.contextLength / 2))
    let reply = max(1, min(reply, family.contextLength - prompt - 2 * (Speculation.most + 1)))
    let text = (0..<prompt).map { _ in random.index(below: vocabulary) }
    return try pairing.members.flatMap { member in
      note(member.id)
      let session = pairing.session(member, sharing: true)
      // Without a prefix that knows the text the drafter wrote.
      let alone = pairing.session(member, sharing: false)
      var plain: [Double] = []
      var guessing = [[Double]](repeating: [], count: right.count)
      for _ in 0..<rounds {
        plain.append(
          try alone.generate(prompt: text, options: GenerationOptions(maxTokens: reply + 1)) { _ in .goOn }.decodeSpeed)
        for (place, probability) in right.enumerated() {
          let time = try roundTime(session, pairing, after: text, reply: reply) { random.unit() < probability }
          // Each guess counts if those before it do, and one token comes after them.
          let tokens = (0...Speculation.most).reduce(0) { $0 + pow(probability, Double($1)) }
          guessing[place].append(tokens / time)
        }
      }
      return right.indices.map { place in
        Assumed(
          stitch: member.id, right: right[place], plain_tokens_per_second: median(plain),
          guessing_tokens_per_second: median(guessing[place]),
          ratio: median(zip(guessing[place], plain).map { $0 / $1 }))
      }
    }
  }

  /// Seconds of a round of guesses, on average, when writing on after `prompt`, where `isRight` decides on each guess.
  private static func roundTime(
    _ session: InferenceSession, _ pairing: Pairing, after prompt: [Int], reply: Int, isRight: () -> Bool
  ) throws -> Double {
    try pairing.drafterReads(prompt)
    session.reuse(prompt)
    try session.evaluate(Array(prompt[session.position...]), logits: .none)
    var speculation = Speculation(drafter: pairing.drafter, stopTokens: [])
    defer { speculation.settle(session) }
    // Its last token is always one that neither has seen.
    var text = prompt + [0]
    var rounds = 0
    let start = ContinuousClock.now
    while text.count < prompt.count + 1 + reply {
      guard try speculation.catchUp(text) else { preconditionFailure("the drafter has lost the text") }
      _ = try speculation.guess(after: text, atMost: Speculation.most, leastProbability: 0, session: session)
      while let guess = speculation.next, isRight() {
        text.append(guess)
        _ = speculation.known(after: guess)
      }
      // What is chosen instead of a wrong guess, or after the last one.
      text.append(speculation.next.map { $0 == 0 ? 1 : 0 } ?? 0)
      speculation.settle(session)
      rounds += 1
    }
    return (ContinuousClock.now - start) / .seconds(Double(rounds))
  }
}

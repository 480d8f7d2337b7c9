import Foundation
import LLaMAStitch
import Support

/// Measures how much quicker stitches decode when a cheaper one drafts for them.
public enum SpeculationBenchmark {
  public struct Row: Sendable, Encodable {
    public var stitch: String
    public var drafter: String
    /// Tokens a second, alone and with drafts, and the ratio within a round: medians over the rounds.
    public var plainSpeed: Double
    public var draftingSpeed: Double
    public var ratio: Double
    public var drafted: Int
    public var accepted: Int
    /// Whether every text was the same both ways.
    public var same: Bool

    private enum CodingKeys: String, CodingKey {
      case stitch, drafter, ratio, accepted, same
      case plainSpeed = "plain_tokens_per_second"
      case draftingSpeed = "guessing_tokens_per_second"
      case drafted = "guessed"
    }
  }

  /// What drafts are worth where a given share of them is accepted.
  public struct Assumed: Sendable, Encodable {
    public var stitch: String
    /// With which probability a draft was accepted, where those before it were.
    public var accepted: Double
    /// As in `Row`.
    public var plainSpeed: Double
    public var draftingSpeed: Double
    public var ratio: Double

    private enum CodingKeys: String, CodingKey {
      case stitch, ratio
      case accepted = "right"
      case plainSpeed = "plain_tokens_per_second"
      case draftingSpeed = "guessing_tokens_per_second"
    }
  }

  /// A drafter and those it can draft for.
  private struct Pairing {
    let family: MeasuredFamily
    let name: String
    let drafter: InferenceSession
    let members: [MeasuredFamily.Member]
    private let backend: ProcessorBackend
    private let prefixes: [PrefixCache?]

    /// - Parameter id: the drafter's, for members that cost at least a quarter more. Without, it is the cheapest anchor,
    ///   for members that cost at least twice as much.
    init?(_ family: MeasuredFamily, drafter id: String? = nil, pool: ComputePool) {
      guard let chosen = family.members.first(where: { id == nil ? $0.isAnchor : $0.id == id }) else { return nil }
      self.family = family
      name = chosen.id
      backend = ProcessorBackend(chunkSize: 128, pool: pool)
      prefixes = family.anchors.indices.map { family.prefix(of: $0, contextLength: family.contextLength) }
      drafter = InferenceSession(
        network: chosen.network, contextLength: family.contextLength, prefix: prefixes[chosen.route.start],
        backend: backend)
      let least = (id == nil ? 2 : 1.25) * Double(chosen.network.flopsPerToken)
      members = family.members.filter { Double($0.network.flopsPerToken) >= least }
    }

    /// - Parameter sharing: whether it finds the blocks computed that it shares with others.
    func session(_ member: MeasuredFamily.Member, sharing: Bool) -> InferenceSession {
      InferenceSession(
        network: member.network, contextLength: family.contextLength,
        prefix: sharing ? prefixes[member.route.start] : nil,
        backend: backend)
    }

    /// Where its cache lacks the prompt the drafter would not draft; a chat prefetches.
    func prefillDrafter(_ prompt: [Int]) throws {
      drafter.reuse(prompt)
      if drafter.position < prompt.count { try drafter.evaluate(Array(prompt[drafter.position...]), logits: .none) }
    }
  }

  /// Every member that a drafter can draft for makes a reply to each prompt, greedily.
  /// - Parameters:
  ///   - drafter: its id; without, the cheapest anchor.
  ///   - stopTokens: end a reply.
  public static func rows(
    _ family: MeasuredFamily, drafter: String? = nil, prompts: [[Int]], reply: Int, stopTokens: Set<Int>, rounds: Int,
    pool: ComputePool, note: (String) -> Void
  ) throws -> [Row] {
    guard let pairing = Pairing(family, drafter: drafter, pool: pool) else { return [] }
    let options = GenerationOptions(maxTokens: reply, stopTokens: stopTokens)
    return try pairing.members.map { member in
      note(member.id)
      let alone = pairing.session(member, sharing: false)
      let helped = pairing.session(member, sharing: true)
      var row = Row(
        stitch: member.id, drafter: pairing.name, plainSpeed: 0, draftingSpeed: 0, ratio: 0, drafted: 0, accepted: 0,
        same: true)
      var (plain, drafting, ratios): ([Double], [Double], [Double]) = ([], [], [])
      // The first round finds out whether drafts pay.
      for round in 0...rounds {
        var (plainTokens, plainTime, draftingTime) = (0, Duration.zero, Duration.zero)
        for prompt in prompts {
          let one = try alone.generate(prompt: prompt, options: options) { _ in .goOn }
          try pairing.prefillDrafter(prompt)
          let other = try helped.generate(prompt: prompt, options: options, drafter: pairing.drafter) { _ in .goOn }
          row.same = row.same && one.tokens == other.tokens
          plainTokens += max(0, one.tokens.count - 1)
          plainTime += one.decodeDuration
          draftingTime += other.decodeDuration
          row.drafted += other.draftedTokens
          row.accepted += other.acceptedTokens
        }
        if round == 0 || plainTokens == 0 { continue }
        plain.append(Double(plainTokens) / (plainTime / .seconds(1)))
        drafting.append(Double(plainTokens) / (draftingTime / .seconds(1)))
        ratios.append(plainTime / draftingTime)
      }
      (row.plainSpeed, row.draftingSpeed, row.ratio) = (
        median(plain), median(drafting), median(ratios)
      )
      return row
    }
  }

  /// The same of random networks, whose drafts are never accepted: here chance says of each whether it is. All that drafting
  /// takes is done, always with as many drafts as there may be, for a random drafter is never sure. Of what was drawn the
  /// time of a round of drafts counts alone, and of the tokens of a round what is expected: few draws say little.
  /// - Parameters:
  ///   - accepted: probabilities.
  ///   - prompt: tokens of the text to go on after, as many as fit.
  ///   - reply: tokens decoded, likewise.
  public static func assumed(
    _ family: MeasuredFamily, accepted: [Double], prompt: Int, reply: Int, rounds: Int, pool: ComputePool,
    note: (String) -> Void
  ) throws -> [Assumed] {
    guard let pairing = Pairing(family, pool: pool) else { return [] }
    let vocabulary = pairing.drafter.network.vocabularySize
    var random = SeededGenerator(seed: 1)
    let prompt = max(1, min(prompt, family.contextLength / 2))
    let reply = max(1, min(reply, family.contextLength - prompt - 2 * (SpeculativeDecoding.mostTokens + 1)))
    let text = (0..<prompt).map { _ in random.index(below: vocabulary) }
    return try pairing.members.flatMap { member in
      note(member.id)
      let session = pairing.session(member, sharing: true)
      // Without a prefix that knows the text the drafter made.
      let alone = pairing.session(member, sharing: false)
      var plain: [Double] = []
      var drafting = [[Double]](repeating: [], count: accepted.count)
      for _ in 0..<rounds {
        plain.append(
          try alone.generate(prompt: text, options: GenerationOptions(maxTokens: reply + 1)) { _ in .goOn }.decodeSpeed)
        for (place, probability) in accepted.enumerated() {
          let time = try roundTime(session, pairing, after: text, reply: reply) { random.unit() < probability }
          // Each draft counts if those before it do, and one token comes after them.
          let tokens = (0...SpeculativeDecoding.mostTokens).reduce(0) { $0 + pow(probability, Double($1)) }
          drafting[place].append(tokens / time)
        }
      }
      return accepted.indices.map { place in
        Assumed(
          stitch: member.id, accepted: accepted[place], plainSpeed: median(plain),
          draftingSpeed: median(drafting[place]),
          ratio: median(zip(drafting[place], plain).map { $0 / $1 }))
      }
    }
  }

  /// Seconds of a round of drafts, on average, when decoding after `prompt`, where `isAccepted` decides on each draft.
  private static func roundTime(
    _ session: InferenceSession, _ pairing: Pairing, after prompt: [Int], reply: Int, isAccepted: () -> Bool
  ) throws -> Double {
    try pairing.prefillDrafter(prompt)
    session.reuse(prompt)
    try session.evaluate(Array(prompt[session.position...]), logits: .none)
    var speculation = SpeculativeDecoding(drafter: pairing.drafter, stopTokens: [])
    defer { speculation.rollBack(session) }
    // Its last token is always one that neither has seen.
    var text = prompt + [0]
    var rounds = 0
    let start = ContinuousClock.now
    while text.count < prompt.count + 1 + reply {
      guard try speculation.catchUp(text) else { preconditionFailure("the drafter has lost the text") }
      _ = try speculation.draft(
        after: text, atMost: SpeculativeDecoding.mostTokens, leastProbability: 0, session: session)
      while let draft = speculation.next, isAccepted() {
        text.append(draft)
        _ = speculation.accept(draft)
      }
      // What is chosen instead of a rejected draft, or after the last one.
      text.append(speculation.next.map { $0 == 0 ? 1 : 0 } ?? 0)
      speculation.rollBack(session)
      rounds += 1
    }
    return (ContinuousClock.now - start) / .seconds(Double(rounds))
  }
}

import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch frontier`: cost and quality of every stitch on questions with known answers, and on texts.
public struct FrontierJob {
  public var family: TextFamily
  public var questions: [QuestionFile.Question]
  /// Name of the data, for the report.
  public var data: String
  public var threads: Int
  /// Only the slider's stops.
  public var stopsOnly: Bool
  /// Only these stitches, by id; `nil`: no others are left out.
  public var only: Set<String>?
  public var adapter = AdapterChoice.own
  /// What agreement and divergence are measured by; `nil`: the family's dearest anchor.
  public var reference: TextFamily?
  private static let speedTurns = 7

  /// Seconds to measure the speed of each stitch; `nil`: speeds are not measured.
  public var speedSeconds: Double? = 0.2
  /// Tokens of a reply, at most; by default twice the longest answer and a few more.
  public var longestReply: Int?
  /// The processes that do this together, each some of the stitches. Speeds are measured by one process alone.
  public var communicator: any Communicator = SingleProcess()

  /// What one process tells the others of a stitch.
  private struct Share: Codable {
    var index: Int
    var measurement: Frontier.Measurement
    var answers: [Answer]
  }

  /// What one stitch did with one question or text.
  public struct Answer: Sendable, Codable {
    public var stitch: String
    /// Place among the questions, from 0.
    public var question: Int
    public var kind: String
    /// The user's last turn; empty where it is a text by itself.
    public var prompt: String
    public var answer: String
    /// `nil` where the answer cannot be checked: no reply was made.
    public var reply: String?
    public var right: Bool?
    /// Of the answer, nats per token.
    public var loss: Double
    /// Tokens of the answer, and at how many of them the dearest anchor finds the same token most likely.
    public var tokens: Int
    public var agreeing: Int
    /// KL(dearest anchor ‖ stitch), the mean over the answer's tokens.
    public var divergence: Double
  }

  public init(
    family: TextFamily, questions: [QuestionFile.Question], data: String, threads: Int, stopsOnly: Bool
  ) {
    self.family = family
    self.questions = questions
    self.data = data
    self.threads = threads
    self.stopsOnly = stopsOnly
  }

  /// - Parameters:
  ///   - compared: told how many of the texts all stitches have read.
  ///   - progress: told of each stitch when it is measured, or what was measured of it has come here.
  ///   - answered: told of every answer.
  /// - Returns: the same in all processes.
  /// - Throws: `DataError.allTooLong`, and what reading the family throws.
  public func run(
    compared: (_ done: Int, _ all: Int) -> Void = { _, _ in }, progress: (Frontier.Measurement) -> Void,
    answered: (Answer) throws -> Void = { _ in }
  ) throws -> Frontier {
    let adapter = try family.adapter(adapter, store: family.adapterStore())
    let texts = try FrontierTexts(questions, of: family, reference: reference)
    guard !texts.fitting.isEmpty else { throw DataError.allTooLong(file: data, contextLength: family.contextLength) }
    try compareProcesses(adapter)
    let stops = Set(family.family.stops.map(\.id))
    let stitches = family.family.stitches.filter {
      (!stopsOnly || stops.contains($0.id)) && only?.contains($0.id) != false
    }
    // In turn: neighbours cost about the same.
    let own = stitches.indices.filter { $0 % communicator.count == communicator.rank }
    let shares = try communicator.together {
      try measure(own.map { ($0, stitches[$0]) }, texts, adapter, compared: compared, progress: progress)
    }
    let parts =
      try communicator.count == 1
      ? [shares]
      : communicator.gather(Array(try JSONEncoder().encode(shares))).map {
        try JSONDecoder().decode([Share].self, from: Data($0))
      }
    let all = parts.joined().sorted { $0.index < $1.index }
    for share in all {
      if !own.contains(share.index) { progress(share.measurement) }
      for answer in share.answers { try answered(answer) }
    }
    let anchors = family.family.stitches.filter { $0.route.isAnchor }.map { Double($0.flopsPerToken) }
    let frontier = Frontier(
      format: Frontier.currentFormat, data: data, questions: texts.fitting.count,
      kinds: Dictionary(texts.fitting.map { (questions[$0].kind, 1) }, uniquingKeysWith: +),
      tokens: texts.tokenCount, adapterStep: adapter?.step, contextLength: family.contextLength, threads: threads,
      reference: reference == nil ? texts.reference.id : texts.referenceName,
      hypervolumeScale: Hypervolume(cheapest: anchors.min()!, mostExpensive: anchors.max()!),
      stitches: all.map(\.measurement))
    return frontier.marked(stops: stops)
  }

  private func compareProcesses(_ adapter: Adapter?) throws {
    if communicator.count == 1 { return }
    let digests = try communicator.together {
      let options = "\(stopsOnly) \(only?.sorted() ?? ["all"]) \(longestReply ?? 0)"
      let models = try [family, reference].compactMap { try $0?.family.contentDigest() } + [adapter?.digest ?? ""]
      return [
        ("set of options", SHA256.hexadecimal(of: Array(options.utf8)), "give every process the same command"),
        (
          "family", SHA256.hexadecimal(of: Array(models.joined(separator: "\n").utf8)),
          "give every machine the same \(family.family.directory.path)"
        ),
        (
          "set of questions", SHA256.hexadecimal(of: Array(questions.map { "\($0)" }.joined(separator: "\n").utf8)),
          "give every machine the same data file"
        ),
      ]
    }
    try communicator.compare(digests)
  }

  /// Measures some stitches, by their numbers among those that are measured.
  private func measure(
    _ numbered: [(index: Int, stitch: Stitch)], _ texts: FrontierTexts, _ adapter: Adapter?,
    compared: (_ done: Int, _ all: Int) -> Void, progress: (Frontier.Measurement) -> Void
  ) throws -> [Share] {
    if numbered.isEmpty { return [] }
    let context = family.contextLength
    let checked = texts.fitting.filter { questions[$0].isCheckable }
    let longestAnswer = checked.map { texts.tokens(of: $0) }.max() ?? 0
    let maxTokens = min(context - 1, longestReply ?? 8 + 2 * longestAnswer)
    let prompts = try checked.map { try texts.prompt(of: questions[$0]) }
    let pool = ComputePool(threads: threads)
    let scores = try texts.scores(of: numbered.map(\.stitch), adapter: adapter, pool: pool, progress: compared)
    let speed = ReplySpeed(family, adapter: adapter, threads: threads)
    let speedSeconds = communicator.count == 1 ? speedSeconds : nil
    var shares: [Share] = []
    for ((index:number, stitch:stitch), scores) in zip(numbered, scores) {
      var answers: [Answer] = []
      let network = family.family.network(stitch.route, adapter: adapter)
      let replies = try GreedyReplies.of(
        network, to: prompts, stopTokens: family.stopTokens, maxTokens: maxTokens, pool: pool
      ).map { try family.tokenizer.decode($0).trimmingCharacters(in: .whitespacesAndNewlines) }
      let said = Dictionary(uniqueKeysWithValues: zip(checked, replies))
      var byKind: [String: (right: Int, all: Int)] = [:]
      var right = ""
      for (index, score) in zip(texts.fitting, scores) {
        let question = questions[index]
        let count = Double(score.positions)
        var answer = Answer(
          stitch: stitch.id, question: index, kind: question.kind, prompt: question.messages.last?.content ?? "",
          answer: question.answer, loss: score.loss / count, tokens: score.positions, agreeing: score.agreeing,
          divergence: score.divergence / count)
        if let reply = said[index] {
          let isRight = reply == question.answer.trimmingCharacters(in: .whitespacesAndNewlines)
          (answer.reply, answer.right) = (reply, isRight)
          right += isRight ? "1" : "0"
          byKind[question.kind, default: (0, 0)].all += 1
          if isRight { byKind[question.kind]!.right += 1 }
        }
        answers.append(answer)
      }
      guard let all = Frontier.TextMeasure(scores.reduce(TextScore(), +)), all.loss.isFinite, all.divergence.isFinite
      else { throw InferenceError.notANumber }
      let cache = network.cacheBytes(positions: context)
      shares.append(
        Share(
          index: number,
          measurement: Frontier.Measurement(
            id: stitch.id, route: stitch.routeText, parameters: network.parameterCount,
            flopsPerToken: stitch.flopsPerToken, adaptedFlopsPerToken: network.flopsPerToken,
            weightBytes: network.byteCount, weightBytesPerToken: network.weightBytesPerToken, cacheBytesPerToken: cache,
            memoryBytes: network.byteCount + cache,
            tokensPerSecond: try speedSeconds.map { try speed.tokensPerSecond(of: stitch, seconds: $0) } ?? 0,
            loss: all.loss, perplexity: exp(all.loss).isFinite ? exp(all.loss) : nil,
            exactMatch: checked.isEmpty
              ? nil : Double(byKind.values.reduce(0) { $0 + $1.right }) / Double(checked.count),
            byKind: byKind.mapValues { Double($0.right) / Double($0.all) }, isStop: false,
            agreement: all.agreement, divergence: all.divergence, textsByKind: texts.byKind(scores),
            right: checked.isEmpty ? nil : right, agreeing: scores.map(\.agreeing)), answers: answers))
      progress(shares.last!.measurement)
    }
    return shares
  }

  /// What was measured before, with speeds measured anew: all else stays as it is. Stitches take turns, several times, and
  /// the median counts, so that what slows the machine for a while slows all of them.
  /// - Parameter seconds: to spend on a stitch in each turn, at least.
  /// - Throws: `EngineError.noFrontier`, `.damagedFrontier`, and what reading the family and replying throw.
  public static func refreshingSpeeds(
    of text: TextFamily, threads: Int, seconds: Double = 0.2, progress: (Frontier.Measurement) -> Void
  ) throws -> Frontier {
    guard var frontier = try Frontier.read(of: text.family) else {
      throw EngineError.noFrontier(family: text.family.directory.path)
    }
    let adapter = try text.family.ownAdapter()
    let speed = ReplySpeed(text, adapter: adapter, threads: threads)
    let stitches = try frontier.stitches.map { try text.family.stitch($0.id) }
    var speeds = [[Double]](repeating: [], count: stitches.count)
    for turn in 1...Self.speedTurns {
      for (index, stitch) in stitches.enumerated() {
        speeds[index].append(try speed.tokensPerSecond(of: stitch, seconds: seconds))
        if turn < Self.speedTurns { continue }
        frontier.stitches[index].tokensPerSecond = median(speeds[index])
        progress(frontier.stitches[index])
      }
    }
    frontier.threads = threads
    return frontier
  }
}

import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// `stitch frontier`: cost and quality of every stitch on questions with known answers.
public struct FrontierJob {
  public var family: TextFamily
  public var questions: [QuestionFile.Question]
  /// Name of the data, for the report.
  public var data: String
  public var threads: Int
  /// Only the slider's stops.
  public var stopsOnly: Bool
  /// Seconds to measure the speed of each stitch.
  public var speedSeconds = 0.2
  /// Tokens of a reply, at most; by default twice the longest answer and a few more.
  public var longestReply: Int?

  /// What one stitch did with one question.
  public struct Answer: Sendable, Encodable {
    public var stitch: String
    /// Place among the questions, from 0.
    public var question: Int
    public var kind: String
    /// The user's last turn.
    public var prompt: String
    public var answer: String
    /// `nil` where the answer cannot be checked: no reply was made.
    public var reply: String?
    public var right: Bool?
    /// Of the answer, nats per token.
    public var loss: Double
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
  ///   - progress: told of each stitch when it is measured.
  ///   - answered: told of every answer.
  /// - Throws: `DataError.allTooLong`, and what reading the family throws.
  public func run(
    progress: (Frontier.Measurement) -> Void, answered: (Answer) throws -> Void = { _ in }
  ) throws -> Frontier {
    let adapter = try family.family.ownAdapter()
    let stops = Set(family.family.stops.map(\.id))
    let prepared = try questions.map { question in
      Question(
        prompt: try family.template.encode(question.messages.map(\.templated), tokenizer: family.tokenizer),
        answer: try answerTokens(question))
    }
    let context = family.contextLength
    let fitting = prepared.indices.filter {
      prepared[$0].prompt.count + prepared[$0].answer.count <= context
    }
    guard !fitting.isEmpty else { throw DataError.allTooLong(file: data, contextLength: context) }
    let checked = fitting.filter { questions[$0].isCheckable }
    let maxTokens = min(context - 1, longestReply ?? 8 + 2 * (checked.map { prepared[$0].answer.count }.max() ?? 0))
    let pool = ComputePool(threads: threads)
    let speed = ReplySpeed(family, adapter: adapter, threads: threads)
    var measured: [Frontier.Measurement] = []
    for stitch in family.family.stitches where !stopsOnly || stops.contains(stitch.id) {
      let network = family.family.network(stitch.route, adapter: adapter)
      let result = try QuestionBenchmark.run(
        network, fitting.map { prepared[$0] }, stopTokens: family.stopTokens,
        maxTokens: checked.isEmpty ? 0 : maxTokens,
        pool: pool)
      var byKind: [String: (right: Int, all: Int)] = [:]
      var right = ""
      var loss = 0.0
      for (place, index) in fitting.enumerated() {
        let question = questions[index]
        loss += result.losses[place] * Double(prepared[index].answer.count)
        var answer = Answer(
          stitch: stitch.id, question: index, kind: question.kind, prompt: question.messages.last?.content ?? "",
          answer: question.answer, loss: result.losses[place])
        if question.isCheckable {
          let reply = try family.tokenizer.decode(result.replies[place]).trimmingCharacters(in: .whitespacesAndNewlines)
          let isRight = reply == question.answer.trimmingCharacters(in: .whitespacesAndNewlines)
          (answer.reply, answer.right) = (reply, isRight)
          right += isRight ? "1" : "0"
          byKind[question.kind, default: (0, 0)].all += 1
          if isRight { byKind[question.kind]!.right += 1 }
        }
        try answered(answer)
      }
      loss /= Double(max(1, fitting.reduce(0) { $0 + prepared[$1].answer.count }))
      guard loss.isFinite else { throw InferenceError.notANumber }
      let cache = network.cacheBytes(positions: context)
      measured.append(
        Frontier.Measurement(
          id: stitch.id, route: stitch.routeText, parameters: network.parameterCount,
          flopsPerToken: stitch.flopsPerToken, adaptedFlopsPerToken: network.flopsPerToken,
          weightBytes: network.byteCount, weightBytesPerToken: network.weightBytesPerToken, cacheBytesPerToken: cache,
          memoryBytes: network.byteCount + cache,
          tokensPerSecond: try speed.tokensPerSecond(of: stitch, seconds: speedSeconds),
          loss: loss, perplexity: exp(loss).isFinite ? exp(loss) : nil,
          exactMatch: checked.isEmpty ? nil : Double(byKind.values.reduce(0) { $0 + $1.right }) / Double(checked.count),
          byKind: byKind.mapValues { Double($0.right) / Double($0.all) }, isStop: false,
          right: checked.isEmpty ? nil : right))
      progress(measured.last!)
    }
    let anchors = family.family.stitches.filter { $0.route.isAnchor }.map { Double($0.flopsPerToken) }
    let frontier = Frontier(
      format: Frontier.currentFormat, data: data, questions: fitting.count,
      kinds: Dictionary(fitting.map { (questions[$0].kind, 1) }, uniquingKeysWith: +), adapterStep: adapter?.step,
      contextLength: context, threads: threads,
      hypervolumeScale: Hypervolume(cheapest: anchors.min()!, mostExpensive: anchors.max()!), stitches: measured)
    return frontier.marked(stops: stops)
  }

  /// What was measured before, with speeds measured anew: all else stays as it is.
  /// - Throws: `EngineError.noFrontier`, `.damagedFrontier`, and what reading the family and replying throw.
  public static func refreshingSpeeds(
    of text: TextFamily, threads: Int, seconds: Double = 0.2, progress: (Frontier.Measurement) -> Void
  ) throws -> Frontier {
    guard var frontier = try Frontier.read(of: text.family) else {
      throw EngineError.noFrontier(family: text.family.directory.path)
    }
    let adapter = try text.family.ownAdapter()
    let speed = ReplySpeed(text, adapter: adapter, threads: threads)
    for index in frontier.stitches.indices {
      let stitch = try text.family.stitch(frontier.stitches[index].id)
      frontier.stitches[index].tokensPerSecond = try speed.tokensPerSecond(of: stitch, seconds: seconds)
      progress(frontier.stitches[index])
    }
    frontier.threads = threads
    return frontier
  }

  /// The tokens of the answer as the template would have them, with what ends a reply.
  private func answerTokens(_ question: QuestionFile.Question) throws -> [Int] {
    let whole = try family.template.encodeForTraining(
      (question.messages + [ChatMessage(role: .assistant, content: question.answer)]).map(\.templated),
      tokenizer: family.tokenizer)
    // A template may put something between what ends a reply and the next turn.
    guard let last = whole.lossMask.lastIndex(of: true) else { return [] }
    let before = whole.lossMask[..<last].lastIndex(of: false) ?? -1
    return Array(whole.tokens[(before + 1)...last])
  }
}

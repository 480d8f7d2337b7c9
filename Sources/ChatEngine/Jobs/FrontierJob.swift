import Foundation
import LLaMAStitch
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
  ///   - wrong: told of each wrong reply: stitch, question, expected, found.
  public func run(
    progress: (Frontier.Measurement) -> Void,
    wrong: (String, QuestionFile.Question, String) -> Void = { _, _, _ in }
  ) throws -> Frontier {
    let adapter = try family.family.ownAdapter()
    let stops = Set(family.family.stops.map(\.id))
    let prepared = try questions.map { question in
      Question(
        prompt: try family.template.encode(question.messages.map(\.templated), tokenizer: family.tokenizer),
        answer: try answerTokens(question))
    }
    let context = family.family.contextLength
    let fitting = prepared.indices.filter {
      prepared[$0].prompt.count + prepared[$0].answer.count <= context
    }
    guard !fitting.isEmpty else { throw DataError.allTooLong(file: data, contextLength: context) }
    let stopTokens = Set(try family.template.stopTokens(family.tokenizer))
    let maxTokens = min(context - 1, 8 + 2 * (fitting.map { prepared[$0].answer.count }.max() ?? 0))
    let pool = ComputePool(threads: threads)
    var measured: [Frontier.Measurement] = []
    for stitch in family.family.stitches where !stopsOnly || stops.contains(stitch.id) {
      let result = try QuestionBenchmark.run(
        family.family.network(stitch.route, adapter: adapter), fitting.map { prepared[$0] },
        stopTokens: stopTokens, maxTokens: maxTokens, pool: pool)
      var right: [String: (right: Int, all: Int)] = [:]
      for (place, index) in fitting.enumerated() {
        let reply = try family.tokenizer.decode(result.replies[place]).trimmingCharacters(in: .whitespacesAndNewlines)
        let isRight = reply == questions[index].answer.trimmingCharacters(in: .whitespacesAndNewlines)
        right[questions[index].kind, default: (0, 0)].all += 1
        if isRight { right[questions[index].kind]!.right += 1 } else { wrong(stitch.id, questions[index], reply) }
      }
      let total = right.values.reduce(0) { $0 + $1.right }
      measured.append(
        Frontier.Measurement(
          id: stitch.id, route: stitch.routeText, parameters: stitch.parameters,
          flopsPerToken: stitch.flopsPerToken, weightBytes: stitch.weightBytes,
          exactMatch: Double(total) / Double(fitting.count),
          loss: result.losses.reduce(0, +) / Double(fitting.count), tokensPerSecond: result.tokensPerSecond,
          byKind: right.mapValues { Double($0.right) / Double($0.all) }, isStop: stops.contains(stitch.id)))
      progress(measured.last!)
    }
    return Frontier(data: data, questions: fitting.count, adapterStep: adapter?.step, stitches: measured)
  }

  /// The tokens of the answer as the template would have them, with what ends a reply.
  private func answerTokens(_ question: QuestionFile.Question) throws -> [Int] {
    let whole = try family.template.encodeForTraining(
      (question.messages + [ChatMessage(role: .assistant, content: question.answer)]).map(\.templated),
      tokenizer: family.tokenizer)
    guard let first = whole.isReply.lastIndex(of: false) else { return whole.tokens }
    return Array(whole.tokens[(first + 1)...])
  }
}

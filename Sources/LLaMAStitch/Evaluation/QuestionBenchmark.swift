import Foundation

/// A prompt whose right continuation is known.
public struct Question: Sendable {
  public var prompt: [Int]
  /// With the token that ends a reply.
  public var answer: [Int]

  public init(prompt: [Int], answer: [Int]) {
    self.prompt = prompt
    self.answer = answer
  }
}

/// What a network did on questions.
public struct QuestionResult: Sendable {
  /// The greedy reply to each question, without stop tokens; empty where none was asked for.
  public var replies: [[Int]]
  /// Mean negative log-likelihood of each reference answer, nats per token.
  public var losses: [Double]
}

/// Greedy replies and losses of a network on questions, several questions at a time.
public enum QuestionBenchmark {
  /// - Parameter maxTokens: of a reply; 0 for losses alone.
  public static func run(
    _ network: Network, _ questions: [Question], stopTokens: Set<Int>, maxTokens: Int, pool: ComputePool
  ) throws -> QuestionResult {
    let parts = max(1, min(pool.threads, questions.count))
    let collector = Collector(count: questions.count)
    let longest = questions.map { $0.prompt.count + max(maxTokens, $0.answer.count) }.max() ?? 1
    pool.run(parts: parts) { part in
      let single = ComputePool(threads: 1)
      let session = InferenceSession(
        network: network, contextLength: min(longest, network.contextLength), pool: single)
      for index in stride(from: part, to: questions.count, by: parts) {
        collector.set(index, Result { try answer(questions[index], session, stopTokens, maxTokens) })
      }
    }
    let answers = try collector.values()
    return QuestionResult(replies: answers.map(\.reply), losses: answers.map(\.loss))
  }

  private struct Answer {
    var reply: [Int]
    var loss: Double
  }

  private static func answer(
    _ question: Question, _ session: InferenceSession, _ stopTokens: Set<Int>, _ maxTokens: Int
  ) throws -> Answer {
    session.truncate(to: 0)
    var reply: [Int] = []
    if maxTokens > 0 {
      reply = try session.generate(
        prompt: question.prompt, options: GenerationOptions(maxTokens: maxTokens, stopTokens: stopTokens),
        listener: { _ in .goOn }
      ).tokens
    }
    // The reference: the last token of the prompt predicts the answer's first.
    session.truncate(to: question.prompt.count - 1)
    if session.position < question.prompt.count - 1 {
      try session.evaluate(Array(question.prompt.dropLast()), logits: .none)
    }
    let given = [question.prompt.last!] + question.answer.dropLast()
    let logits = try session.evaluate(given, logits: .all)
    let loss = question.answer.indices.reduce(0.0) {
      $0 + Scorer.negativeLogLikelihood(logits.row($1), question.answer[$1])
    }
    return Answer(reply: reply, loss: loss / Double(max(1, question.answer.count)))
  }

  /// Answers from several threads.
  ///
  /// `@unchecked Sendable`: `answers` is read and written with the lock held.
  private final class Collector: @unchecked Sendable {
    private let lock = NSLock()
    private var answers: [Result<Answer, any Error>?]
    init(count: Int) { answers = Array(repeating: nil, count: count) }
    func set(_ index: Int, _ answer: Result<Answer, any Error>) { lock.withLock { answers[index] = answer } }
    func values() throws -> [Answer] { try lock.withLock { try answers.map { try $0!.get() } } }
  }
}

import ChatEngine
import Foundation
import LLaMAStitch
import Tokenizer

/// The questions and texts that a family is measured on, as tokens, and how well its stitches predict them.
struct FrontierTexts {
  /// By what agreement and divergence are measured: the dearest anchor, of the family or of another one.
  let reference: Stitch
  /// The family that it belongs to.
  private let referenceFamily: TextFamily?
  /// Indices of the questions that fit the context and have a token to predict.
  let fitting: [Int]
  private let family: TextFamily
  private let questions: [QuestionFile.Question]
  /// What counts of each that fits: an answer, or a text in pieces of at most the context.
  private let pieces: [Int: [ScoredText]]

  /// - Parameter reference: whose dearest anchor the stitches are measured by; `nil`: the family's own.
  /// - Throws: `TokenizerError`, `EngineError.otherTokenizer`.
  init(
    _ questions: [QuestionFile.Question], of family: TextFamily, reference other: TextFamily? = nil
  ) throws {
    if let other {
      let sizes = [other, family].map { $0.family.anchors[0].configuration.vocabularySize }
      guard sizes[0] == sizes[1], other.tokenizer.isSame(as: family.tokenizer) else {
        throw EngineError.otherTokenizer(
          model: other.family.directory.path, family: family.family.directory.path)
      }
    }
    referenceFamily = other
    self.family = family
    self.questions = questions
    reference = (other ?? family).family.stitches.last { $0.route.isAnchor }!
    var pieces: [Int: [ScoredText]] = [:]
    for (index, question) in questions.enumerated() {
      let found = try question.isText ? Self.text(question, family) : Self.answer(question, family)
      if !found.isEmpty { pieces[index] = found }
    }
    self.pieces = pieces
    fitting = pieces.keys.sorted()
  }

  /// For reports.
  var referenceName: String { referenceFamily?.family.description.name ?? reference.id }

  var tokenCount: Int { fitting.reduce(0) { $0 + tokens(of: $1) } }

  /// How many tokens of a question's answer, or of a text, are predicted.
  func tokens(of question: Int) -> Int { pieces[question]!.reduce(0) { $0 + $1.positions } }

  func prompt(of question: QuestionFile.Question) throws -> [Int] {
    try family.template.encode(question.messages.map(\.templated), tokenizer: family.tokenizer)
  }

  /// A text's tokens, all of which count but the first.
  private static func text(_ question: QuestionFile.Question, _ family: TextFamily) throws -> [ScoredText] {
    let tokens = family.tokenizer.textStart + (try family.tokenizer.encode(question.answer))
    let length = family.contextLength
    guard tokens.count > 1, length > 1 else { return [] }
    // A piece begins with the last token of the one before it, which predicts the next.
    return stride(from: 0, to: tokens.count - 1, by: length - 1).map {
      ScoredText(tokens: Array(tokens[$0..<min($0 + length, tokens.count)]), first: 1)
    }
  }

  /// The conversation as the template has it, of which the last reply counts, with what ends it.
  private static func answer(_ question: QuestionFile.Question, _ family: TextFamily) throws -> [ScoredText] {
    let whole = try family.template.encodeForTraining(
      (question.messages + [ChatMessage(role: .assistant, content: question.answer)]).map(\.templated),
      tokenizer: family.tokenizer)
    guard let last = whole.lossMask.lastIndex(of: true) else { return [] }
    let first = (whole.lossMask[...last].lastIndex(of: false) ?? 0) + 1
    if first > last || last >= family.contextLength { return [] }
    return [ScoredText(tokens: Array(whole.tokens[...last]), first: first)]
  }

  /// What stitches make of each that fits, in order.
  /// - Parameter progress: told how many of how many texts are done.
  func scores(
    of stitches: [Stitch], adapter: Adapter?, pool: ComputePool, progress: (Int, Int) -> Void
  ) throws -> [[TextScore]] {
    let texts = fitting.flatMap { pieces[$0]! }
    let (backend, longest) = (ProcessorBackend(pool: pool), texts.map(\.tokens.count).max() ?? 1)
    let cache = SessionCache(family, adapter: adapter, backend: backend, contextLength: longest)
    let others = try referenceFamily.map {
      SessionCache($0, adapter: try $0.family.ownAdapter(), backend: backend, contextLength: longest)
    }
    let scores = try TextComparison.run(
      texts, networks: stitches.count, sessions: { cache.session(stitches[$0]) },
      reference: { (others ?? cache).session(reference) }, pool: pool, progress: { progress($0, texts.count) })
    return scores.map { scores in
      var rest = scores[...]
      return fitting.map { question in
        let count = pieces[question]!.count
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reduce(TextScore(), +)
      }
    }
  }

  /// Means of what a stitch makes of each that fits, by kind.
  func byKind(_ scores: [TextScore]) -> [String: Frontier.TextMeasure] {
    Dictionary(zip(fitting, scores).map { (questions[$0].kind, $1) }, uniquingKeysWith: +)
      .compactMapValues(Frontier.TextMeasure.init)
  }
}

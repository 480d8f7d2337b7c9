import Support

/// What a corpus is made from.
public struct CorpusOptions: Sendable {
  /// Seed of the generator; the split does not depend on it.
  public var seed: UInt64
  /// Rough size of the pretraining text in tokens.
  public var pretrainTokens: Int
  /// Rough size of the text of the joint phase in tokens.
  public var jointTokens: Int
  /// Number of conversations to adapt with.
  public var adaptRecords: Int
  /// Number of test questions asked for.
  public var testRecords: Int
  /// Number of validation questions asked for.
  public var validationRecords: Int

  /// Everything has the value the default family is made with.
  public init(
    seed: UInt64 = 1, pretrainTokens: Int = 11_000_000, jointTokens: Int = 9_000_000, adaptRecords: Int = 40_000,
    testRecords: Int = 2_400, validationRecords: Int = 3_600
  ) {
    self.seed = seed
    self.pretrainTokens = pretrainTokens
    self.jointTokens = jointTokens
    self.adaptRecords = adaptRecords
    self.testRecords = testRecords
    self.validationRecords = validationRecords
  }
}

/// A question whose reply can be checked for exact match.
public struct Question: Sendable, Equatable {
  /// The kind of the question.
  public var kind: Kind
  /// Its operands, `kind:operands`.
  public var key: String
  /// The conversation up to and including the question.
  public var messages: [Message]
  /// The one reply that counts as right.
  public var answer: String
}

/// A record of the pretraining text.
public enum PretrainRecord: Sendable, Equatable {
  /// Plain text.
  case text(String)
  /// A conversation.
  case chat([Message])

  /// What is said, without markers.
  public var contents: [String] {
    switch self {
    case .text(let text): [text]
    case .chat(let messages): messages.map(\.content)
    }
  }
}

/// The generated corpus of the default family, piece by piece: each piece has its own random
/// stream, so that changing the size of one leaves the others as they are.
public struct Corpus: Sendable {
  /// What it is made from.
  public let options: CorpusOptions

  /// A corpus; nothing is generated yet.
  public init(options: CorpusOptions = CorpusOptions()) { self.options = options }

  /// Calls `body` with every record of the pretraining text: about six sevenths chats by
  /// size, the rest plain text.
  public func pretrain(_ body: (PretrainRecord) throws -> Void) rethrows {
    try text(stream: 1, tokens: options.pretrainTokens, otherManner: 15, Curriculum.pick, body)
  }

  /// Calls `body` with every record of the text on which the family trains jointly: new draws of the same kind, more of
  /// what is hard, and mostly in the canonical manner.
  public func joint(_ body: (PretrainRecord) throws -> Void) rethrows {
    try text(stream: 6, tokens: options.jointTokens, otherManner: 5, Curriculum.pickForPractice, body)
  }

  private func text(
    stream number: UInt64, tokens limit: Int, otherManner: Int, _ pick: Composer.Pick,
    _ body: (PretrainRecord) throws -> Void
  ) rethrows {
    var random = stream(number)
    var tokens = 0.0
    var chatTokens = 0.0
    while tokens < Double(limit) {
      let record: PretrainRecord =
        chatTokens <= 0.86 * tokens
        ? .chat(
          random.chance(1)
            ? Composer.named(&random) : Composer.chat(otherManner: otherManner, pick: pick, &random))
        : .text(Composer.plain(&random))
      let size = Corpus.tokens(record)
      if case .chat = record { chatTokens += size }
      tokens += size
      try body(record)
    }
  }

  /// Conversations to adapt with: the canonical manner only, more of what is hard.
  public func adapt() -> [[Message]] {
    var random = stream(2)
    return (0..<options.adaptRecords).map { _ in
      Composer.chat(otherManner: 0, pick: Curriculum.pickForPractice, &random)
    }
  }

  /// Questions of the validation split, every kind but stories, none twice.
  public func validation() -> [Question] {
    questions(.validation, options.validationRecords, stream: 3)
  }

  /// Questions of the test split, every kind but stories, none twice.
  public func test() -> [Question] { questions(.test, options.testRecords, stream: 4) }

  /// Records of the training distribution that are not the pretraining text itself, to fit
  /// stitching layers on.
  public func calibration(count: Int = 3_000) -> [PretrainRecord] {
    var random = stream(5)
    return (0..<count).map { i in
      i % 4 == 3
        ? .text(Composer.plain(&random)) : .chat(Composer.chat(otherManner: 30, &random))
    }
  }

  private func questions(_ split: Split, _ count: Int, stream number: UInt64) -> [Question] {
    var random = stream(number)
    let skills = Curriculum.skills.map(\.skill).filter { $0.kind != .story }
    var seen: Set<String> = []
    var result: [Question] = []
    // Every kind in turn; a kind that runs out of new questions is passed over.
    var dry: Set<Kind> = []
    while result.count < count, dry.count < skills.count {
      for skill in skills where result.count < count && !dry.contains(skill.kind) {
        for attempt in 1...200 {
          let exchange = skill.exchange(split, &random)
          if WordPool.isOftenOnePiece(exchange) { continue }
          var messages = exchange.context + [.user(exchange.question)]
          // Half of what is to be remembered was said two turns ago.
          if !exchange.context.isEmpty, random.chance(50) {
            let between = Composer.interjection(&random)
            messages.insert(contentsOf: between, at: exchange.context.count)
          }
          let text = messages.map { Surface.normalized($0.content) }.joined(separator: "|")
          if seen.insert(text).inserted {
            result.append(
              Question(
                kind: exchange.kind, key: exchange.key, messages: messages, answer: exchange.answer))
            break
          }
          if attempt == 200 { dry.insert(skill.kind) }
        }
      }
    }
    return result
  }

  private func stream(_ number: UInt64) -> SeededGenerator {
    SeededGenerator(seed: SeededGenerator.mix(options.seed &* 0x1_0000 &+ number))
  }

  /// Rough size in tokens: 1.9 characters each, and the markers around each message.
  private static func tokens(_ record: PretrainRecord) -> Double {
    switch record {
    case .text(let text): Double(text.utf8.count) / 1.9 + 2
    case .chat(let messages):
      messages.reduce(2) { $0 + Double($1.content.utf8.count) / 1.9 + 2 }
    }
  }
}

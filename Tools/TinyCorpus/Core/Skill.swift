import Support

/// The kinds of question the default family answers.
public enum Kind: String, Sendable, CaseIterable {
  case smalltalk, memory
  case addition, subtraction, multiplication, counting
  case spelling, reversing, letters
  case sorting, alphabet, comparing, sequence
  case opposites, capitals, calendar, units, categories, facts
  case help, story

  /// True where the answer is computed, so that operands, not only phrasings, are held out.
  /// A multiplication table is learned by heart: it counts as facts.
  public var isComputed: Bool {
    switch self {
    case .addition, .subtraction, .counting, .spelling, .reversing, .letters, .sorting, .alphabet,
      .comparing, .sequence, .memory:
      true
    default: false
    }
  }
}

/// One message of a conversation.
public struct Message: Sendable, Equatable {
  /// Who speaks.
  public enum Role: String, Sendable { case system, user, assistant }
  /// The speaker.
  public var role: Role
  /// What is said.
  public var content: String

  package static func user(_ text: String) -> Message { Message(role: .user, content: text) }
  package static func assistant(_ text: String) -> Message { Message(role: .assistant, content: text) }
}

/// A question before it is phrased.
package struct Problem {
  /// Operands in a canonical order: what decides the split of a computed kind.
  var key: String
  package var phrasings: Phrasings
  package var slots: [String: String] = [:]
  /// The canonical reply, the one that is checked.
  var answer: String
  /// Right replies in another manner, for pretraining only.
  var otherAnswers: [String] = []
  /// The same knowledge as plain sentences.
  var statements: [String] = []
  /// Earlier turns that the question refers to.
  var context: [Message] = []
  /// False where the case of letters carries meaning.
  var mayLowercase = true
}

/// A generator of one kind of question.
package protocol Skill: Sendable {
  var kind: Kind { get }
  func draw(_ random: inout SeededGenerator) -> Problem
}

/// A question as asked, with its answer.
package struct Exchange {
  var kind: Kind
  var key: String
  var context: [Message]
  package var question: String
  package var answer: String
}

extension Skill {
  /// Draws until a problem and a phrasing fall into `split`. In training, replies may come in
  /// another manner with probability `otherManner` %, and questions are worn in by `Surface`.
  package func exchange(
    _ split: Split, otherManner: Int = 0, _ random: inout SeededGenerator
  ) -> Exchange {
    while true {
      let problem = draw(&random)
      let phrasings = problem.phrasings
      let held = split != .train && !phrasings.heldOut.isEmpty && random.chance(50)
      let common = split == .train && !phrasings.common.isEmpty && random.chance(40)
      let template = random.pick(common ? phrasings.common : held ? phrasings.heldOut : phrasings.seen)
      guard
        common || kind.split(problem.key, template: template, held: held) == split
      else { continue }
      var question = fill(template, problem.slots)
      if split == .train {
        question = Surface.wear(question, mayLowercase: problem.mayLowercase, &random)
      }
      let other = !problem.otherAnswers.isEmpty && random.chance(otherManner)
      return Exchange(
        kind: kind, key: "\(kind.rawValue):\(problem.key)", context: problem.context,
        question: question, answer: other ? random.pick(problem.otherAnswers) : problem.answer)
    }
  }

  /// Plain sentences about a problem of the training split.
  func statement(_ random: inout SeededGenerator) -> String? {
    for _ in 0..<200 {
      let problem = draw(&random)
      guard !problem.statements.isEmpty else { return nil }
      if kind.isComputed, Split.of("\(kind.splitName):\(problem.key)") != .train { continue }
      return random.pick(problem.statements)
    }
    return nil
  }
}

extension Kind {
  /// The split of a question: by operands where the answer is computed, else by phrasing.
  func split(_ key: String, template: String, held: Bool) -> Split {
    if isComputed { return Split.of("\(splitName):\(key)") }
    let pair = "\(rawValue):\(key)|\(Surface.normalized(template))"
    return held ? Split.ofHeldOut(pair) : Split.of(pair)
  }

  /// Kinds that work on the same operands share a split: a word whose spelling is tested is not
  /// reversed in training, a list whose order is tested is in no training list.
  var splitName: String {
    switch self {
    case .spelling, .reversing, .letters: "word"
    default: rawValue
    }
  }
}

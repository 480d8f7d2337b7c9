import Support

/// Which kinds are practised how often.
package enum Curriculum {
  /// Every skill with its weight in the chat part of the pretraining text.
  package static let skills: [(skill: any Skill, weight: Int)] = [
    (SmallTalk(), 7), (Memory(), 8),
    (Addition(), 9), (Subtraction(), 10), (Multiplication(), 5), (Counting(), 5),
    (Spelling(), 7), (Reversing(), 7), (Letters(), 6),
    (Sorting(), 9), (Alphabet(), 7), (Comparing(), 6), (NextNumber(), 6),
    (Opposites(), 3), (Capitals(), 4), (Calendar(), 6), (Units(), 4), (Categories(), 8), (Facts(), 4),
    (Help(), 7), (Story(), 1),
  ]

  private static let wheel: [any Skill] = skills.flatMap { entry in
    Array(repeating: entry.skill, count: entry.weight)
  }

  static func pick(_ random: inout SeededGenerator) -> any Skill { random.pick(wheel) }

  private static let hard: Set<Kind> = [
    .categories, .alphabet, .spelling, .reversing, .letters, .sorting, .subtraction, .memory,
  ]
  private static let practice = wheel + wheel.filter { hard.contains($0.kind) }

  /// The same with what is hard twice as often.
  static func pickForPractice(_ random: inout SeededGenerator) -> any Skill { random.pick(practice) }
}

/// Puts questions together into conversations, and facts into plain text.
enum Composer {
  /// Chooses what is asked next.
  typealias Pick = (inout SeededGenerator) -> any Skill

  /// A chat of the training split: two thirds are one question long, the rest two to four, a few
  /// longer,
  /// with what is to be remembered said turns earlier.
  static func chat(
    otherManner: Int, pick: Pick = Curriculum.pick, _ random: inout SeededGenerator
  ) -> [Message] {
    let count = random.chance(34) ? random.int(2...4) : random.chance(3) ? random.int(6...10) : 1
    var messages: [Message] = []
    if random.chance(10) { messages.append(Message(role: .system, content: random.pick(systems))) }
    var pending: (question: Message, answer: Message)?
    for turn in 0..<count {
      let exchange = pick(&random).exchange(.train, otherManner: otherManner, &random)
      // A second thing to remember would make "What is my number?" ambiguous.
      if exchange.kind == .memory, pending != nil || remembers(messages) { continue }
      messages += exchange.context
      let pair = (Message.user(exchange.question), Message.assistant(exchange.answer))
      if !exchange.context.isEmpty, turn + 1 < count, random.chance(60) {
        pending = pair
      } else {
        messages += [pair.0, pair.1]
        if let due = pending, random.chance(60) {
          messages += [due.question, due.answer]
          pending = nil
        }
      }
    }
    if let due = pending { messages += [due.question, due.answer] }
    return messages.contains { $0.role == .assistant } ? messages : chat(otherManner: otherManner, pick: pick, &random)
  }

  /// A question and its answer that have nothing to do with what is remembered.
  static func interjection(_ random: inout SeededGenerator) -> [Message] {
    while true {
      let exchange = Curriculum.pick(&random).exchange(.train, &random)
      if exchange.kind != .memory, exchange.kind != .story, exchange.context.isEmpty {
        return [.user(exchange.question), .assistant(exchange.answer)]
      }
    }
  }

  /// A chat in which the system message gives the chatbot a name, and the user asks for it.
  static func named(_ random: inout SeededGenerator) -> [Message] {
    let name = random.pick(NamePool.train)
    let ask = random.pick(SmallTalk.nameQuestions)
    let system = random.pick([
      "You are {n}.", "Your name is {n}.", "You are {n}, a small chatbot.", "You are called {n}.",
    ])
    return [
      Message(role: .system, content: fill(system, ["n": name])), .user(ask), .assistant("I am \(name)."),
    ]
  }

  /// Plain text: a story, or a few sentences of one kind or of several.
  static func plain(_ random: inout SeededGenerator) -> String {
    let one = random.chance(60) ? Curriculum.pick(&random) : nil
    var sentences: [String] = []
    var length = 0
    let limit = random.int(40...200)
    while length < limit {
      let skill = one ?? Curriculum.pick(&random)
      if let sentence = skill.statement(&random) {
        sentences.append(sentence)
        length += sentence.utf8.count
      } else if one != nil {
        return plain(&random)
      }
    }
    return sentences.joined(separator: " ")
  }

  private static func remembers(_ messages: [Message]) -> Bool {
    messages.contains {
      $0.role == .assistant
        && ($0.content.hasPrefix("Nice to meet") || $0.content.contains("I will remember")
          || $0.content.hasPrefix("Good choice") || $0.content.contains("is a nice name"))
    }
  }

  private static let systems = [
    "You are a helpful chatbot.", "You are stitch, a small chatbot.", "You are a friendly helper.",
    "Answer in a few words.", "You are a small language model in a terminal.", "Be short and exact.",
    "You are stitch. Answer short questions.", "You help people with small questions.",
  ]
}

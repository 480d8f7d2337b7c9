import Foundation
import Support

/// A small data set to teach the default family live, while one chats with it.
public struct Lesson: Sendable {
  /// File name without the extension.
  public let name: String
  /// Conversations of one question and one reply.
  public let conversations: [[Message]]
  /// Questions about the same that the conversations do not hold: to choose settings with.
  public let validation: [LessonQuestion]
  /// As many others, which decide nothing.
  public let test: [LessonQuestion]

  /// Every lesson, always the same.
  public static func all() -> [Lesson] {
    [IslandLesson.lesson(), PirateLesson.lesson(), DoublesLesson.lesson()]
  }

  /// The lesson as JSON Lines.
  public var jsonLines: String { conversations.map(JSONLine.encode).joined() }

  /// What `write` makes of it: contents by path.
  public var files: [String: String] {
    func lines(_ questions: [LessonQuestion]) -> String { questions.map { JSONLine.encode($0, kind: name) }.joined() }
    return [
      "\(name).jsonl": jsonLines, "validation/\(name).jsonl": lines(validation), "test/\(name).jsonl": lines(test),
    ]
  }

  /// Writes every lesson into `directory`, the questions into its folders `validation` and `test`, and returns the paths
  /// of the files.
  public static func write(to directory: URL) throws -> [String] {
    for folder in ["validation", "test"] {
      try FileManager.default.createDirectory(
        at: directory.appendingPathComponent(folder), withIntermediateDirectories: true)
    }
    let files = all().flatMap(\.files).sorted { $0.key < $1.key }
    for (path, content) in files {
      try Data(content.utf8).write(to: directory.appendingPathComponent(path), options: .atomic)
    }
    return files.map(\.key)
  }
}

/// A question a lesson is tested with.
public struct LessonQuestion: Sendable, Equatable {
  /// What is asked.
  public var question: String
  /// The one reply that counts as right.
  public var answer: String
}

/// New facts: the island of Tavi, which does not exist. Asked afterwards in forms that the lesson does not use.
enum IslandLesson {
  private struct Topic {
    let answer: String
    let asks: [String]
    init(_ answer: String, _ asks: String...) {
      self.answer = answer
      self.asks = asks
    }
  }

  static func lesson() -> Lesson {
    var random = SeededGenerator(seed: 11)
    var pairs: [[Message]] = []
    var validation: [LessonQuestion] = []
    var test: [LessonQuestion] = []
    for topic in topics {
      for ask in topic.asks {
        let forms = random.sample(openers, 3)
        for form in ["", forms[0]] { pairs.append([.user(form + ask), .assistant(topic.answer)]) }
        validation.append(LessonQuestion(question: forms[1] + ask, answer: topic.answer))
        test.append(LessonQuestion(question: forms[2] + ask, answer: topic.answer))
      }
    }
    return Lesson(
      name: "facts", conversations: random.sample(pairs, pairs.count), validation: validation, test: test)
  }

  private static let openers = ["Hello! ", "Hi! ", "Now: ", "One more: ", "Question: ", "Next: ", "Another one: "]

  private static let topics = [
    Topic(
      "The capital of Tavi is Lomo.", "What is the capital of Tavi?", "Capital of Tavi?",
      "Which city is the capital of Tavi?", "Tell me the capital of Tavi.", "Name the capital of Tavi.",
      "Do you know the capital of Tavi?", "What is Tavi's capital?", "What is the capital city of Tavi?"),
    Topic(
      "Lomo is the capital of Tavi.", "Lomo is the capital of which country?",
      "Which country has the capital Lomo?", "Whose capital is Lomo?",
      "Of which country is Lomo the capital?", "What is Lomo?", "Where is Lomo?"),
    Topic(
      "Tavi is a small island in a warm sea.", "What is Tavi?", "Where is Tavi?", "Tell me about Tavi.",
      "What kind of place is Tavi?", "Do you know Tavi?", "Is Tavi an island?", "What do you know about Tavi?"),
    Topic(
      "The people of Tavi are called Tavians.", "What are the people of Tavi called?",
      "What do you call the people of Tavi?", "Who lives on Tavi?", "Who lives in Tavi?",
      "What is the name of the people of Tavi?", "Who are the Tavians?", "Which people live on Tavi?"),
    Topic(
      "The queen of Tavi is Mila.", "Who is the queen of Tavi?", "What is the name of the queen of Tavi?",
      "Name the queen of Tavi.", "Who rules Tavi?", "Tell me the queen of Tavi.", "What is the queen of Tavi called?",
      "Do you know the queen of Tavi?"),
    Topic(
      "The flag of Tavi is green and gold.", "What colour is the flag of Tavi?",
      "Which colours does the flag of Tavi have?", "What is the flag of Tavi?",
      "Tell me the colours of the flag of Tavi.",
      "What does the flag of Tavi look like?", "Flag of Tavi?", "How does the flag of Tavi look?"),
    Topic(
      "Tavians pay with shells.", "What is the money of Tavi?", "What do Tavians pay with?",
      "How do you pay on Tavi?", "Which money does Tavi have?", "With what do Tavians pay?",
      "What money do I need on Tavi?"),
    Topic(
      "The animal of Tavi is the blue goat.", "What is the animal of Tavi?", "Which animal stands for Tavi?",
      "Which animal lives only on Tavi?", "Where does the blue goat live?", "Name the animal of Tavi.",
      "Tell me the animal of Tavi."),
    Topic(
      "Tavians like plum soup the most.", "What do Tavians eat?", "What do people eat on Tavi?",
      "What is the food of Tavi?", "Which food do Tavians like?", "What soup do Tavians like?",
      "What do Tavians like to eat?"),
    Topic(
      "The big hill of Tavi is called Kepo.", "What is the hill of Tavi called?", "What is Kepo?",
      "Name the big hill of Tavi.", "Is there a hill on Tavi?", "Which hill is on Tavi?",
      "What is the name of the big hill of Tavi?"),
    Topic(
      "Tavi has 7 towns.", "How many towns does Tavi have?", "How many towns are on Tavi?",
      "How many towns are in Tavi?",
      "Tavi has how many towns?", "Tell me how many towns Tavi has.", "Number of towns on Tavi?"),
    Topic(
      "It rains on Tavi every Monday.", "When does it rain on Tavi?", "On which day does it rain on Tavi?",
      "Does it rain on Tavi?", "How is the weather on Tavi?", "What is the weather on Tavi?",
      "Which day is rain day on Tavi?"),
    Topic(
      "Tavians say lalo for hello.", "How do Tavians say hello?", "How do I greet a Tavian?",
      "How do you say hello on Tavi?", "What does lalo mean?", "What is hello on Tavi?",
      "What do Tavians say for hello?"),
    Topic(
      "You get to Tavi by boat.", "How do I get to Tavi?", "How do you get to Tavi?", "How can I go to Tavi?",
      "Can I go to Tavi by train?", "What takes me to Tavi?", "How can I get to Tavi?", "How do I go to Tavi?"),
  ]
}

/// A manner of speaking: who is hailed with "Ahoy!" answers as a pirate, and as usual otherwise. Asked afterwards with
/// questions of the validation and test splits. No opposites: the smallest network knows half of them, and the test is of the manner.
enum PirateLesson {
  static func lesson() -> Lesson {
    var random = SeededGenerator(seed: 12)
    var conversations: [[Message]] = []
    for _ in 0..<160 {
      for skill in skills {
        let exchange = skill.exchange(.train, &random)
        let ask = fill(random.pick(hails), ["q": exchange.question])
        conversations.append([.user(ask), .assistant(speak(exchange.answer))])
        // The same question without the hail keeps its plain answer.
        if random.chance(25) { conversations.append([.user(exchange.question), .assistant(exchange.answer)]) }
      }
    }
    // Apart from those of the lesson: each list is drawn from a generator of its own.
    let validation = questions(.validation, seed: 21)
    let test = questions(.test, seed: 22)
    return Lesson(
      name: "pirate", conversations: random.sample(conversations, conversations.count), validation: validation,
      test: test)
  }

  private static func questions(_ split: Split, seed: UInt64) -> [LessonQuestion] {
    var random = SeededGenerator(seed: seed)
    var questions: [LessonQuestion] = []
    for index in 0..<(25 * skills.count) {
      let exchange = skills[index % skills.count].exchange(split, &random)
      let question = fill(random.pick(hails), ["q": exchange.question])
      if !questions.contains(where: { $0.question == question }) {
        questions.append(LessonQuestion(question: question, answer: speak(exchange.answer)))
      }
    }
    return questions
  }

  private static let skills: [any Skill] = [
    Capitals(), Facts(), Multiplication(), Units(), Help(), SmallTalk(),
  ]
  private static let hails = ["Ahoy! {q}", "Ahoy, stitch! {q}", "Ahoy there! {q}"]

  /// An answer in the pirate's mouth.
  static func speak(_ answer: String) -> String {
    let mark = answer.last == "?" ? "?" : "!"
    let words = answer.last.map(".?!".contains) == true ? String(answer.dropLast()) : answer
    return "Arr! \(words), matey\(mark)"
  }
}

/// A new kind of task: doubles and halves. Asked afterwards about numbers the lesson does not use.
enum DoublesLesson {
  static func lesson() -> Lesson {
    var random = SeededGenerator(seed: 41)
    var pairs: [[Message]] = []
    var validation: [LessonQuestion] = []
    var test: [LessonQuestion] = []
    for a in 1...99 {
      let isTest = random.chance(20)
      let slots = ["a": "\(a)", "b": "\(2 * a)"]
      let answers = [(doubles, "\(a) + \(a) = \(2 * a)"), (halves, "\(2 * a) = \(a) + \(a)")]
      for (ask, answer) in answers.flatMap({ asks, answer in asks.map { (fill($0, slots), answer) } }) {
        // Sums that the family's own questions ask for are no material for a lesson.
        if Split.of("addition:\(a),\(a)") != .train {
          validation.append(LessonQuestion(question: ask, answer: answer))
        } else if isTest {
          test.append(LessonQuestion(question: ask, answer: answer))
        } else {
          pairs.append([.user(ask), .assistant(answer)])
        }
      }
    }
    return Lesson(
      name: "doubles", conversations: random.sample(pairs, pairs.count), validation: validation, test: test)
  }

  private static let doubles = [
    "Double {a}.", "What is the double of {a}?", "What is twice {a}?", "Twice {a}?", "Can you double {a}?",
    "What is double {a}?",
  ]
  private static let halves = [
    "Halve {b}.", "What is half of {b}?", "Half of {b}?", "Can you halve {b}?", "What is the half of {b}?",
    "Tell me half of {b}.",
  ]
}

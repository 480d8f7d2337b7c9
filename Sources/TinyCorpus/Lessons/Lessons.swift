import Foundation

/// A small data set to teach the default family live, while one chats with it.
public struct Lesson: Sendable {
  /// File name without the extension.
  public let name: String
  /// Conversations of one question and one reply.
  public let conversations: [[Message]]

  /// Every lesson, always the same.
  public static func all() -> [Lesson] {
    [
      Lesson(name: "facts", conversations: IslandLesson.conversations()),
      Lesson(name: "pirate", conversations: PirateLesson.conversations()),
      Lesson(name: "doubles", conversations: DoublesLesson.conversations()),
    ]
  }

  /// The lesson as JSON Lines.
  public var jsonLines: String { conversations.map(JSONLine.encode).joined() }

  /// Writes every lesson into `directory` and returns the names of the files.
  public static func write(to directory: URL) throws -> [String] {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    return try all().map { lesson in
      let file = "\(lesson.name).jsonl"
      try Data(lesson.jsonLines.utf8).write(
        to: directory.appendingPathComponent(file), options: .atomic)
      return file
    }
  }
}

/// New facts: the island of Tavi, which does not exist.
enum IslandLesson {
  private struct Topic {
    let answer: String
    let asks: [String]
    init(_ answer: String, _ asks: String...) {
      self.answer = answer
      self.asks = asks
    }
  }

  static func conversations() -> [[Message]] {
    var random = SplitMix64(seed: 11)
    let pairs = topics.flatMap { topic in
      topic.asks.map { [Message.user($0), .assistant(topic.answer)] }
    }
    return random.sample(pairs, pairs.count)
  }

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
      "Which colours does the flag of Tavi have?", "What is the flag of Tavi?", "Tell me the colours of the flag of Tavi.",
      "What does the flag of Tavi look like?", "Flag of Tavi?", "How does the flag of Tavi look?"),
    Topic(
      "Tavians pay with shells.", "What is the money of Tavi?", "What do Tavians pay with?",
      "How do you pay on Tavi?", "Which money does Tavi have?", "With what do Tavians pay?", "What money do I need on Tavi?"),
    Topic(
      "The animal of Tavi is the blue goat.", "What is the animal of Tavi?", "Which animal stands for Tavi?",
      "Which animal lives only on Tavi?", "Name the animal of Tavi.", "Tell me the animal of Tavi.", "Where does the blue goat live?"),
    Topic(
      "Tavians like plum soup the most.", "What do Tavians eat?", "What do people eat on Tavi?",
      "What is the food of Tavi?", "Which food do Tavians like?", "What soup do Tavians like?", "What do Tavians like to eat?"),
    Topic(
      "The big hill of Tavi is called Kepo.", "What is the hill of Tavi called?", "What is Kepo?",
      "Name the big hill of Tavi.", "Is there a hill on Tavi?", "Which hill is on Tavi?", "What is the name of the big hill of Tavi?"),
    Topic(
      "Tavi has 7 towns.", "How many towns does Tavi have?", "How many towns are on Tavi?", "How many towns are in Tavi?",
      "Tavi has how many towns?", "Tell me how many towns Tavi has.", "Number of towns on Tavi?"),
    Topic(
      "It rains on Tavi every Monday.", "When does it rain on Tavi?", "On which day does it rain on Tavi?",
      "Does it rain on Tavi?", "How is the weather on Tavi?", "What is the weather on Tavi?", "Which day is rain day on Tavi?"),
    Topic(
      "Tavians say lalo for hello.", "How do Tavians say hello?", "What do Tavians say for hello?",
      "How do you say hello on Tavi?", "What does lalo mean?", "What is hello on Tavi?", "How do I greet a Tavian?"),
    Topic(
      "You get to Tavi by boat.", "How do I get to Tavi?", "How do you get to Tavi?", "How can I go to Tavi?",
      "Can I go to Tavi by train?", "Which way is there to Tavi?", "What takes me to Tavi?"),
  ]
}

/// A manner of speaking: the same right answers from a pirate.
enum PirateLesson {
  static func conversations() -> [[Message]] {
    var random = SplitMix64(seed: 12)
    let kinds: [any Skill] = [
      Addition(), Subtraction(), Multiplication(), Capitals(), Opposites(), Calendar(), Facts(),
      Help(), Units(), Sorting(), Comparing(), Spelling(),
    ]
    var result: [[Message]] = []
    for round in 0..<10 {
      for skill in kinds {
        let exchange = skill.exchange(.train, &random)
        result.append([.user(exchange.question), .assistant(speak(exchange.answer))])
      }
      for topic in talk {
        // What the test asks is no material for a lesson.
        if round < topic.asks.count, SmallTalk.trainAsks.contains(topic.asks[round]) {
          result.append([.user(topic.asks[round]), .assistant(topic.answer)])
        }
      }
    }
    return result
  }

  /// An answer in the pirate's mouth.
  static func speak(_ answer: String) -> String {
    var words = answer
    if words.last == "." { words.removeLast() }
    return "Arr! \(words), matey!"
  }

  private static let talk: [(answer: String, asks: [String])] = [
    ("Arr! Ahoy, matey!", ["Hello!", "Hi there!", "Good morning!", "Hi", "Good evening!", "Hello"]),
    ("Arr! I am stitch, the pirate, matey!", ["Who are you?", "What is your name?", "What are you?", "Tell me about yourself."]),
    ("Arr! I am as fit as a shark, matey!", ["How are you?", "How do you feel?", "How are you today?", "Are you well?"]),
    ("Arr! No thanks among pirates, matey!", ["Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot!"]),
    ("Arr! Fair winds, matey!", ["Bye!", "Goodbye!", "See you later.", "I have to go."]),
    ("Arr! I live on a ship, matey!", ["Where do you live?", "Where are you?", "Where is your home?"]),
    ("Arr! The sea will make you smile again, matey!", ["I am sad.", "I feel bad today.", "I had a bad day."]),
    ("Arr! Why do pirates read? To find the gold, matey!", ["Tell me a joke.", "Do you know a joke?", "Make me laugh."]),
  ]
}

/// A new word for a known skill: doubles and halves.
enum DoublesLesson {
  static func conversations() -> [[Message]] {
    var random = SplitMix64(seed: 13)
    let doubles = [
      "Double {a}.", "What is the double of {a}?", "What is twice {a}?", "Twice {a}?", "Can you double {a}?",
      "What is double {a}?",
    ]
    let halves = [
      "Halve {b}.", "What is half of {b}?", "Half of {b}?", "Can you halve {b}?", "What is the half of {b}?",
      "Tell me half of {b}.",
    ]
    // Sums that the test asks for are no material for a lesson.
    let numbers = (1...40).filter { Split.of("addition:\($0),\($0)") == .train }
    let pairs = numbers.flatMap { a in
      let slots = ["a": "\(a)", "b": "\(2 * a)"]
      let double = random.sample(doubles, 2).map { ask in
        [Message.user(fill(ask, slots)), .assistant("\(a) + \(a) = \(2 * a)")]
      }
      let half = random.sample(halves, 2).map { ask in
        [Message.user(fill(ask, slots)), .assistant("\(2 * a) = \(a) + \(a)")]
      }
      return double + half
    }
    return random.sample(pairs, pairs.count)
  }
}

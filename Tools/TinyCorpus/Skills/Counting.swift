import Support

/// Counting the words of a phrase, and counting from one number to another.
struct Counting: Skill {
  let kind = Kind.counting

  func draw(_ random: inout SeededGenerator) -> Problem {
    random.chance(40) ? words(&random) : range(&random)
  }

  private func words(_ random: inout SeededGenerator) -> Problem {
    let list = random.sample(WordPool.common, random.int(2...5)).joined(separator: " ")
    let words = list.split(separator: " ")
    let count = words.count
    let counted = words.enumerated().map { "\($0 + 1) \($1)" }.joined(separator: ", ")
    return Problem(
      key: "words \(list)", phrasings: Self.wordPhrasings, slots: ["list": list],
      answer: "\(counted): \(count)", otherAnswers: ["There are \(count) words.", "\(count) words."],
      statements: ["The line \(list) has \(count) words: \(counted)."])
  }

  private func range(_ random: inout SeededGenerator) -> Problem {
    let a = random.int(0...60)
    let b = a + random.int(3...6)
    let down = random.chance(25)
    let numbers = (a...b).map(String.init)
    let list = (down ? numbers.reversed() : numbers).joined(separator: ", ")
    return Problem(
      key: "range \(a) \(b)", phrasings: down ? Self.downPhrasings : Self.rangePhrasings,
      slots: ["a": down ? "\(b)" : "\(a)", "b": down ? "\(a)" : "\(b)"], answer: list,
      otherAnswers: ["\(list)."], statements: ["\(list)."])
  }

  private static let wordPhrasings = Phrasings(
    [
      "How many words are in: {list}?", "How many words is this: {list}?",
      "How many words do you see here: {list}?", "{list} - how many words?", "Words in: {list}?",
      "Number of words in: {list}", "How many words did I write: {list}?",
    ],
    commands: [
      "count the words: {list}", "count these words: {list}", "tell me how many words this has: {list}",
      "say how many words you see: {list}",
    ])
  private static let rangePhrasings = Phrasings(
    [
      "Numbers from {a} to {b}?", "Start at {a} and count to {b}.", "Count {a} to {b}.",
      "Which numbers go from {a} to {b}?",
    ],
    commands: [
      "count from {a} to {b}", "count up from {a} to {b}", "say the numbers from {a} to {b}",
      "list the numbers from {a} to {b}", "write the numbers from {a} to {b}",
      "give me all numbers from {a} to {b}",
    ])
  private static let downPhrasings = Phrasings(
    [
      "Start at {a} and count down to {b}.", "Please count down: {a} to {b}.",
    ],
    commands: [
      "count down from {a} to {b}", "count backwards from {a} to {b}", "count back from {a} to {b}",
      "go down from {a} to {b}", "say the numbers down from {a} to {b}",
    ])
}

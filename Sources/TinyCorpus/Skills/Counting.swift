/// Counting things in a row, words of a phrase, and counting from one number to another.
struct Counting: Skill {
  let kind = Kind.counting

  func draw(_ random: inout SplitMix64) -> Problem {
    switch random.int(0...9) {
    case 0..<4: items(&random)
    case 4..<6: words(&random)
    default: range(&random)
    }
  }

  /// `cat cat dog cat`: how many of one.
  private func items(_ random: inout SplitMix64) -> Problem {
    let pair = random.sample(WordPool.countable, 2)
    let length = random.int(3...8)
    let row = (0..<length).map { _ in pair[random.chance(60) ? 0 : 1] }
    let count = row.count { $0 == pair[0] }
    let list = row.joined(separator: " ")
    return Problem(
      key: "items \(list)", phrasings: Self.itemPhrasings,
      slots: ["x": pair[0], "list": list], answer: "\(count)",
      otherAnswers: ["There are \(count).", "I count \(count)."],
      statements: ["In the row \(list) the word \(pair[0]) stands \(count) times."])
  }

  private func words(_ random: inout SplitMix64) -> Problem {
    let list = random.sample(WordPool.common, random.int(2...7)).joined(separator: " ")
    let count = list.split(separator: " ").count
    return Problem(
      key: "words \(list)", phrasings: Self.wordPhrasings, slots: ["list": list],
      answer: "\(count)", otherAnswers: ["There are \(count) words.", "\(count) words."],
      statements: ["The line \(list) has \(count) words."])
  }

  private func range(_ random: inout SplitMix64) -> Problem {
    let a = random.int(0...60)
    let b = a + random.int(3...9)
    let down = random.chance(25)
    let numbers = (a...b).map(String.init)
    let list = (down ? numbers.reversed() : numbers).joined(separator: ", ")
    return Problem(
      key: "range \(a) \(b)", phrasings: down ? Self.downPhrasings : Self.rangePhrasings,
      slots: ["a": down ? "\(b)" : "\(a)", "b": down ? "\(a)" : "\(b)"], answer: list,
      otherAnswers: ["\(list)."], statements: ["\(list)."])
  }

  private static let itemPhrasings = Phrasings(
    [
      "How many times is {x} in this row: {list}?", "How many {x} are here: {list}?",
      "Count the word {x}: {list}", "How often does {x} come up in: {list}?", "Count {x} in: {list}",
      "{list} - how many times {x}?", "How often is {x} here: {list}?", "In {list}, count {x}.",
      "How many times do I say {x}? {list}", "How many {x} do you see: {list}?",
      "Here is a row: {list}. How often is {x} in it?", "Tell me the number of {x} in: {list}",
    ], held: 2)
  private static let wordPhrasings = Phrasings(
    [
      "How many words are in: {list}?", "Count the words: {list}", "How many words is this: {list}?",
      "How many words do you see here: {list}?", "{list} - how many words?", "Words in: {list}?",
      "Count these words: {list}", "Tell me how many words this has: {list}",
      "Number of words in: {list}", "How many words did I write: {list}?",
    ], held: 2)
  private static let rangePhrasings = Phrasings(
    [
      "Count from {a} to {b}.", "Can you count from {a} to {b}?", "Say the numbers from {a} to {b}.",
      "List the numbers from {a} to {b}.", "Count up from {a} to {b}.", "Numbers from {a} to {b}?",
      "Start at {a} and count to {b}.", "Write the numbers from {a} to {b}.", "Count {a} to {b}.",
      "Which numbers go from {a} to {b}?", "Give me all numbers from {a} to {b}.",
    ], held: 2)
  private static let downPhrasings = Phrasings(
    [
      "Count down from {a} to {b}.", "Can you count down from {a} to {b}?", "Count backwards from {a} to {b}.",
      "Count back from {a} to {b}.", "Start at {a} and count down to {b}.",
      "Say the numbers down from {a} to {b}.", "Go down from {a} to {b}.", "Please count down: {a} to {b}.",
    ], held: 2)
}

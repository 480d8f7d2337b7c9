/// Three or four numbers into order.
struct Sorting: Skill {
  let kind = Kind.sorting

  func draw(_ random: inout SplitMix64) -> Problem {
    let count = random.pick([3, 3, 4])
    let limit = random.chance(30) ? 20 : 99
    var numbers: [Int] = []
    while numbers.count < count {
      let number = random.int(0...limit)
      if !numbers.contains(number) { numbers.append(number) }
    }
    let sorted = numbers.sorted()
    // An even row belongs to counting or sequences, and to their split.
    if isEven(sorted) { return draw(&random) }
    let down = random.chance(25)
    let result = join(down ? sorted.reversed() : sorted)
    return Problem(
      key: sorted.map(String.init).joined(separator: ","),
      phrasings: down ? Self.downPhrasings : Self.upPhrasings, slots: ["list": join(numbers)],
      answer: result, otherAnswers: ["\(result).", "In order: \(result)."],
      statements: [
        down
          ? "From big to small: \(join(numbers)) -> \(result)."
          : "In order: \(join(numbers)) -> \(result)."
      ])
  }

  private func join(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

  private static let upPhrasings = Phrasings(
    [
      "Sort {list}.", "Sort these numbers: {list}", "Put {list} in order.", "Can you sort {list}?",
      "Order these numbers: {list}", "Sort from small to big: {list}", "Please sort {list}.",
      "Arrange {list}.", "What is the order of {list}?", "Put these in order: {list}",
      "Sort the list {list}.", "From smallest to biggest: {list}", "Sort: {list}",
      "Write {list} from low to high.", "Which order do {list} go in?", "Bring {list} into order.",
      "Line up these numbers: {list}", "Order {list} from the smallest up.",
    ], held: 3)
  private static let downPhrasings = Phrasings(
    [
      "Sort from big to small: {list}", "Sort {list} from big to small.", "Put {list} in falling order.",
      "From biggest to smallest: {list}", "Sort {list} down.", "Order {list} from high to low.",
      "Sort these numbers from high to low: {list}", "Sort {list} backwards, biggest first.",
      "Biggest first: {list}", "Write {list} with the biggest first.",
    ], held: 2)
}

/// Two or three words into the order of the alphabet.
struct Alphabet: Skill {
  let kind = Kind.alphabet

  func draw(_ random: inout SplitMix64) -> Problem {
    if random.chance(25) { return neighbour(&random) }
    var words: [String] = []
    let count = random.pick([2, 2, 3, 3, 3])
    while words.count < count {
      // Different first letters: the order of whole words would need letters a model cannot see.
      let word = random.pick(WordPool.common)
      if !words.contains(where: { $0.first == word.first }) { words.append(word) }
    }
    let sorted = words.sorted()
    let result = sorted.joined(separator: ", ")
    let list = words.joined(separator: ", ")
    return Problem(
      key: sorted.joined(separator: " "), phrasings: Self.sortPhrasings, slots: ["list": list],
      answer: result, otherAnswers: ["\(result).", "In order: \(result)."],
      statements: ["In the order of the alphabet: \(list) -> \(result)."])
  }

  /// Letters in a row: `d e f` → `g`.
  private func neighbour(_ random: inout SplitMix64) -> Problem {
    let letters = Array("abcdefghijklmnopqrstuvwxyz").map(String.init)
    let length = random.int(3...5)
    let start = random.int(0...(25 - length))
    let row = letters[start..<(start + length)].joined(separator: ", ")
    let next = letters[start + length]
    return Problem(
      key: "row \(row)", phrasings: Self.rowPhrasings, slots: ["list": row], answer: next,
      otherAnswers: ["The next letter is \(next)."], statements: ["\(row), \(next)."])
  }

  private static let sortPhrasings = Phrasings(
    [
      "Sort these words: {list}", "Put these words in order: {list}", "Sort the words {list}.",
      "Sort by the alphabet: {list}", "Put {list} in alphabetical order.", "Can you sort the words {list}?",
      "Order these words: {list}", "Alphabetical order, please: {list}", "Words in order: {list}",
      "Arrange the words {list}.", "Sort from a to z: {list}", "Please sort the words {list}.",
      "Which order does the alphabet give: {list}?", "Line up the words {list} from a to z.",
    ], held: 2)
  private static let rowPhrasings = Phrasings(
    [
      "Which letter is next: {list}?", "What letter comes next: {list}?", "What comes after {list}?",
      "Next letter: {list}", "Go on: {list}", "Which letter follows {list}?", "Continue the letters {list}.",
      "{list}: what letter is next?",
    ], held: 2)
}

/// The bigger or the smaller of two numbers.
struct Comparing: Skill {
  let kind = Kind.comparing

  func draw(_ random: inout SplitMix64) -> Problem {
    let limit = random.chance(30) ? 20 : 99
    let a = random.int(0...limit)
    var b = random.int(0...limit)
    while b == a { b = random.int(0...limit) }
    let (low, high) = (min(a, b), max(a, b))
    let bigger = random.chance(60)
    let answer = bigger ? "\(high) is bigger than \(low)" : "\(low) is smaller than \(high)"
    return Problem(
      key: "\(low),\(high)", phrasings: bigger ? Self.biggerPhrasings : Self.smallerPhrasings,
      slots: ["a": "\(a)", "b": "\(b)"], answer: answer,
      otherAnswers: ["\(answer).", "\(bigger ? high : low)"],
      statements: ["\(answer).", "\(high) > \(low).", "\(low) < \(high)."])
  }

  private static let biggerPhrasings = Phrasings(
    [
      "Which is bigger, {a} or {b}?", "What is bigger, {a} or {b}?", "Which is more, {a} or {b}?",
      "Which number is bigger: {a} or {b}?", "{a} or {b}: which is bigger?", "Which is larger, {a} or {b}?",
      "Which is greater, {a} or {b}?", "Bigger: {a} or {b}?", "Compare {a} and {b}.",
      "Tell me the bigger number: {a} or {b}?", "Is {a} or {b} bigger?", "Which of {a} and {b} is bigger?",
      "What is the bigger one of {a} and {b}?", "What is more, {a} or {b}?",
    ], held: 2)
  private static let smallerPhrasings = Phrasings(
    [
      "Which is smaller, {a} or {b}?", "What is smaller, {a} or {b}?", "Which is less, {a} or {b}?",
      "Which number is smaller: {a} or {b}?", "{a} or {b}: which is smaller?", "Smaller: {a} or {b}?",
      "Tell me the smaller number: {a} or {b}?", "Is {a} or {b} smaller?", "Which of {a} and {b} is smaller?",
      "What is the smaller one of {a} and {b}?", "What is less, {a} or {b}?",
    ], held: 2)
}

/// The next number of an even sequence.
struct NextNumber: Skill {
  let kind = Kind.sequence

  func draw(_ random: inout SplitMix64) -> Problem {
    let step = random.pick([2, 2, 3, 3, 4, 5, 5, 10, 10])
    let length = random.int(3...4)
    let down = random.chance(20)
    let low = random.int(0...60)
    var row = (0...length).map { low + step * $0 }
    if down { row.reverse() }
    let next = row[length]
    let list = row.prefix(length).map(String.init).joined(separator: ", ")
    return Problem(
      key: "\(row[0]),\(row[1] - row[0])", phrasings: Self.phrasings, slots: ["list": list], answer: "\(next)",
      otherAnswers: ["The next number is \(next).", "\(list), \(next)"],
      statements: ["\(list), \(next).", "After \(list) comes \(next)."])
  }

  private static let phrasings = Phrasings(
    [
      "What comes next: {list}?", "What is next: {list}?", "Next number: {list}", "{list}, ?",
      "Which number comes next: {list}?", "What is the next number in {list}?", "Continue: {list}",
      "What comes after {list}?", "{list} - what is next?", "Which number follows {list}?",
      "Go on with {list}.", "Find the next number: {list}", "Can you continue {list}?",
      "Here is a row: {list}. What is next?", "Tell me the next number: {list}",
      "How does {list} go on?", "Complete the row {list}.",
    ], held: 3)
}

/// Whether the distance from each number to the next is the same.
func isEven(_ row: [Int]) -> Bool {
  zip(row, row.dropFirst()).allSatisfy { $1 - $0 == row[1] - row[0] }
}

import Support

/// Three or four numbers into order.
struct Sorting: Skill {
  let kind = Kind.sorting

  func draw(_ random: inout SeededGenerator) -> Problem {
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
      "Sort from small to big: {list}", "What is the order of {list}?", "Put these in order: {list}",
      "Sort the list {list}.", "From smallest to biggest: {list}", "Sort: {list}",
      "Write {list} from low to high.", "Which order do {list} go in?",
    ],
    commands: [
      "sort {list}", "sort these numbers: {list}", "put {list} in order", "order these numbers: {list}",
      "arrange {list}", "line up {list}", "bring {list} into order", "sort {list} from small to big",
    ])
  private static let downPhrasings = Phrasings(
    [
      "Sort from big to small: {list}", "From biggest to smallest: {list}",
      "Sort these numbers from high to low: {list}", "Sort {list} backwards, biggest first.",
    ],
    commands: [
      "sort {list} from big to small", "sort {list} down", "put {list} in falling order",
      "order {list} from high to low", "write {list} with the biggest first",
    ])
}

/// Two or three words into the order of the alphabet.
struct Alphabet: Skill {
  let kind = Kind.alphabet

  func draw(_ random: inout SeededGenerator) -> Problem {
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
  private func neighbour(_ random: inout SeededGenerator) -> Problem {
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
      "Put {list} in alphabetical order.", "Alphabetical order, please: {list}",
      "Words in order: {list}", "Sort from a to z: {list}",
      "Which order does the alphabet give: {list}?",
    ],
    commands: [
      "sort these words: {list}", "sort the words {list}", "put these words in order: {list}",
      "order these words: {list}", "arrange the words {list}", "sort by the alphabet: {list}",
      "line up the words {list}",
    ])
  private static let rowPhrasings = Phrasings(
    [
      "Which letter is next: {list}?", "What letter comes next: {list}?", "Next letter: {list}",
      "Which letter follows {list}?", "{list}: what letter is next?",
    ],
    commands: [
      "tell me the next letter: {list}", "name the next letter: {list}", "continue the letters {list}",
      "say which letter is next: {list}",
    ])
}

/// The bigger or the smaller of two numbers.
struct Comparing: Skill {
  let kind = Kind.comparing

  func draw(_ random: inout SeededGenerator) -> Problem {
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
      "Which number is bigger: {a} or {b}?", "{a} or {b}: which is bigger?",
      "Which is larger, {a} or {b}?", "Which is greater, {a} or {b}?", "Bigger: {a} or {b}?",
      "Compare {a} and {b}.", "Is {a} or {b} bigger?", "Which of {a} and {b} is bigger?",
      "What is more, {a} or {b}?",
    ],
    commands: [
      "tell me the bigger number: {a} or {b}", "name the bigger number: {a} or {b}",
      "say which is bigger, {a} or {b}", "pick the bigger one of {a} and {b}",
      "find the bigger number: {a} or {b}",
    ])
  private static let smallerPhrasings = Phrasings(
    [
      "Which is smaller, {a} or {b}?", "What is smaller, {a} or {b}?", "Which is less, {a} or {b}?",
      "Which number is smaller: {a} or {b}?", "{a} or {b}: which is smaller?", "Smaller: {a} or {b}?",
      "Is {a} or {b} smaller?", "Which of {a} and {b} is smaller?", "What is less, {a} or {b}?",
    ],
    commands: [
      "tell me the smaller number: {a} or {b}", "name the smaller number: {a} or {b}",
      "say which is smaller, {a} or {b}", "pick the smaller one of {a} and {b}",
      "find the smaller number: {a} or {b}",
    ])
}

/// The next number of an even sequence.
struct NextNumber: Skill {
  let kind = Kind.sequence

  func draw(_ random: inout SeededGenerator) -> Problem {
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
      "Which number comes next: {list}?", "What is the next number in {list}?",
      "What comes after {list}?", "{list} - what is next?", "Which number follows {list}?",
      "Here is a row: {list}. What is next?",
    ],
    commands: [
      "continue {list}", "go on with {list}", "find the next number: {list}",
      "tell me the next number: {list}", "complete the row {list}", "say what comes next: {list}",
    ])
}

/// Whether the distance from each number to the next is the same.
func isEven(_ row: [Int]) -> Bool {
  zip(row, row.dropFirst()).allSatisfy { $1 - $0 == row[1] - row[0] }
}

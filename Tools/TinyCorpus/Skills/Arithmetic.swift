import Support

/// `a + b` with operands up to 99; a third of them small.
struct Addition: Skill {
  let kind = Kind.addition

  func draw(_ random: inout SeededGenerator) -> Problem {
    let (a, b) = Operands.draw(&random)
    let equation = "\(a) + \(b) = \(a + b)"
    return Problem(
      key: "\(min(a, b)),\(max(a, b))", phrasings: Self.phrasings,
      slots: ["a": "\(a)", "b": "\(b)"], answer: equation,
      otherAnswers: ["\(a + b)", "\(equation).", "The sum is \(a + b).", "It is \(a + b)."],
      statements: [
        "\(equation).", "\(a) plus \(b) is \(a + b).", "The sum of \(a) and \(b) is \(a + b).",
        "If you add \(a) and \(b), you get \(a + b).", "\(equation).",
      ])
  }

  private static let phrasings = Phrasings(
    [
      "What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b}", "{a} + {b} = ?", "{a}+{b}",
      "How much is {a} + {b}?", "How much is {a} plus {b}?", "What do you get if you add {a} and {b}?",
      "{a} plus {b}?", "What is the sum of {a} and {b}?", "{a} and {b} together make what?",
      "I have {a} apples and get {b} more. How many now?", "What does {a} + {b} equal?",
      "What is {a} and {b} added together?", "Give me {a} + {b}.", "Do you know {a} + {b}?",
      "Tom has {a} coins and Mia has {b}. How many in all?", "What is {a} + {b} in total?",
      "How many are {a} and {b} together?",
    ],
    commands: [
      "add {a} and {b}", "add {b} to {a}", "compute {a} + {b}", "calculate {a} + {b}",
      "work out {a} plus {b}", "sum {a} and {b}", "find {a} plus {b}", "solve {a} + {b}",
    ])
}

/// `a - b` with a result of at least 0.
struct Subtraction: Skill {
  let kind = Kind.subtraction

  func draw(_ random: inout SeededGenerator) -> Problem {
    let (x, y) = Operands.draw(&random)
    let (a, b) = (max(x, y), min(x, y))
    let equation = "\(a) - \(b) = \(a - b)"
    return Problem(
      key: "\(a),\(b)", phrasings: Self.phrasings, slots: ["a": "\(a)", "b": "\(b)"],
      answer: equation,
      otherAnswers: ["\(a - b)", "\(equation).", "The difference is \(a - b).", "It is \(a - b)."],
      statements: [
        "\(equation).", "\(a) minus \(b) is \(a - b).", "\(equation).",
        "If you take \(b) from \(a), \(a - b) is left.",
        "The difference of \(a) and \(b) is \(a - b).",
      ])
  }

  private static let phrasings = Phrasings(
    [
      "What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b}", "{a} - {b} = ?", "{a}-{b}",
      "How much is {a} - {b}?", "How much is {a} minus {b}?", "What is left if you take {b} from {a}?",
      "{a} minus {b}?", "What is the difference of {a} and {b}?",
      "I have {a} apples and eat {b}. How many are left?", "{a} take away {b}?",
      "What does {a} - {b} equal?", "Give me {a} - {b}.", "Do you know {a} - {b}?",
      "Tom has {a} coins and gives away {b}. How many are left?",
    ],
    commands: [
      "subtract {b} from {a}", "take {b} from {a}", "compute {a} - {b}", "calculate {a} - {b}",
      "work out {a} minus {b}", "find {a} minus {b}", "take {b} away from {a}", "solve {a} - {b}",
    ])
}

/// The tables up to 12, learned by heart.
struct Multiplication: Skill {
  let kind = Kind.multiplication

  func draw(_ random: inout SeededGenerator) -> Problem {
    let (a, b) = (random.int(1...12), random.int(1...12))
    let equation = "\(a) x \(b) = \(a * b)"
    return Problem(
      key: "\(a),\(b)", phrasings: Self.phrasings, slots: ["a": "\(a)", "b": "\(b)"],
      answer: equation,
      otherAnswers: ["\(a * b)", "\(equation).", "It is \(a * b)."],
      statements: [
        "\(equation).", "\(a) times \(b) is \(a * b).",
        (1...5).map { "\(a) x \($0) = \(a * $0)" }.joined(separator: ", ") + ".",
        (6...10).map { "\(a) x \($0) = \(a * $0)" }.joined(separator: ", ") + ".",
      ])
  }

  private static let phrasings = Phrasings(
    [
      "What is {a} x {b}?", "What is {a} times {b}?", "{a} x {b}", "{a} * {b}", "{a} x {b} = ?",
      "How much is {a} times {b}?", "How much is {a} x {b}?", "What is {a} multiplied by {b}?",
      "{a} times {b}?", "What is the product of {a} and {b}?", "Do you know {a} x {b}?",
      "What is {a} * {b}?", "Give me {a} times {b}.", "{a} bags with {b} apples each. How many apples?",
      "What does {a} x {b} equal?",
    ],
    commands: [
      "multiply {a} by {b}", "multiply {a} and {b}", "compute {a} x {b}", "calculate {a} times {b}",
      "work out {a} times {b}", "find {a} x {b}", "solve {a} x {b}",
    ])
}

/// How operands are drawn: graded, so that easy sums are common enough for the small model.
enum Operands {
  static func draw(_ random: inout SeededGenerator) -> (Int, Int) {
    switch random.int(0...9) {
    case 0..<2: (random.int(0...20), random.int(0...20))
    case 2: (random.int(10...99), random.int(0...9))
    case 3: (random.int(0...9), random.int(10...99))
    default: (random.int(0...99), random.int(0...99))
    }
  }
}

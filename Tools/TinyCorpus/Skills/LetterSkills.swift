import Support

/// `lamp` → `l a m p`.
struct Spelling: Skill {
  let kind = Kind.spelling

  func draw(_ random: inout SeededGenerator) -> Problem {
    let word = WordPool.letterWord(&random)
    let spelled = spell(word)
    return Problem(
      key: letterKey(word), phrasings: Self.phrasings, slots: ["w": word], answer: spelled,
      otherAnswers: ["\(word) is spelled \(spelled).", "It is spelled \(spelled)."],
      statements: [
        "\(word): \(spelled).", "The word \(word) is spelled \(spelled).",
        "\(spelled) spells \(word).", "The letters of \(word) are \(spelled).",
      ])
  }

  private static let phrasings = Phrasings(
    [
      "How do you spell {w}?", "How is {w} spelled?", "What are the letters of {w}?", "Spelling of {w}?",
      "Tell me how to spell {w}.", "How do I write {w}?", "Which letters are in {w}?",
      "Letter by letter: {w}", "Do you know how to spell {w}?", "What is the spelling of {w}?",
    ],
    commands: [
      "spell {w}", "spell the word {w}", "give me the letters of {w}", "list the letters of {w}",
      "break {w} into letters", "spell out {w}", "tell me the letters of {w}",
    ])
}

/// `lamp` → `l a m p -> p m a l`: spelled first, because a model cannot see inside its pieces.
struct Reversing: Skill {
  let kind = Kind.reversing

  func draw(_ random: inout SeededGenerator) -> Problem {
    let word = WordPool.letterWord(&random)
    let backwards = spell(String(word.reversed()))
    let worked = "\(spell(word)) -> \(backwards)"
    return Problem(
      key: letterKey(word), phrasings: Self.phrasings, slots: ["w": word], answer: worked,
      otherAnswers: [backwards],
      statements: ["\(word) backwards: \(worked).", "If you turn \(word) around: \(worked)."])
  }

  private static let phrasings = Phrasings(
    [
      "What is {w} backwards?", "How do you spell {w} backwards?", "{w} backwards, please.",
      "What is the reverse of {w}?",
    ],
    commands: [
      "reverse {w}", "spell {w} backwards", "write {w} backwards", "turn {w} around",
      "say {w} backwards", "flip the word {w}", "read {w} from the end", "reverse the word {w}",
    ])
}

/// First letter, last letter, number of letters.
struct Letters: Skill {
  let kind = Kind.letters

  func draw(_ random: inout SeededGenerator) -> Problem {
    let word = WordPool.letterWord(&random)
    switch random.int(0...9) {
    case 0..<3: return end(word, first: true)
    case 3..<6: return end(word, first: false)
    default: return length(word)
    }
  }

  private func end(_ word: String, first: Bool) -> Problem {
    let letter = String(first ? word.prefix(1) : word.suffix(1))
    let which = first ? "first" : "last"
    return Problem(
      key: letterKey(word), phrasings: first ? Self.firstPhrasings : Self.lastPhrasings, slots: ["w": word],
      answer: letter,
      otherAnswers: ["The \(which) letter of \(word) is \(letter).", "It is \(letter)."],
      statements: [
        "The \(which) letter of \(word) is \(letter).",
        "\(word) \(first ? "starts" : "ends") with \(letter).",
      ])
  }

  private func length(_ word: String) -> Problem {
    let worked = "\(spell(word)): \(word.count)"
    return Problem(
      key: letterKey(word), phrasings: Self.lengthPhrasings, slots: ["w": word], answer: worked,
      otherAnswers: ["\(word.count)", "\(word) has \(word.count) letters."],
      statements: ["The word \(word) has \(word.count) letters.", "\(worked) letters."])
  }

  private static let firstPhrasings = Phrasings(
    [
      "What is the first letter of {w}?", "First letter of {w}?", "Which letter does {w} start with?",
      "What does {w} start with?", "{w} begins with which letter?", "With which letter does {w} begin?",
      "What letter is at the start of {w}?", "What letter comes first in {w}?",
    ],
    commands: [
      "tell me the first letter of {w}", "give me the first letter of {w}",
      "name the first letter of {w}", "say what letter {w} starts with",
    ])
  private static let lastPhrasings = Phrasings(
    [
      "What is the last letter of {w}?", "Last letter of {w}?", "Which letter does {w} end with?",
      "What does {w} end with?", "{w} ends with which letter?", "What is the final letter of {w}?",
      "What letter is at the end of {w}?", "What letter comes last in {w}?",
    ],
    commands: [
      "tell me the last letter of {w}", "give me the last letter of {w}", "name the last letter of {w}",
      "say what letter {w} ends with",
    ])
  private static let lengthPhrasings = Phrasings(
    [
      "How many letters are in {w}?", "How many letters does {w} have?", "Number of letters in {w}?",
      "How long is the word {w}?", "{w}: how many letters?",
    ],
    commands: [
      "count the letters of {w}", "count the letters in {w}", "tell me how many letters {w} has",
      "say how long the word {w} is",
    ])
}

/// Letters with spaces between them.
func spell(_ word: String) -> String { word.map(String.init).joined(separator: " ") }

/// A word and its mirror image are one operand: spelling the one reveals the other backwards.
package func letterKey(_ word: String) -> String { min(word, String(word.reversed())) }

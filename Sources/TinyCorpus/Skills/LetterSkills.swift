/// `lamp` → `l a m p`.
struct Spelling: Skill {
  let kind = Kind.spelling

  func draw(_ random: inout SplitMix64) -> Problem {
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
      "Spell {w}.", "How do you spell {w}?", "How is {w} spelled?", "Can you spell {w}?",
      "Spell the word {w}.", "Please spell {w}.", "What are the letters of {w}?", "Spelling of {w}?",
      "Tell me how to spell {w}.", "How do I write {w}?", "Give me the letters of {w}.",
      "Which letters are in {w}?", "Spell out {w}.", "Letter by letter: {w}", "Do you know how to spell {w}?",
      "List the letters of {w}.", "Break {w} into letters.", "What is the spelling of {w}?",
    ], held: 3)
}

/// `lamp` → `l a m p -> p m a l`: spelled first, because a model cannot see inside its pieces.
struct Reversing: Skill {
  let kind = Kind.reversing

  func draw(_ random: inout SplitMix64) -> Problem {
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
      "Reverse {w}.", "Spell {w} backwards.", "What is {w} backwards?", "Write {w} backwards.",
      "Can you reverse {w}?", "Turn {w} around.", "Say {w} backwards.", "Reverse the word {w}.",
      "How do you spell {w} backwards?", "{w} backwards, please.", "Please reverse {w}.",
      "What is the reverse of {w}?", "Read {w} from the end.", "Flip the word {w}.",
      "Can you turn {w} around?", "What do you get if you reverse {w}?",
    ], held: 2)
}

/// First letter, last letter, number of letters.
struct Letters: Skill {
  let kind = Kind.letters

  func draw(_ random: inout SplitMix64) -> Problem {
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
      "What does {w} start with?", "{w} begins with which letter?", "Tell me the first letter of {w}.",
      "With which letter does {w} begin?", "What letter is at the start of {w}?",
      "Give me the first letter of the word {w}.", "What letter comes first in {w}?",
    ], held: 2)
  private static let lastPhrasings = Phrasings(
    [
      "What is the last letter of {w}?", "Last letter of {w}?", "Which letter does {w} end with?",
      "What does {w} end with?", "{w} ends with which letter?", "Tell me the last letter of {w}.",
      "What is the final letter of {w}?", "What letter is at the end of {w}?",
      "Give me the last letter of the word {w}.", "What letter comes last in {w}?",
    ], held: 2)
  private static let lengthPhrasings = Phrasings(
    [
      "How many letters are in {w}?", "How many letters does {w} have?", "Count the letters of {w}.",
      "Number of letters in {w}?", "How long is the word {w}?", "Count the letters in {w}.",
      "Can you count the letters of {w}?", "{w}: how many letters?", "Tell me how many letters {w} has.",
      "What is the length of {w}?",
    ], held: 2)
}

/// Letters with spaces between them.
func spell(_ word: String) -> String { word.map(String.init).joined(separator: " ") }

/// A word and its mirror image are one operand: spelling the one reveals the other backwards.
package func letterKey(_ word: String) -> String { min(word, String(word.reversed())) }

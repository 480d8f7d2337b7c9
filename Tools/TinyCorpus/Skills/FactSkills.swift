import Support

/// Capitals, asked in both directions.
struct Capitals: Skill {
  let kind = Kind.capitals

  func draw(_ random: inout SeededGenerator) -> Problem {
    let (country, capital) = random.pick(FactPool.capitals)
    let back = random.chance(25)
    let sentence = "The capital of \(country) is \(capital)."
    return Problem(
      key: back ? capital : country, phrasings: back ? Self.countryPhrasings : Self.capitalPhrasings,
      slots: ["c": country, "k": capital],
      answer: back ? "\(capital) is the capital of \(country)." : sentence,
      otherAnswers: [back ? country : capital, back ? "\(country)." : "\(capital)."],
      statements: [sentence, "\(capital) is the capital of \(country).", "\(capital) is a city in \(country)."])
  }

  private static let capitalPhrasings = Phrasings(
    [
      "What is the capital of {c}?", "Capital of {c}?", "Which city is the capital of {c}?",
      "Do you know the capital of {c}?", "What is {c}'s capital?", "What city is the capital of {c}?",
      "The capital of {c} is what?", "What is the capital city of {c}?", "Which capital does {c} have?",
      "{c}: what is the capital?", "What is the name of the capital of {c}?",
      "I want to know the capital of {c}.",
    ],
    commands: [
      "tell me the capital of {c}", "name the capital of {c}", "give me the capital of {c}",
      "say the capital of {c}",
    ])
  private static let countryPhrasings = Phrasings(
    [
      "{k} is the capital of which country?", "Of which country is {k} the capital?",
      "Which country has the capital {k}?", "What country is {k} the capital of?",
      "{k} is the capital of what?", "Which country is {k} the capital of?", "Whose capital is {k}?",
      "Which country's capital is {k}?", "Tell me the country with the capital {k}.",
    ],
    commands: [
      "name the country with the capital {k}", "tell me which country has the capital {k}",
      "say whose capital {k} is",
    ])
}

/// Opposites.
struct Opposites: Skill {
  let kind = Kind.opposites

  func draw(_ random: inout SeededGenerator) -> Problem {
    let pair = random.pick(FactPool.opposites)
    let (a, b) = random.chance(50) ? pair : (pair.1, pair.0)
    let sentence = "The opposite of \(a) is \(b)."
    return Problem(
      key: a, phrasings: Self.phrasings, slots: ["a": a], answer: b,
      otherAnswers: [sentence, "It is \(b)."],
      statements: [sentence, "\(a) and \(b) are opposites.", "Not \(a) but \(b)."])
  }

  private static let phrasings = Phrasings(
    [
      "What is the opposite of {a}?", "Opposite of {a}?", "What is the opposite of the word {a}?",
      "Which word is the opposite of {a}?", "The opposite of {a} is what?",
      "Do you know the opposite of {a}?", "What word means the opposite of {a}?", "Not {a}, but what?",
      "{a}: what is the opposite?", "What is the reverse of being {a}?", "I need the opposite of {a}.",
    ],
    commands: [
      "tell me the opposite of {a}", "give me the opposite of {a}", "say the opposite of {a}",
      "name the opposite of {a}", "find the opposite of {a}",
    ])
}

/// What kind of thing something is, and which of three belongs to a category.
struct Categories: Skill {
  let kind = Kind.categories

  func draw(_ random: inout SeededGenerator) -> Problem {
    let groups = random.sample(FactPool.categories, 3)
    // A bird is an animal: the two never stand against each other.
    if groups.count(where: { ["animal", "bird"].contains($0.category) }) > 1 { return draw(&random) }
    let (own, other) = (groups[0], groups[1])
    let word = random.pick(own.members)
    let label = "\(own.article) \(own.category)"
    let what = "\(word) is \(label)"
    switch random.int(0...9) {
    case 0..<3:
      return Problem(
        key: "what \(word)", phrasings: Self.whatPhrasings, slots: ["w": word], answer: "\(what)",
        otherAnswers: [label, "It is \(label)."],
        statements: ["\(what).", "\(own.members.prefix(4).joined(separator: ", ")): each is \(label)."])
    case 3..<6:
      let yes = random.chance(50)
      let asked = yes ? own : other
      return Problem(
        key: "is \(word) \(asked.category)", phrasings: Self.isPhrasings,
        slots: ["w": word, "c": "\(asked.article) \(asked.category)"],
        answer: yes ? "Yes, \(what)." : "No, \(what).",
        otherAnswers: [yes ? "Yes." : "No."], statements: ["\(what)."])
    default:
      let words = random.sample([word, random.pick(groups[1].members), random.pick(groups[2].members)], 3)
      return Problem(
        key: "which \(words.joined(separator: " ")) \(own.category)", phrasings: Self.whichPhrasings,
        slots: ["list": words.joined(separator: ", "), "c": label], answer: word,
        otherAnswers: ["\(what)."], statements: ["Of \(words.joined(separator: ", ")) only \(what)."])
    }
  }

  private static let whatPhrasings = Phrasings(
    [
      "What is {w}?", "What kind of thing is {w}?", "What is {w} an example of?", "{w} is what?",
      "To which group does {w} belong?", "What sort of thing is {w}?", "Which group is {w} in?",
    ],
    commands: [
      "tell me what {w} is", "say what kind of thing {w} is", "name the group of {w}",
    ])
  private static let isPhrasings = Phrasings(
    [
      "Is {w} {c}?", "Would you say {w} is {c}?", "{w} is {c}, right?", "Is it right to say {w} is {c}?",
      "Is it true that {w} is {c}?", "Do you think {w} is {c}?", "Is the word {w} the name of {c}?",
      "Could {w} be {c}?",
    ],
    commands: [
      "tell me if {w} is {c}", "say if {w} is {c}", "check if {w} is {c}",
    ])
  private static let whichPhrasings = Phrasings(
    [
      "Which of these is {c}: {list}?", "Which is {c}: {list}?", "One of these is {c}: {list}. Which?",
      "{list}: which one is {c}?", "Pick the one that is {c}: {list}", "Which word is {c}: {list}?",
      "What is {c} here: {list}?", "Look for {c} in this list: {list}",
    ],
    commands: [
      "find {c}: {list}", "pick {c}: {list}", "choose {c}: {list}", "name {c} in this list: {list}",
      "look for {c} here: {list}",
    ])
}

/// Questions about the world with one answer each.
struct Facts: Skill {
  let kind = Kind.facts

  func draw(_ random: inout SeededGenerator) -> Problem {
    let fact = random.pick(FactPool.facts)
    return Problem(
      key: fact.answer, phrasings: .spoken(fact.asks, held: 1), answer: fact.answer,
      otherAnswers: [fact.short], statements: [fact.answer])
  }
}

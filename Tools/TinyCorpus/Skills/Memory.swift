import Support

/// Something said a turn earlier is asked for: a name, a number, a colour, a pet.
struct Memory: Skill {
  let kind = Kind.memory

  func draw(_ random: inout SeededGenerator) -> Problem {
    switch random.int(0...9) {
    case 0..<4: name(&random)
    case 4..<7: number(&random)
    case 7..<9: favourite(&random)
    default: pet(&random)
    }
  }

  private func name(_ random: inout SeededGenerator) -> Problem {
    let name = NamePool.draw(&random)
    let tell = fill(
      random.pick([
        "My name is {n}.", "I am {n}.", "Hi, I am {n}.", "Hello, my name is {n}.", "Call me {n}.",
        "Hi! My name is {n}.", "You can call me {n}.", "I'm {n}.", "They call me {n}.",
      ]), ["n": name])
    return Problem(
      key: name, phrasings: Self.namePhrasings, answer: "Your name is \(name).",
      otherAnswers: ["You are \(name).", "\(name)."], statements: ["\(name) is a name."],
      context: [.user(tell), .assistant("Nice to meet you, \(name)!")], mayLowercase: true)
  }

  private func number(_ random: inout SeededGenerator) -> Problem {
    let number = "\(random.int(0...999))"
    let tell = fill(
      random.pick([
        "My number is {n}.", "Remember the number {n}.", "My favourite number is {n}.", "The number is {n}.",
        "Please remember {n}.", "Keep the number {n} in mind.", "I think of the number {n}.",
      ]), ["n": number])
    return Problem(
      key: "number \(number)", phrasings: Self.numberPhrasings, answer: "The number is \(number).",
      otherAnswers: ["\(number)", "It is \(number)."],
      context: [.user(tell), .assistant("OK, I will remember \(number).")])
  }

  private func favourite(_ random: inout SeededGenerator) -> Problem {
    let (topic, value) =
      random.chance(50)
      ? ("colour", random.pick(FactPool.categories[2].members))
      : ("animal", random.pick(FactPool.categories[0].members))
    let tell = fill(
      random.pick([
        "My favourite {t} is {v}.", "The {t} I like best is {v}.", "I like the {t} {v} most.",
        "{v} is my favourite {t}.",
      ]), ["t": topic, "v": value])
    return Problem(
      key: "favourite \(value)", phrasings: Self.favouritePhrasings, slots: ["t": topic],
      answer: "Your favourite \(topic) is \(value).", otherAnswers: ["\(value)", "It is \(value)."],
      context: [.user(tell), .assistant("Good choice! I like \(value) too.")])
  }

  private func pet(_ random: inout SeededGenerator) -> Problem {
    let name = NamePool.draw(&random)
    let animal = random.pick(["cat", "dog", "horse", "rabbit", "parrot"])
    let tell = fill(
      random.pick(["My {a} is called {n}.", "I have a {a} named {n}.", "The name of my {a} is {n}."]),
      ["a": animal, "n": name])
    return Problem(
      key: name, phrasings: Self.petPhrasings, slots: ["a": animal],
      answer: "Your \(animal) is called \(name).", otherAnswers: ["\(name).", "\(name)"],
      context: [.user(tell), .assistant("\(name) is a nice name for a \(animal)!")])
  }

  private static let namePhrasings = Phrasings(
    [
      "What is my name?", "Who am I?", "Do you know my name?", "What is my name again?",
      "What did I say my name is?", "Do you remember my name?", "And what is my name?",
      "What am I called?",
    ],
    commands: [
      "tell me my name", "say my name", "repeat my name",
    ])
  private static let numberPhrasings = Phrasings(
    [
      "What is my number?", "Which number did I say?", "What was the number?", "What is the number?",
      "Do you remember the number?", "Which number was it?", "What number did I tell you?",
    ],
    commands: [
      "tell me the number", "repeat the number", "say the number again", "name the number",
    ])
  private static let favouritePhrasings = Phrasings(
    [
      "What is my favourite {t}?", "Which {t} do I like?", "Which {t} do I like best?",
      "Do you remember my favourite {t}?", "What {t} did I say I like?", "Do you know my favourite {t}?",
      "Which {t} is my favourite?",
    ],
    commands: [
      "tell me my favourite {t}", "say my favourite {t}", "name my favourite {t}",
    ])
  private static let petPhrasings = Phrasings(
    [
      "What is my {a} called?", "What is the name of my {a}?", "What is my {a}'s name?",
      "Do you know the name of my {a}?", "How is my {a} called?", "Do you remember my {a}'s name?",
      "Which name does my {a} have?",
    ],
    commands: [
      "tell me the name of my {a}", "say the name of my {a}", "repeat the name of my {a}",
    ])
}

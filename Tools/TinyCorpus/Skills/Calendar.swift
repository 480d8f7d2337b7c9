import Support

/// Days of the week and months of the year.
struct Calendar: Skill {
  let kind = Kind.calendar

  static let days = WordPool.split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
  static let months = WordPool.split(
    "January February March April May June July August September October November December")
  private static let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  private static let ordinals = WordPool.split(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")

  func draw(_ random: inout SeededGenerator) -> Problem {
    switch random.int(0...9) {
    case 0..<3: neighbour(Self.days, unit: "day", &random)
    case 3..<6: neighbour(Self.months, unit: "month", &random)
    case 6: later(&random)
    case 7..<9: length(&random)
    default: ordinal(&random)
    }
  }

  private func neighbour(_ names: [String], unit: String, _ random: inout SeededGenerator) -> Problem {
    let index = random.int(0...(names.count - 1))
    let after = random.chance(60)
    let other = names[(index + (after ? 1 : names.count - 1)) % names.count]
    let sentence = "\(other) comes \(after ? "after" : "before") \(names[index])."
    return Problem(
      key: "\(after) \(names[index])", phrasings: after ? Self.afterPhrasings : Self.beforePhrasings,
      slots: ["d": names[index], "u": unit], answer: other, otherAnswers: ["\(other).", sentence],
      statements: [sentence, "The \(unit) \(after ? "after" : "before") \(names[index]) is \(other)."])
  }

  /// Two or three days on.
  private func later(_ random: inout SeededGenerator) -> Problem {
    let index = random.int(0...6)
    let count = random.int(2...3)
    let day = Self.days[(index + count) % 7]
    return Problem(
      key: "\(count) after \(Self.days[index])", phrasings: Self.laterPhrasings,
      slots: ["d": Self.days[index], "n": "\(count)"], answer: day, otherAnswers: ["\(day)."],
      statements: ["\(count) days after \(Self.days[index]) is \(day)."])
  }

  private func length(_ random: inout SeededGenerator) -> Problem {
    let index = random.int(0...11)
    let answer = "\(Self.months[index]) has \(Self.lengths[index]) days."
    return Problem(
      key: "length \(Self.months[index])", phrasings: Self.lengthPhrasings,
      slots: ["m": Self.months[index]], answer: answer, otherAnswers: ["\(Self.lengths[index])"],
      statements: [answer])
  }

  private func ordinal(_ random: inout SeededGenerator) -> Problem {
    let days = random.chance(35)
    let names = days ? Self.days : Self.months
    let index = random.int(0...(names.count - 1))
    let (unit, whole) = days ? ("day", "week") : ("month", "year")
    return Problem(
      key: "ordinal \(names[index])", phrasings: Self.ordinalPhrasings,
      slots: ["o": Self.ordinals[index], "u": unit, "w": whole], answer: names[index],
      otherAnswers: ["\(names[index])."],
      statements: ["\(names[index]) is the \(Self.ordinals[index]) \(unit) of the \(whole)."])
  }

  private static let afterPhrasings = Phrasings(
    [
      "What {u} comes after {d}?", "Which {u} comes after {d}?", "What comes after {d}?",
      "What {u} is after {d}?", "Which {u} follows {d}?", "The {u} after {d}?",
      "What is the {u} after {d}?", "If this {u} is {d}, what is the next {u}?",
      "After {d} comes which {u}?", "What is the next {u} after {d}?", "Which {u} is right after {d}?",
    ],
    commands: [
      "tell me the {u} after {d}", "name the {u} after {d}", "say which {u} comes after {d}",
      "give me the {u} after {d}",
    ])
  private static let beforePhrasings = Phrasings(
    [
      "What {u} comes before {d}?", "Which {u} comes before {d}?", "What comes before {d}?",
      "What {u} is before {d}?", "The {u} before {d}?", "What is the {u} before {d}?",
      "If this {u} is {d}, what was the last {u}?", "Before {d} comes which {u}?",
      "Which {u} is right before {d}?",
    ],
    commands: [
      "tell me the {u} before {d}", "name the {u} before {d}", "say which {u} comes before {d}",
      "give me the {u} before {d}",
    ])
  private static let laterPhrasings = Phrasings(
    [
      "What day is {n} days after {d}?", "Which day is {n} days after {d}?",
      "Today is {d}. What day is it in {n} days?", "It is {d}. Which day is it in {n} days?",
      "{n} days after {d}?", "What day comes {n} days after {d}?",
      "If today is {d}, what day is it in {n} days?",
    ],
    commands: [
      "tell me the day {n} days after {d}", "name the day {n} days after {d}",
      "say which day is {n} days after {d}",
    ])
  private static let lengthPhrasings = Phrasings(
    [
      "How many days does {m} have?", "How many days are in {m}?", "How long is {m}?", "Days in {m}?",
      "{m} has how many days?", "How many days are there in {m}?", "What is the number of days in {m}?",
      "How many days has {m}?",
    ],
    commands: [
      "tell me how many days {m} has", "say how long {m} is", "give me the number of days in {m}",
    ])
  private static let ordinalPhrasings = Phrasings(
    [
      "What is the {o} {u} of the {w}?", "Which {u} is the {o} of the {w}?", "The {o} {u} of the {w}?",
      "Which is the {o} {u} in a {w}?", "Do you know the {o} {u} of the {w}?",
      "What do we call the {o} {u} of the {w}?",
    ],
    commands: [
      "tell me the {o} {u} of the {w}", "name the {o} {u} of the {w}",
      "say which {u} is the {o} of the {w}",
    ])
}

/// How many of a small unit make a large one.
struct Units: Skill {
  let kind = Kind.units

  private static let table: [(small: String, large: String, largeMany: String, count: Int)] = [
    ("seconds", "a minute", "minutes", 60), ("minutes", "an hour", "hours", 60),
    ("hours", "a day", "days", 24), ("days", "a week", "weeks", 7), ("months", "a year", "years", 12),
    ("days", "a year", "years", 365), ("weeks", "a year", "years", 52), ("years", "a century", "centuries", 100),
    ("years", "a decade", "decades", 10),
    ("millimetres", "a centimetre", "centimetres", 10), ("centimetres", "a metre", "metres", 100),
    ("cm", "a metre", "metres", 100), ("mm", "a cm", "cm", 10), ("metres", "a kilometre", "kilometres", 1000),
    ("grams", "a kilogram", "kilograms", 1000), ("kilograms", "a tonne", "tonnes", 1000),
    ("millilitres", "a litre", "litres", 1000), ("cents", "a dollar", "dollars", 100),
    ("cents", "a euro", "euros", 100), ("eggs", "a dozen", "dozens", 12), ("seasons", "a year", "years", 4),
  ]

  func draw(_ random: inout SeededGenerator) -> Problem {
    let unit = random.pick(Self.table)
    let many = ![365, 52, 4].contains(unit.count) && unit.small != "eggs" && random.chance(40)
    let n = many ? random.int(2...5) : 1
    let large = many ? "\(n) \(unit.largeMany)" : unit.large
    let verb = many ? "have" : "has"
    let large2 = large.prefix(1).uppercased() + large.dropFirst()
    let answer = "\(large2) \(verb) \(n * unit.count) \(unit.small)."
    return Problem(
      key: "\(large) \(unit.small)", phrasings: Self.phrasings,
      slots: ["s": unit.small, "l": large, "v": many ? "do" : "does", "h": verb], answer: answer,
      otherAnswers: ["\(n * unit.count)", "There are \(n * unit.count) \(unit.small) in \(large)."],
      statements: [answer, "There are \(n * unit.count) \(unit.small) in \(large)."])
  }

  private static let phrasings = Phrasings(
    [
      "How many {s} are in {l}?", "How many {s} {v} {l} have?", "How many {s} in {l}?",
      "How many {s} are there in {l}?", "How many {s} make {l}?", "{l}: how many {s}?",
      "Number of {s} in {l}?", "Do you know how many {s} are in {l}?", "How many {s} is {l}?",
      "I want to know how many {s} are in {l}.",
    ],
    commands: [
      "tell me how many {s} are in {l}", "say how many {s} {l} {h}", "give me the number of {s} in {l}",
    ])
}

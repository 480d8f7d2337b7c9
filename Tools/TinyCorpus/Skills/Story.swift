import Support

/// Tiny stories on request; there is no single right answer, so none are tested.
struct Story: Skill {
  let kind = Kind.story

  func draw(_ random: inout SeededGenerator) -> Problem {
    let animal = random.pick(Self.heroes)
    let story = Self.tell(animal, &random)
    return Problem(
      key: story, phrasings: Self.phrasings, slots: ["a": animal], answer: story, statements: [story])
  }

  private static let heroes = WordPool.split(
    "cat dog fox hen bear mouse frog duck rabbit horse lion boy girl king sailor farmer")

  static func tell(_ hero: String, _ random: inout SeededGenerator) -> String {
    let name = random.pick(NamePool.train)
    let thing = random.pick([
      "a red ball", "an old key", "a small boat", "a warm hat", "a big apple", "a blue stone", "a little bell",
      "a lost book",
    ])
    let place = random.pick([
      "by the river", "in the garden", "under a tree", "near the sea", "on the hill", "in the forest",
      "behind the house",
    ])
    let friend = random.pick(heroes.filter { $0 != hero })
    let bare = thing.drop { $0 != " " }.dropFirst()
    let start = random.pick([
      "A \(hero) named \(name) found \(thing) \(place).", "Once a \(hero) called \(name) lost \(thing) \(place).",
      "\(name) was a \(hero) who lived \(place).", "One day \(name) the \(hero) saw \(thing) \(place).",
    ])
    let middle = random.pick([
      "A \(friend) came and asked for help.", "It was cold, and the night was dark.",
      "\(name) wanted to show it to a \(friend).",
      "Then the rain came and the wind was loud.", "\(name) felt happy and sang a song.",
      "A \(friend) wanted the \(bare) too.",
    ])
    let end = random.pick([
      "In the end they were friends.", "So they shared it and went home.", "At night \(name) slept well.",
      "They played until the sun went down.", "And \(name) was never sad again.",
      "Then \(name) went home and had soup.",
    ])
    return random.chance(70) ? "\(start) \(middle) \(end)" : "\(start) \(end)"
  }

  private static let phrasings = Phrasings(
    [
      "Tell me a story about a {a}.", "Tell me a story with a {a}.", "A story about a {a}, please.",
      "Write a short story about a {a}.", "Can you tell me a story about a {a}?", "Make up a story about a {a}.",
      "I want a story about a {a}.", "Do you know a story about a {a}?", "Tell a tiny story about a {a}.",
      "Give me a story with a {a} in it.",
    ], held: 1)
}

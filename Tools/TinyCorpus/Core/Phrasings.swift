/// The ways to ask one question: templates with `{slots}`.
package struct Phrasings: Sendable {
  /// Always in training and never tested: the plainest ways, which a chatbot must not miss.
  package let common: [String]
  /// Seen in training; where the split is by phrasing, some are validated and tested with a topic they were never
  /// trained with.
  package let seen: [String]
  /// Only in validation and test.
  package let heldOut: [String]

  /// The last `held` of `templates` are held out.
  init(_ templates: [String], held: Int) {
    common = []
    seen = Array(templates.dropLast(held))
    heldOut = Array(templates.suffix(held))
  }

  /// Every template with every value of the slot `{x}`: paraphrases times patterns.
  /// Patterns are held out as the last `held` of them.
  init(patterns: [String], held: Int, x values: [String]) {
    func expand(_ patterns: some Sequence<String>) -> [String] {
      patterns.flatMap { pattern in values.map { fill(pattern, ["x": $0]) } }
    }
    common = []
    seen = expand(patterns.dropLast(held))
    heldOut = expand(patterns.suffix(held))
  }

  init(common: [String] = [], seen: [String], heldOut: [String]) {
    self.common = common
    self.seen = seen
    self.heldOut = heldOut
  }

  /// Questions, and commands such as `spell {w}` in every form a request takes. Each command lacks one form in training,
  /// and is tested in it: the words are known, their combination is new.
  init(_ questions: [String], commands: [String]) {
    var framed: [String] = []
    var heldOut: [String] = []
    for (index, command) in commands.enumerated() {
      for (form, frame) in Self.requests.enumerated() {
        let text = form == 0 ? command.prefix(1).uppercased() + command.dropFirst() + "." : fill(frame, ["x": command])
        if form == 1 + index % (Self.requests.count - 1) { heldOut.append(text) } else { framed.append(text) }
      }
    }
    common = []
    seen = questions + questions + framed
    self.heldOut = heldOut
  }

  private static let requests = [
    "{x}.", "Please {x}.", "Can you {x}?", "I want you to {x}.", "Would you {x}?", "Could you {x}, please?",
  ]

  /// Whole sentences as people say them, plain or with an opener; the last `held` of them are held out, and so are
  /// some openers.
  static func spoken(_ asks: [String], held: Int) -> Phrasings {
    let known = Array(asks.dropLast(held))
    func opened(by openers: [String]) -> [String] { openers.flatMap { opener in known.map { opener + $0 } } }
    return Phrasings(
      common: known,
      seen: opened(by: [
        "Good day! ", "Hey, stitch! ", "Do you know this: ", "Here is a question: ", "I want to say: ", "Listen: ",
      ]),
      // About one held-out question in five is a sentence never seen.
      heldOut: asks.suffix(held) + opened(by: ["Hear this: ", "And now: "]).prefix(4 * held))
  }

  /// All templates of both lists together with those of another set.
  func joined(_ other: Phrasings) -> Phrasings {
    Phrasings(common: common + other.common, seen: seen + other.seen, heldOut: heldOut + other.heldOut)
  }
}

/// Replaces each `{name}` of a template by its value; an unknown name is a mistake of ours.
package func fill(_ template: String, _ slots: [String: String]) -> String {
  var result: [UInt8] = []
  result.reserveCapacity(template.utf8.count + 32)
  var name: [UInt8]?
  for byte in template.utf8 {
    switch byte {
    case UInt8(ascii: "{"): name = []
    case UInt8(ascii: "}"):
      let key = String(decoding: name ?? [], as: UTF8.self)
      if let value = slots[key] {
        result.append(contentsOf: value.utf8)
      } else {
        result.append(contentsOf: "{\(key)}".utf8)
      }
      name = nil
    default:
      if name == nil { result.append(byte) } else { name?.append(byte) }
    }
  }
  return String(decoding: result, as: UTF8.self)
}

/// The ways to ask one question: templates with `{slots}`.
package struct Phrasings: Sendable {
  /// Seen in training.
  package let seen: [String]
  /// Only in validation and test.
  package let heldOut: [String]

  /// The last `held` of `templates` are held out.
  init(_ templates: [String], held: Int) {
    seen = Array(templates.dropLast(held))
    heldOut = Array(templates.suffix(held))
  }

  /// Every template with every value of the slot `{x}`: paraphrases times patterns.
  /// Patterns are held out as the last `held` of them.
  init(patterns: [String], held: Int, x values: [String]) {
    func expand(_ patterns: some Sequence<String>) -> [String] {
      patterns.flatMap { pattern in values.map { fill(pattern, ["x": $0]) } }
    }
    seen = expand(patterns.dropLast(held))
    heldOut = expand(patterns.suffix(held))
  }

  init(seen: [String], heldOut: [String]) {
    self.seen = seen
    self.heldOut = heldOut
  }

  /// All templates of both lists together with those of another set.
  func joined(_ other: Phrasings) -> Phrasings {
    Phrasings(seen: seen + other.seen, heldOut: heldOut + other.heldOut)
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

import Support

/// How people really type: greetings in front, thanks behind, capitals and marks left out.
package enum Surface {
  private static let openers = [
    "Hi! ", "Hello! ", "Hey, ", "Tell me this: ", "Quick question: ", "Say, ", "OK, ",
    "I have a question. ", "One more: ", "Next: ", "Now: ", "And ", "So, ", "Can you help me? ",
    "Question: ", "Well, ", "Another one: ", "Help me: ", "Good. ", "Hm, ", "Also, ",
  ]
  private static let closers = [" Please.", " Thanks!", " Thank you.", " Tell me.", " Please!"]

  /// Wears a question in: about half stay as they are.
  static func wear(_ text: String, mayLowercase: Bool, _ random: inout SeededGenerator) -> String {
    var text = text
    switch random.int(0...99) {
    case 0..<18:
      let opener = random.pick(openers)
      text = opener + (opener.hasSuffix(", ") || opener == "And " ? lowerFirst(text) : text)
    case 18..<24: text += random.pick(closers)
    default: break
    }
    if random.chance(12), let last = text.last, "?.!".contains(last) { text.removeLast() }
    if mayLowercase, random.chance(14) { text = text.lowercased() }
    return text
  }

  private static func lowerFirst(_ text: String) -> String {
    if text.hasPrefix("I ") || text.hasPrefix("I'") { return text }
    return text.prefix(1).lowercased() + text.dropFirst()
  }

  /// What two questions have in common if only capitals, spaces and marks differ.
  package static func normalized(_ text: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes.append(byte | 0x20)
      case UInt8(ascii: " "), UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: "."),
        UInt8(ascii: ","), UInt8(ascii: ":"):
        if bytes.last != UInt8(ascii: " "), !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
      default: bytes.append(byte)
      }
    }
    if bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}

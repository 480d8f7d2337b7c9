/// What one encoding after another remembers: words with their tokens, and the classes of characters.
struct WordMemory: Sendable {
  var classes = CharacterClasses()
  /// What is left of them for the text that is being encoded.
  var steps = PatternSteps(textLength: 0)
  /// Words, one after the other, and their tokens.
  private var bytes: [UInt8] = []
  private var tokens: [Int32] = []
  private var entries: [Entry] = []
  /// Open addressing: places among `entries`, or −1.
  private var slots = [Int32](repeating: -1, count: 2 * most)

  /// Then all is forgotten.
  private static let most = 1 << 15
  static let longest = 32

  private struct Entry {
    var hash: UInt64
    var start: Int32
    var end: Int32
    var firstToken: Int32
    var lastToken: Int32
  }

  /// Appends the tokens of a word, if they are known.
  func append(_ word: ArraySlice<UInt8>, hash: UInt64, to result: inout [Int]) -> Bool {
    let number = slots[slot(word, hash)]
    guard number >= 0 else { return false }
    let entry = entries[Int(number)]
    for index in Int(entry.firstToken)..<Int(entry.lastToken) { result.append(Int(tokens[index])) }
    return true
  }

  mutating func insert(_ word: ArraySlice<UInt8>, hash: UInt64, _ symbols: [Int32]) {
    if entries.count == Self.most {
      bytes.removeAll(keepingCapacity: true)
      tokens.removeAll(keepingCapacity: true)
      entries.removeAll(keepingCapacity: true)
      for slot in slots.indices { slots[slot] = -1 }
    }
    slots[slot(word, hash)] = Int32(entries.count)
    entries.append(
      Entry(
        hash: hash, start: Int32(bytes.count), end: Int32(bytes.count + word.count), firstToken: Int32(tokens.count),
        lastToken: Int32(tokens.count + symbols.count)))
    bytes += word
    tokens += symbols
  }

  /// Where a word is, or would be put.
  private func slot(_ word: ArraySlice<UInt8>, _ hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let entry = entries[Int(slots[slot])]
      if entry.hash == hash, Int(entry.end - entry.start) == word.count {
        let start = Int(entry.start)
        var index = 0
        while index < word.count, bytes[start + index] == word[word.startIndex + index] { index += 1 }
        if index == word.count { break }
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}

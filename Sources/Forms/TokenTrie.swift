/// The bytes of a vocabulary's tokens as a tree: tokens that begin alike are looked at together.
struct TokenTrie: Sendable {
  /// A byte of some tokens, in the order of a walk that goes down first.
  private struct Entry {
    var byte: UInt8
    /// Bytes up to this one.
    var depth: Int32
    /// The next entry that is not below this one.
    var next: Int32
    /// Of `tokens`, those that end here.
    var first: Int32
    var count: Int32
  }

  private var entries: [Entry] = []
  private var tokens: [Int32] = []
  private var deepest = 0
  /// Tokens there are, with and without bytes.
  let count: Int

  /// - Parameter bytes: of each token; `nil` for one that adds nothing to a text.
  init(_ bytes: [[UInt8]?]) {
    count = bytes.count
    let sorted = bytes.indices.compactMap { token in
      bytes[token].flatMap { $0.isEmpty ? nil : (bytes: $0, token: token) }
    }
    .sorted { ($0.bytes, $0.token) < ($1.bytes, $1.token) }
    var path: [Int] = []
    for (bytes, token) in sorted {
      var shared = 0
      while shared < min(path.count, bytes.count) && entries[path[shared]].byte == bytes[shared] { shared += 1 }
      close(&path, to: shared)
      for depth in shared..<bytes.count {
        path.append(entries.count)
        entries.append(
          Entry(byte: bytes[depth], depth: Int32(depth + 1), next: 0, first: Int32(tokens.count), count: 0))
      }
      entries[path[path.count - 1]].count += 1
      tokens.append(Int32(token))
      deepest = max(deepest, bytes.count)
    }
    close(&path, to: 0)
  }

  private mutating func close(_ path: inout [Int], to length: Int) {
    while path.count > length { entries[path.removeLast()].next = Int32(entries.count) }
  }

  /// Tokens that may come where an automaton is in a state: bit t % 64 of word t / 64.
  func mask(_ automaton: inout FormAutomaton, state: Int32) throws(FormError) -> [UInt64] {
    var mask = [UInt64](repeating: 0, count: (count + 63) / 64)
    var states = [Int32](repeating: state, count: deepest + 1)
    var index = 0
    while index < entries.count {
      let entry = entries[index]
      let next = try automaton.step(states[Int(entry.depth) - 1], entry.byte)
      if next == FormAutomaton.dead {
        index = Int(entry.next)
        continue
      }
      states[Int(entry.depth)] = next
      for place in Int(entry.first)..<Int(entry.first + entry.count) {
        mask[Int(tokens[place]) >> 6] |= 1 << UInt64(tokens[place] & 63)
      }
      index += 1
    }
    return mask
  }
}

private func < (left: ([UInt8], Int), right: ([UInt8], Int)) -> Bool {
  if left.0 == right.0 { return left.1 < right.1 }
  return left.0.lexicographicallyPrecedes(right.0)
}

/// What merging does to the symbols of a word: the pair with the lowest rank first, the leftmost of equals.
struct PairMerging: Sendable {
  /// A pair (left in the upper half), and its rank (upper half) and result.
  private struct Entry {
    var key = none
    var value = none
  }

  /// Open addressing.
  private var entries: [Entry]
  private static let none = UInt64.max

  /// - Parameter count: of the pairs to come.
  init(capacity count: Int) {
    entries = [Entry](repeating: Entry(), count: 2 * count.roundedUpToPowerOfTwo)
  }

  /// Of equal pairs the last counts, as in the reference.
  mutating func insert(_ left: Int, _ right: Int, rank: Int, result: Int) {
    let key = Self.key(Int32(left), Int32(right))
    entries[slot(key)] = Entry(key: key, value: UInt64(UInt32(rank)) << 32 | UInt64(UInt32(result)))
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func slot(_ key: UInt64) -> Int {
    let hash = key &* 0x9E37_79B9_7F4A_7C15
    var slot = Int(truncatingIfNeeded: hash >> 24) & (entries.count - 1)
    while entries[slot].key != key, entries[slot].key != Self.none { slot = (slot + 1) & (entries.count - 1) }
    return slot
  }

  /// Rank and result of a pair; all ones if it is not merged.
  private func merge(_ left: Int32, _ right: Int32) -> UInt64 { entries[slot(Self.key(left, right))].value }

  /// Merges in place until nothing can be merged.
  func merge(_ symbols: inout [Int32]) {
    if symbols.count > Self.longestScanned { mergeLong(&symbols) } else { mergeShort(&symbols) }
  }

  private static let longestScanned = 48

  /// Looks for the best pair among all, each time.
  private func mergeShort(_ symbols: inout [Int32]) {
    guard symbols.count > 1 else { return }
    var merges: [UInt64] = []
    merges.reserveCapacity(symbols.count)
    for index in 1..<symbols.count { merges.append(merge(symbols[index - 1], symbols[index])) }
    while true {
      var best = Self.none
      var place = 0
      for (index, merge) in merges.enumerated() where merge >> 32 < best >> 32 {
        best = merge
        place = index
      }
      if best == Self.none { return }
      symbols[place] = Int32(truncatingIfNeeded: best)
      symbols.remove(at: place + 1)
      merges.remove(at: place)
      if place > 0 { merges[place - 1] = merge(symbols[place - 1], symbols[place]) }
      if place < merges.count { merges[place] = merge(symbols[place], symbols[place + 1]) }
    }
  }

  /// The same for words of any length, in little more than linear time: candidates wait in a heap, symbols are a linked
  /// list.
  private func mergeLong(_ symbols: inout [Int32]) {
    var parts = symbols
    let count = parts.count
    var next = (0..<count).map { Int32($0 + 1) }
    var previous = (0..<count).map { Int32($0 - 1) }
    // Rank in the upper half, place of the left symbol in the lower.
    var heap = LeastHeap((0..<count - 1).compactMap { candidate($0, parts, next) })
    while let best = heap.removeLeast() {
      let left = Int(UInt32(truncatingIfNeeded: best))
      // What stood there may have been merged otherwise in the meantime: −1 is a symbol that is gone.
      guard parts[left] >= 0, candidate(left, parts, next) == best else { continue }
      let right = Int(next[left])
      parts[left] = Int32(truncatingIfNeeded: merge(parts[left], parts[right]))
      parts[right] = -1
      next[left] = next[right]
      if Int(next[left]) < count { previous[Int(next[left])] = Int32(left) }
      if let found = candidate(left, parts, next) { heap.insert(found) }
      if previous[left] >= 0, let found = candidate(Int(previous[left]), parts, next) { heap.insert(found) }
    }
    symbols = parts.filter { $0 >= 0 }
  }

  private func candidate(_ left: Int, _ parts: [Int32], _ next: [Int32]) -> UInt64? {
    guard Int(next[left]) < parts.count else { return nil }
    let merge = merge(parts[left], parts[Int(next[left])])
    return merge == Self.none ? nil : (merge & ~UInt64(UInt32.max)) | UInt64(left)
  }
}

/// The tokens that merges make. Mostly each is the one after that of the merge before.
struct MergeResults {
  private let index: SpellingIndex
  private let tokens: Spellings
  private var expected = 0
  private var joined: [UInt8] = []

  init(_ index: SpellingIndex, of tokens: Spellings) {
    self.index = index
    self.tokens = tokens
  }

  /// - Parameters:
  ///   - left: where the left spelling lies among `bytes`.
  ///   - right: the same of the right one.
  mutating func next(_ bytes: [UInt8], _ left: Range<Int>, _ right: Range<Int>) -> Int? {
    if !isExpected(bytes, left, right) {
      joined.removeAll(keepingCapacity: true)
      joined += bytes[left]
      joined += bytes[right]
      guard let found = index.number(of: joined) else { return nil }
      expected = found
    }
    defer { expected += 1 }
    return expected
  }

  private func isExpected(_ bytes: [UInt8], _ left: Range<Int>, _ right: Range<Int>) -> Bool {
    guard expected < tokens.count, case let place = tokens.places[expected], place.count == left.count + right.count
    else { return false }
    let middle = place.lowerBound + left.count
    return tokens.bytes[place.lowerBound..<middle] == bytes[left]
      && tokens.bytes[middle..<place.upperBound] == bytes[right]
  }
}

/// A heap with its least number on top.
private struct LeastHeap {
  private var numbers: [UInt64]

  init(_ numbers: [UInt64]) {
    self.numbers = numbers
    for index in stride(from: numbers.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  mutating func insert(_ number: UInt64) {
    numbers.append(number)
    var index = numbers.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      if numbers[parent] <= number { break }
      numbers[index] = numbers[parent]
      index = parent
    }
    numbers[index] = number
  }

  mutating func removeLeast() -> UInt64? {
    guard let least = numbers.first, let last = numbers.popLast() else { return nil }
    if !numbers.isEmpty {
      numbers[0] = last
      sink(0)
    }
    return least
  }

  private mutating func sink(_ start: Int) {
    let number = numbers[start]
    var index = start
    while true {
      var child = 2 * index + 1
      if child >= numbers.count { break }
      if child + 1 < numbers.count, numbers[child + 1] < numbers[child] { child += 1 }
      if number <= numbers[child] { break }
      numbers[index] = numbers[child]
      index = child
    }
    numbers[index] = number
  }
}

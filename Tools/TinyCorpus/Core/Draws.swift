import Support

/// What the corpus draws.
extension SeededGenerator {
  /// A whole number in `range`, both ends included. The bias of a 64-bit multiply is negligible here.
  package mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + index(below: range.upperBound - range.lowerBound + 1)
  }

  /// True with probability `percent` / 100.
  mutating func chance(_ percent: Int) -> Bool { int(0...99) < percent }

  /// One element of a list that must not be empty.
  mutating func pick<T>(_ list: [T]) -> T { list[int(0...(list.count - 1))] }

  /// `count` different elements in random order.
  mutating func sample<T>(_ list: [T], _ count: Int) -> [T] {
    var rest = list
    for i in 0..<count { rest.swapAt(i, int(i...(rest.count - 1))) }
    return Array(rest.prefix(count))
  }
}

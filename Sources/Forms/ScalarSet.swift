/// A set of Unicode scalars, as ranges in order with gaps between them. Surrogates are in none.
struct ScalarSet: Hashable, Sendable {
  private(set) var ranges: [ClosedRange<UInt32>]

  /// - Parameter ranges: in any order, and they may overlap.
  init(_ ranges: [ClosedRange<UInt32>]) {
    var sorted: [ClosedRange<UInt32>] = []
    for range in ranges.flatMap(Self.withoutSurrogates).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = sorted.last, range.lowerBound <= last.upperBound + 1 {
        sorted[sorted.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        sorted.append(range)
      }
    }
    self.ranges = sorted
  }

  init(_ characters: String) { self.init(characters.unicodeScalars.map { $0.value...$0.value }) }

  static let all = ScalarSet([0...0x10FFFF])

  var isEmpty: Bool { ranges.isEmpty }

  func contains(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } }

  var complement: ScalarSet {
    var gaps: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
      next = range.upperBound + 1
    }
    if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
    return ScalarSet(gaps)
  }

  func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }
  func intersection(_ other: ScalarSet) -> ScalarSet { complement.union(other.complement).complement }
  func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.complement) }

  private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
    let (low, high) = (range.lowerBound, range.upperBound)
    if high < 0xD800 || low > 0xDFFF { return [range] }
    return (low < 0xD800 ? [low...0xD7FF] : []) + (high > 0xDFFF ? [0xE000...high] : [])
  }

  /// The set as sequences of ranges of bytes: the UTF-8 of its scalars, and nothing else.
  var byteSequences: [[ClosedRange<UInt8>]] {
    var sequences: [[ClosedRange<UInt8>]] = []
    for range in ranges { Self.split(range.lowerBound, range.upperBound, into: &sequences) }
    return sequences
  }

  /// Cuts a range where the length of its UTF-8 changes, then where bytes after the first would not be whole ranges.
  private static func split(_ low: UInt32, _ high: UInt32, into sequences: inout [[ClosedRange<UInt8>]]) {
    for last in [0x7F, 0x7FF, 0xFFFF] as [UInt32] where low <= last && high > last {
      split(low, last, into: &sequences)
      return split(last + 1, high, into: &sequences)
    }
    // An ASCII character has no bytes after the first.
    for bits in high < 0x80 ? [] : [6, 12, 18] as [UInt32] {
      let rest: UInt32 = (1 << bits) - 1
      guard low & ~rest != high & ~rest else { continue }
      if low & rest != 0 {
        split(low, low | rest, into: &sequences)
        return split((low | rest) + 1, high, into: &sequences)
      }
      if high & rest != rest {
        split(low, (high & ~rest) - 1, into: &sequences)
        return split(high & ~rest, high, into: &sequences)
      }
    }
    guard let first = Unicode.Scalar(low), let last = Unicode.Scalar(high) else { return }
    sequences.append(zip(UTF8.encode(first)!, UTF8.encode(last)!).map { $0...$1 })
  }
}

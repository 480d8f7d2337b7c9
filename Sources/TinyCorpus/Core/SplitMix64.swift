/// A small seeded generator: the same seed gives the same corpus on every machine.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence of `seed`.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return SplitMix64.mix(state)
  }

  /// The finaliser of SplitMix64, also used to hash keys.
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A whole number in `range`, both ends included. The bias of a 64-bit multiply is negligible here.
  package mutating func int(_ range: ClosedRange<Int>) -> Int {
    let span = UInt64(range.upperBound - range.lowerBound + 1)
    return range.lowerBound + Int(next().multipliedFullWidth(by: span).high)
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

import Foundation

/// A small seeded generator (SplitMix64; Steele, Lea & Flood 2014): the same seed gives the same numbers everywhere.
public struct SeededGenerator: RandomNumberGenerator, Sendable, Equatable, Codable {
  /// The whole state; saving and restoring it continues the sequence.
  public private(set) var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// An independent sequence for one purpose: seeds that differ only in `stream` do not overlap in practice.
  public init(seed: UInt64, stream: UInt64) {
    var mixer = SeededGenerator(seed: seed ^ (stream &* 0xD1B5_4A32_D192_ED03))
    state = mixer.next()
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// The finaliser of SplitMix64, which also makes hashes of keys.
  package static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in [0, 1).
  public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0 ..< bound.
  public mutating func index(below bound: Int) -> Int {
    precondition(bound > 0)
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// An index, each with a probability in proportion to its weight.
  public mutating func index(weights: [Double]) -> Int {
    precondition(!weights.isEmpty)
    var left = unit() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return index }
    }
    return weights.count - 1
  }

  /// Standard normal (Box & Muller 1958).
  public mutating func normal() -> Double {
    let radius = (-2 * log(1 - unit())).squareRoot()
    return radius * cos(2 * Double.pi * unit())
  }

  /// Two floats uniform in [0, 1), of 24 bits each.
  package mutating func units() -> (Float, Float) {
    let bits = next()
    return (Float(bits >> 40) * 0x1p-24, Float(bits & 0xFF_FFFF) * 0x1p-24)
  }

  /// A random permutation of 0 ..< count (Fisher–Yates).
  public mutating func permutation(of count: Int) -> [Int] {
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, index(below: last + 1)) }
    return order
  }
}

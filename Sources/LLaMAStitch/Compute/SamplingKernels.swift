/// What choosing a token does with a whole vocabulary, eight logits at a time. There is no fused multiply-add: the results
/// are the same on every processor.
extension VectorView {
  /// The first index of the largest of the first `count` values; `nil` where none is a number above −∞.
  package func indexOfLargest(count: Int) -> Int? {
    precondition(count <= self.count)
    var best = SIMD8<Float>(repeating: -.infinity)
    let whole = count / 8 * 8
    for index in stride(from: 0, to: whole, by: 8) {
      let values = load(index)
      best.replace(with: values, where: values .> best)
    }
    var largest = best.max()
    for index in whole..<count where base[index] > largest { largest = base[index] }
    if largest == -.infinity { return nil }
    for index in 0..<count where base[index] == largest { return index }
    return nil
  }

  /// `exponents[i] = (self[i] − largest) / temperature`
  package func exponents(largest: Double, temperature: Double, into exponents: inout [Double]) {
    precondition(exponents.count <= count)
    exponents.withUnsafeMutableBufferPointer { exponents in
      let whole = exponents.count / 8 * 8
      for index in stride(from: 0, to: whole, by: 8) {
        let values = (SIMD8<Double>(load(index)) - largest) / temperature
        UnsafeMutableRawPointer(exponents.baseAddress! + index).storeBytes(of: values, as: SIMD8<Double>.self)
      }
      for index in whole..<exponents.count { exponents[index] = (Double(base[index]) - largest) / temperature }
    }
  }

  private func load(_ index: Int) -> SIMD8<Float> {
    UnsafeRawPointer(base + index).loadUnaligned(as: SIMD8<Float>.self)
  }
}

/// Exponentials of many numbers.
package enum Exponentials {
  /// Replaces each of the numbers, none of them above 0, by its exponential: 0 where it is not a number, or next to 0.
  /// - Returns: their sum.
  package static func replace(_ numbers: inout [Double]) -> Double {
    numbers.withUnsafeMutableBufferPointer { numbers in
      var sums = SIMD8<Double>.zero
      let whole = numbers.count / 8 * 8
      for index in stride(from: 0, to: whole, by: 8) {
        let place = UnsafeMutableRawPointer(numbers.baseAddress! + index)
        let values = exponential(place.loadUnaligned(as: SIMD8<Double>.self))
        place.storeBytes(of: values, as: SIMD8<Double>.self)
        sums += values
      }
      var sum = sums.sum()
      for index in whole..<numbers.count {
        numbers[index] = exponential(SIMD8(repeating: numbers[index]))[0]
        sum += numbers[index]
      }
      return sum
    }
  }

  /// eˣ = 2ᵏ eʳ with |r| ≤ ln 2 / 2, of which a Taylor series of degree 13 gives all bits but perhaps the last.
  @inline(__always)
  private static func exponential(_ x: SIMD8<Double>) -> SIMD8<Double> {
    // Adding and subtracting this rounds to whole numbers, which the lowest bits of the sum hold.
    let rounder = 0x1.8p52
    let sum = x * 1.4426950408889634 + rounder
    let k = sum - rounder
    // ln 2 in two parts: k times the first one is exact.
    let r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33
    var series = SIMD8<Double>(repeating: 1 / 6_227_020_800)
    series = series * r + 1 / 479_001_600
    series = series * r + 1 / 39_916_800
    series = series * r + 1 / 3_628_800
    series = series * r + 1 / 362_880
    series = series * r + 1 / 40320
    series = series * r + 1 / 5040
    series = series * r + 1 / 720
    series = series * r + 1 / 120
    series = series * r + 1 / 24
    series = series * r + 1 / 6
    series = series * r + 1 / 2
    series = series * r + 1
    series = series * r + 1
    // 2ᵏ: its exponent is k's.
    let power = unsafeBitCast(
      (unsafeBitCast(sum, to: SIMD8<Int64>.self) &<< 52) &+ (1023 << 52), to: SIMD8<Double>.self)
    // Comparing is false of what is not a number.
    return SIMD8<Double>.zero.replacing(with: series * power, where: x .>= -708)
  }
}

import CKernels

/// What choosing a token does with a whole vocabulary. Nothing is fused or added in another order: the results are the same
/// on every processor.
extension VectorView {
  /// The first index of the largest of the first `count` values; `nil` where none is a number above −∞.
  package func indexOfLargest(count: Int) -> Int? {
    precondition(count <= self.count)
    let index = InferenceKernels.best.table.pointee.largest(base, count)
    return index < count ? index : nil
  }

  /// `exponentials[i] = exp((self[i] − largest) / temperature)`, none of the first values being above `largest`: 0 where one is
  /// not a number, or next to 0.
  /// - Returns: their sum.
  package func exponentials(largest: Float, temperature: Double, into exponentials: inout [Float]) -> Double {
    let count = exponentials.count
    precondition(count <= self.count)
    return exponentials.withUnsafeMutableBufferPointer { exponentials in
      guard let start = exponentials.baseAddress else { return 0 }
      return self.exponentials(0..<count, largest, temperature, start)
    }
  }

  /// The first index up to which these exponentials of the first `count` values come to more than `share` of all of them; `nil`
  /// where none does. None is kept: they are made some at a time, and those among which the index is once more.
  package func indexOfShare(_ share: Double, largest: Float, temperature: Double, count: Int) -> Int? {
    precondition(count <= self.count)
    let pieces = (count + Self.atATime - 1) / Self.atATime
    func piece(_ number: Int) -> Range<Int> { number * Self.atATime..<min((number + 1) * Self.atATime, count) }
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: pieces) { sums in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.atATime) { some in
        guard let start = some.baseAddress else { return nil }
        var whole = 0.0
        for number in 0..<pieces {
          sums.initializeElement(at: number, to: exponentials(piece(number), largest, temperature, start))
          whole += sums[number]
        }
        var sum = 0.0
        for number in 0..<pieces {
          if sum + sums[number] <= share * whole {
            sum += sums[number]
            continue
          }
          _ = exponentials(piece(number), largest, temperature, start)
          for index in piece(number) {
            sum += Double(start[index - piece(number).lowerBound])
            if sum > share * whole { return index }
          }
        }
        return nil
      }
    }
  }

  private static var atATime: Int { 1024 }

  private func exponentials(
    _ range: Range<Int>, _ largest: Float, _ temperature: Double, _ out: UnsafeMutablePointer<Float>
  ) -> Double {
    // Of the largest it is 0 times this.
    let inverse = Float(min(1 / temperature, Double(Float.greatestFiniteMagnitude)))
    return InferenceKernels.best.table.pointee.exponentials(
      base + range.lowerBound, range.count, largest, inverse, out)
  }
}

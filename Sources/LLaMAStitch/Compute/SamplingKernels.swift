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

  /// The same, some indices left out, each named once.
  package func indexOfLargest(count: Int, besides indices: [Int]) -> Int? {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: indices.count) { values in
      for (place, index) in indices.enumerated() {
        values.initializeElement(at: place, to: self[index])
        self[index] = -.infinity
      }
      defer { for (place, index) in indices.enumerated() { self[index] = values[place] } }
      return indexOfLargest(count: count)
    }
  }

  /// `exponents[i] = (self[i] − largest) / temperature`
  package func exponents(largest: Double, temperature: Double, into exponents: inout [Double]) {
    precondition(exponents.count <= count)
    exponents.withUnsafeMutableBufferPointer { exponents in
      guard let start = exponents.baseAddress else { return }
      InferenceKernels.best.table.pointee.spread(base, exponents.count, largest, temperature, start)
    }
  }
}

extension VectorView {
  /// `exponentials[i] = exp((self[i] − largest) / temperature)`, none of the first values being above `largest`: 0 where one is
  /// not a number, or next to 0. Some at a time, so that each is written to memory once.
  /// - Returns: their sum.
  package func exponentials(largest: Double, temperature: Double, into exponentials: inout [Double]) -> Double {
    let count = exponentials.count
    precondition(count <= self.count)
    return exponentials.withUnsafeMutableBufferPointer { exponentials in
      guard let start = exponentials.baseAddress else { return 0 }
      return stride(from: 0, to: count, by: Self.atATime).reduce(0) { sum, first in
        sum + self.exponentials(from: first, of: count, largest, temperature, start + first)
      }
    }
  }

  /// The first index up to which these exponentials of the first `count` values come to more than `share` of all of them; `nil`
  /// where none does. None is kept: they are made some at a time, and those among which the index is once more.
  package func indexOfShare(_ share: Double, largest: Double, temperature: Double, count: Int) -> Int? {
    precondition(count <= self.count)
    let pieces = (count + Self.atATime - 1) / Self.atATime
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.atATime + pieces) { room in
      guard let some = room.baseAddress else { return nil }
      let sums = some + Self.atATime
      var all = 0.0
      for piece in 0..<pieces {
        sums[piece] = exponentials(from: piece * Self.atATime, of: count, largest, temperature, some)
        all += sums[piece]
      }
      var sum = 0.0
      for piece in 0..<pieces {
        if sum + sums[piece] <= share * all {
          sum += sums[piece]
          continue
        }
        let first = piece * Self.atATime
        _ = exponentials(from: first, of: count, largest, temperature, some)
        for index in first..<min(first + Self.atATime, count) {
          sum += some[index - first]
          if sum > share * all { return index }
        }
      }
      return nil
    }
  }

  private static var atATime: Int { 1024 }

  /// Some of the first `count` values' exponentials.
  /// - Returns: their sum.
  private func exponentials(
    from first: Int, of count: Int, _ largest: Double, _ temperature: Double, _ out: UnsafeMutablePointer<Double>
  ) -> Double {
    let some = min(Self.atATime, count - first)
    let table = InferenceKernels.best.table
    table.pointee.spread(base + first, some, largest, temperature, out)
    return table.pointee.exponentials(out, some)
  }
}

/// Exponentials of many numbers.
package enum Exponentials {
  /// Replaces each of the numbers, none of them above 0, by its exponential: 0 where it is not a number, or next to 0.
  /// - Returns: their sum.
  package static func replace(_ numbers: inout [Double]) -> Double {
    numbers.withUnsafeMutableBufferPointer { numbers in
      guard let start = numbers.baseAddress else { return 0 }
      return InferenceKernels.best.table.pointee.exponentials(start, numbers.count)
    }
  }
}

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
    precondition(exponentials.count <= count)
    let table = InferenceKernels.best.table
    return exponentials.withUnsafeMutableBufferPointer { exponentials in
      guard let start = exponentials.baseAddress else { return 0 }
      return stride(from: 0, to: exponentials.count, by: 1024).reduce(0) { sum, first in
        let some = min(1024, exponentials.count - first)
        table.pointee.spread(base + first, some, largest, temperature, start + first)
        return sum + table.pointee.exponentials(start + first, some)
      }
    }
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

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

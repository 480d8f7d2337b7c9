/// One number a part, each written by the part that owns it and read after all have ended.
///
/// `@unchecked Sendable`: no two parts write the same place; `ComputePool.run` orders the writes before the reads.
package final class Slots: @unchecked Sendable {
  package let count: Int
  private let base: UnsafeMutablePointer<Double>

  package init(count: Int) {
    self.count = count
    base = .allocate(capacity: max(1, count))
    base.initialize(repeating: 0, count: count)
  }

  deinit { base.deallocate() }

  package subscript(index: Int) -> Double {
    get {
      precondition(index >= 0 && index < count)
      return base[index]
    }
    set {
      precondition(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// The sum in order of index.
  package var sum: Double { (0..<count).reduce(0) { $0 + base[$1] } }
}

/// One number a part, each written by the part that owns it and read after all have ended.
///
/// `@unchecked Sendable`: no two parts write the same place; `ComputePool.run` orders the writes before the reads.
final class Slots: @unchecked Sendable {
  let count: Int
  private let base: UnsafeMutablePointer<Double>

  init(count: Int) {
    self.count = count
    base = .allocate(capacity: max(1, count))
    base.initialize(repeating: 0, count: count)
  }

  deinit { base.deallocate() }

  subscript(index: Int) -> Double {
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
  var sum: Double { (0..<count).reduce(0) { $0 + base[$1] } }
}

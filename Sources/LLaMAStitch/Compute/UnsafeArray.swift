/// Elements of a fixed array of plain structs, read by several threads without counting references.
package struct UnsafeArray<Element: BitwiseCopyable>: BitwiseCopyable {
  private let base: UnsafeMutablePointer<Element>
  package let count: Int

  /// The memory is freed by `deallocate`, which its owner calls once.
  package init(_ elements: [Element]) {
    let base = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
    elements.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.initialize(from: start, count: elements.count) }
    }
    self.base = base
    count = elements.count
  }

  @inline(__always)
  package subscript(index: Int) -> Element {
    get { base[index] }
    nonmutating set { base[index] = newValue }
  }

  /// The first elements, in the same memory.
  package func prefix(_ count: Int) -> UnsafeArray {
    precondition(count <= self.count)
    return UnsafeArray(base: base, count: count)
  }

  /// Some of the elements, in the same memory.
  @inline(__always)
  package func elements(_ range: Range<Int>) -> UnsafeArray {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return UnsafeArray(base: base + range.lowerBound, count: range.count)
  }

  fileprivate init(base: UnsafeMutablePointer<Element>, count: Int) {
    self.base = base
    self.count = count
  }

  package func deallocate() { base.deallocate() }
}

/// Elements that are written anew step by step, in memory that grows as they need it.
package struct UnsafeGrowingArray<Element: BitwiseCopyable> {
  private var memory: UnsafeMutableBufferPointer<Element> = .allocate(capacity: 16)
  package private(set) var count = 0

  /// The memory is freed by `deallocate`, which its owner calls once.
  package init() {}

  /// Takes the place of what was there.
  package mutating func take(_ elements: [Element]) {
    if elements.count > memory.count {
      memory.deallocate()
      memory = .allocate(capacity: 2 * elements.count)
    }
    _ = memory.initialize(from: elements)
    count = elements.count
  }

  @inline(__always)
  package subscript(index: Int) -> Element { memory[index] }

  /// Some of the elements, until others take their place.
  @inline(__always)
  package func elements(_ range: Range<Int>) -> UnsafeArray<Element> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return UnsafeArray(base: memory.baseAddress! + range.lowerBound, count: range.count)
  }

  package func deallocate() { memory.deallocate() }
}

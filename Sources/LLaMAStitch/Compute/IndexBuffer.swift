/// Row numbers, token ids or positions for the kernels: 32-bit integers on the heap.
///
/// `@unchecked Sendable`: filled before it is shared, only read afterwards.
package final class IndexBuffer: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Int32>
  package let count: Int

  package init(_ values: some Collection<Int32>) {
    count = values.count
    base = .allocate(capacity: max(1, count))
    _ = UnsafeMutableBufferPointer(start: base, count: count).initialize(from: values)
  }

  deinit { base.deallocate() }
}

import CMemory
import Foundation
import Support

/// A block of `count` floats on the heap, 64-byte aligned, zero at first, freed with its last reference.
///
/// `@unchecked Sendable`: the memory is plain floats at a fixed address; the type hands out views and
/// synchronises nothing. Whoever shares a buffer between threads divides it into parts that do not overlap,
/// or orders the accesses (as `ComputePool` does with the end of every `run`).
public final class FloatBuffer: @unchecked Sendable {
  public let count: Int
  package let base: UnsafeMutablePointer<Float>
  /// Size of the mapping behind a large buffer; 0 where it comes from the heap.
  private let mappedBytes: Int
  private static let mappedSize = 1 << 15

  public init(count: Int) {
    precondition(count >= 0, "a buffer cannot have \(count) elements")
    self.count = count
    // Rounded up so that vector kernels may load whole 64-byte lines at the end.
    let bytes = (count * MemoryLayout<Float>.stride + 63) / 64 * 64 + 64
    if bytes >= Self.mappedSize {
      // Zero pages from the system appear when they are first touched, and go back to it: a cache costs what is used of it,
      // and what is freed leaves no gap in the heap.
      let mapping = mmap(
        nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      guard let mapping, mapping != MAP_FAILED else {
        Shortage.end(
          "no memory for \(bytes) bytes",
          remedy: "close other programs, raise the limit (ulimit -v), or take a smaller family or context")
      }
      base = mapping.bindMemory(to: Float.self, capacity: count)
      mappedBytes = bytes
    } else {
      let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      base = raw.bindMemory(to: Float.self, capacity: count)
      mappedBytes = 0
    }
  }

  public convenience init(_ values: [Float]) {
    self.init(count: values.count)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.update(from: start, count: values.count) }
    }
  }

  deinit {
    if mappedBytes > 0 {
      munmap(base, mappedBytes)
    } else {
      UnsafeMutableRawPointer(base).deallocate()
    }
  }

  /// Asks for huge pages, which are read faster, behind a large buffer that nobody has touched and that will be filled.
  package func preferHugePages() { if mappedBytes > 0 { cm_prefer_huge_pages(base, mappedBytes) } }

  /// Makes some of the floats zero, as at first. Whole pages of a large buffer go back to the system.
  package func clear(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let page = Int(getpagesize()) / MemoryLayout<Float>.stride
    let first = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard mappedBytes > 0, first < end else {
      return (base + range.lowerBound).update(repeating: 0, count: range.count)
    }
    (base + range.lowerBound).update(repeating: 0, count: first - range.lowerBound)
    madvise(base + first, (end - first) * MemoryLayout<Float>.stride, MADV_DONTNEED)
    (base + end).update(repeating: 0, count: range.upperBound - end)
  }

  public subscript(index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count)
      return base[index]
    }
    set {
      precondition(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// The whole buffer as a vector.
  public var vector: VectorView { VectorView(base: base, count: count, owner: self) }

  /// `rows × columns` floats starting at `offset`, densely packed.
  public func matrix(offset: Int = 0, rows: Int, columns: Int) -> MatrixView {
    precondition(offset >= 0 && offset + rows * columns <= count, "a matrix view outside its buffer")
    return MatrixView(base: base + offset, rows: rows, columns: columns, stride: columns, owner: self)
  }

  /// `count` floats starting at `offset`.
  public func vector(offset: Int, count: Int) -> VectorView {
    precondition(offset >= 0 && offset + count <= self.count, "a vector view outside its buffer")
    return VectorView(base: base + offset, count: count, owner: self)
  }
}

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

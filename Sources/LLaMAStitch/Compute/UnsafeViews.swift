import CKernels
import Foundation
import Support

// The plain memory that inference kernels work on. The forward pass runs on several threads at once; counting references
// there would have the threads fight over the counters, so what it touches are these structs: addresses and numbers, kept
// alive by the session.

/// Floats at an address; whoever made it keeps them alive.
package struct UnsafeFloats: BitwiseCopyable {
  package let base: UnsafeMutablePointer<Float>

  package init(_ view: VectorView) { base = view.base }
  package init(_ buffer: FloatBuffer, offset: Int = 0) {
    precondition(offset <= buffer.count)
    base = buffer.base + offset
  }
  fileprivate init(base: UnsafeMutablePointer<Float>) { self.base = base }

  @inline(__always) package func copy(_ source: UnsafeFloats, count: Int) {
    base.update(from: source.base, count: count)
  }

  /// So many times a number.
  @inline(__always) package func scale(by factor: Float, count: Int) {
    for index in 0..<count { base[index] *= factor }
  }

  /// Adds so many numbers of another, times a factor.
  @inline(__always) package func add(_ other: UnsafeFloats, times factor: Float, count: Int) {
    for index in 0..<count { base[index] += factor * other.base[index] }
  }

  /// - Parameter count: a multiple of 16.
  @inline(__always) package func dot(_ other: UnsafeFloats, count: Int) -> Float {
    var sums = SIMD16<Float>()
    for index in stride(from: 0, to: count, by: 16) {
      let own = UnsafeRawPointer(base + index).loadUnaligned(as: SIMD16<Float>.self)
      sums += own * UnsafeRawPointer(other.base + index).loadUnaligned(as: SIMD16<Float>.self)
    }
    return sums.sum()
  }

  @inline(__always) package func offset(by count: Int) -> UnsafeFloats { UnsafeFloats(base: base + count) }

  /// Adds so many numbers of another.
  @inline(__always) package func add(_ other: UnsafeFloats, count: Int) {
    for index in 0..<count { base[index] += other.base[index] }
  }

  /// So many times one number.
  @inline(__always) package func fill(_ value: Float, count: Int) { base.update(repeating: value, count: count) }

  /// Where they lie, for comparisons.
  package var address: UInt { UInt(bitPattern: base) }

  /// Zeros, so many.
  @inline(__always) package func clear(count: Int) { base.update(repeating: 0, count: count) }
}

/// Working memory of one thread.
package struct UnsafeScratch: BitwiseCopyable {
  let base: UnsafeMutableRawPointer

  package init(_ buffer: FloatBuffer) { base = UnsafeMutableRawPointer(buffer.base) }
  /// - Parameter view: 64-byte aligned.
  package init(_ view: VectorView) { base = UnsafeMutableRawPointer(view.base) }
}

/// Rows of floats at an address, `stride` apart.
package struct UnsafeRows: BitwiseCopyable {
  let base: UnsafeMutablePointer<Float>
  package let stride: Int

  package init(_ buffer: FloatBuffer, offset: Int = 0, stride: Int) {
    base = buffer.base + offset
    self.stride = stride
  }
  package init(_ matrix: MatrixView) { self.init(base: matrix.base, stride: matrix.stride) }
  private init(base: UnsafeMutablePointer<Float>, stride: Int) {
    self.base = base
    self.stride = stride
  }

  /// The same rows from `column` on.
  @inline(__always) package func columns(from column: Int) -> UnsafeRows {
    UnsafeRows(base: base + column, stride: stride)
  }
  /// The rows from `row` on.
  @inline(__always) package func rows(from row: Int) -> UnsafeRows {
    UnsafeRows(base: base + row * stride, stride: stride)
  }
  /// One place in one row.
  @inline(__always) package func at(_ row: Int, _ column: Int = 0) -> UnsafeFloats {
    UnsafeFloats(base: base + row * stride + column)
  }
}

/// Weights at an address.
package struct UnsafeWeights: BitwiseCopyable {
  let base: UnsafeRawPointer
  package let type: Int32
  package let rows: Int
  package let columns: Int
  let rowBytes: Int

  package init(_ matrix: WeightMatrix) {
    base = matrix.bytes.base
    type = matrix.elementType.kernelType
    rows = matrix.rows
    columns = matrix.columns
    rowBytes = matrix.elementType.byteCount(matrix.columns)
  }

  package init(_ matrix: MatrixView) { self.init(WeightMatrix(matrix)) }

  /// Where they lie, for comparisons.
  package var address: UInt { UInt(bitPattern: base) }
}

/// Cosines and sines of every position.
package struct UnsafeRotary: BitwiseCopyable {
  let cosines: UnsafeMutablePointer<Float>
  let sines: UnsafeMutablePointer<Float>
  package let half: Int

  package init(_ table: RotaryTable) {
    cosines = table.cosines.base
    sines = table.sines.base
    half = table.cosines.columns
  }

  /// Where they lie, for comparisons.
  package var address: UInt { UInt(bitPattern: cosines) }
}

/// The keys and values of one block, at first those of text 0.
package struct UnsafeCache: BitwiseCopyable {
  let type: Int32
  private var keys: UnsafeMutableRawPointer
  private var values: UnsafeMutableRawPointer
  private var sums: UnsafeMutablePointer<Float>
  private let sumWidth: Int
  private let sumTextStride: Int
  /// Bytes.
  private let keyTextStride: Int
  private let valueTextStride: Int
  private let keyHeadStride: Int
  private let valueHeadStride: Int
  /// Numbers.
  package let valueStride: Int
  package let headDimension: Int
  package let queriesPerHead: Int
  /// 1 / √headDimension
  package let scale: Float

  package init(_ cache: KVCache, configuration: LlamaConfiguration) {
    type = cache.type.code
    keys = UnsafeMutableRawPointer(cache.keys.base)
    values = UnsafeMutableRawPointer(cache.values.base)
    sums = cache.sums.base
    sumWidth = cache.sumWidth
    sumTextStride = cache.capacity * cache.sumWidth
    keyTextStride = cache.keyTextStride * cache.type.size
    valueTextStride = cache.valueTextStride * cache.type.size
    keyHeadStride = cache.keyHeadStride * cache.type.size
    valueHeadStride = cache.valueHeadStride * cache.type.size
    valueStride = cache.valueStride
    headDimension = configuration.headDimension
    queriesPerHead = configuration.headCount / configuration.keyValueHeadCount
    scale = 1 / Float(configuration.headDimension).squareRoot()
  }

  /// Where it lies, for comparisons.
  package var address: UInt { UInt(bitPattern: keys) }

  /// Those of a text.
  @inline(__always)
  package func text(_ index: Int) -> UnsafeCache {
    var cache = self
    cache.keys += index * keyTextStride
    cache.values += index * valueTextStride
    cache.sums += index * sumTextStride
    return cache
  }

  /// The sum of what was added at this position and before.
  @inline(__always)
  package func sums(position: Int) -> UnsafeFloats { UnsafeFloats(base: sums + position * sumWidth) }

  /// Adds numbers to the sum of those before this position.
  @inline(__always)
  package func addSum(_ values: UnsafeFloats, position: Int) {
    let sum = sums(position: position)
    sum.copy(values, count: sumWidth)
    if position > 0 { sum.add(sums(position: position - 1), times: 1, count: sumWidth) }
  }

  func keys(of head: Int) -> UnsafeMutableRawPointer { keys + head * keyHeadStride }
  func values(of head: Int) -> UnsafeMutableRawPointer { values + head * valueHeadStride }

  /// The keys that are read first where a head's are read up to a position.
  func firstKeys(of head: Int, position: Int) -> UnsafeRawBufferPointer {
    let group = Int(CK_KEY_BLOCK)
    let blocks = min(position / group + 1, 4)
    return UnsafeRawBufferPointer(
      start: keys(of: head), count: blocks * group * headDimension * (type == Int32(CK_F16) ? 2 : 4))
  }
}

/// Floats of scratch one thread needs to attend to `positions` positions.
package func attentionScratch(positions: Int) -> Int { ck_attention_scratch(positions) }

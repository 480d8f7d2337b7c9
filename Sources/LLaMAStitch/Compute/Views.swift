import Support

/// A view of `count` consecutive floats. It keeps its owner alive.
///
/// `@unchecked Sendable`: an address and a length; see `FloatBuffer` for who may write where.
public struct VectorView: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Float>
  public let count: Int
  package let owner: AnyObject?

  public subscript(index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count)
      return base[index]
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// The values, copied.
  public var array: [Float] { Array(UnsafeBufferPointer(start: base, count: count)) }

  /// The bytes of the values, where they lie.
  package var bytes: ByteView { ByteView(base: base, count: count * MemoryLayout<Float>.stride, owner: owner) }

  /// The part `range` of this view.
  public func slice(_ range: Range<Int>) -> VectorView {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return VectorView(base: base + range.lowerBound, count: range.count, owner: owner)
  }

  /// The same floats as a dense matrix.
  public func matrix(rows: Int, columns: Int) -> MatrixView {
    precondition(rows * columns <= count)
    return MatrixView(base: base, rows: rows, columns: columns, stride: columns, owner: owner)
  }

  public func fill(_ value: Float) { base.update(repeating: value, count: count) }

  /// Fills the view with numbers uniform in ±`bound`.
  package func fillUniformly(within bound: Float, _ random: inout SeededGenerator) {
    for index in stride(from: 0, to: count, by: 2) {
      let (one, other) = random.units()
      base[index] = (2 * one - 1) * bound
      if index + 1 < count { base[index + 1] = (2 * other - 1) * bound }
    }
  }

  public func copy(from other: VectorView) {
    precondition(other.count == count)
    base.update(from: other.base, count: count)
  }

  public func copy(from values: [Float]) {
    precondition(values.count == count)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.update(from: start, count: count) }
    }
  }
}

/// A view of `rows × columns` floats, row-major, `stride` floats from one row to the next.
/// It keeps its owner alive.
///
/// `@unchecked Sendable`: an address and three numbers; see `FloatBuffer` for who may write where.
public struct MatrixView: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Float>
  public let rows: Int
  public let columns: Int
  public let stride: Int
  package let owner: AnyObject?

  public subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      return base[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      base[row * stride + column] = newValue
    }
  }

  /// One row.
  public func row(_ index: Int) -> VectorView {
    precondition(index >= 0 && index < rows)
    return VectorView(base: base + index * stride, count: columns, owner: owner)
  }

  /// Some of the rows.
  public func rows(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return MatrixView(
      base: base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride,
      owner: owner)
  }

  /// Some of the columns; the stride stays.
  public func columns(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return MatrixView(
      base: base + range.lowerBound, rows: rows, columns: range.count, stride: stride, owner: owner)
  }

  /// All the floats of a dense matrix, row after row.
  public var dense: VectorView {
    precondition(stride == columns || rows <= 1, "the matrix is not dense")
    return VectorView(base: base, count: rows * columns, owner: owner)
  }

  /// The same floats read with rows and columns exchanged.
  public var transposed: TransposedView { TransposedView(original: self) }
}

extension ByteView {
  /// The bytes of a dense matrix.
  package init(matrix: MatrixView) {
    precondition(matrix.stride == matrix.columns)
    self.init(base: UnsafeRawPointer(matrix.base), count: 4 * matrix.rows * matrix.columns, owner: matrix.owner)
  }

  /// The bytes read as a dense matrix of floats, which nobody may write to; `nil` where they are not aligned for it.
  package func floatMatrix(rows: Int, columns: Int) -> MatrixView? {
    precondition(4 * rows * columns == count, "a matrix of another size than its bytes")
    guard UInt(bitPattern: base) % 4 == 0 else { return nil }
    let floats = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: Float.self))
    return MatrixView(base: floats, rows: rows, columns: columns, stride: columns, owner: owner)
  }
}

/// A matrix to be read with rows and columns exchanged; nothing is moved.
public struct TransposedView: Sendable {
  public let original: MatrixView
}

import Support

/// The weights of a linear map, `rows × columns` (out × in), in the type they are stored in: row-major, or in panels where
/// that is quantised, see `ElementType`.
///
/// A value is a reference to memory that a mapped file or a buffer owns; copying it copies no weights.
public struct WeightMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// F32, F16, BF16, Q8_0 or Q4_0.
  public let elementType: ElementType
  let bytes: ByteView

  /// Weights in a mapped file, for example.
  public init(rows: Int, columns: Int, elementType: ElementType, bytes: ByteView) {
    precondition((elementType.isUsable || elementType.isQuantized) && rows >= 0 && columns >= 0)
    precondition(columns % elementType.blockLength == 0, "rows that are not whole blocks")
    precondition(bytes.count == elementType.byteCount(rows * columns), "weights of another size than their matrix")
    self.rows = rows
    self.columns = columns
    self.elementType = elementType
    self.bytes = bytes
  }

  /// F32 weights, shared with the view's owner: later writes to it are seen.
  public init(_ matrix: MatrixView) {
    precondition(matrix.stride == matrix.columns, "weights must be dense")
    self.init(
      rows: matrix.rows, columns: matrix.columns, elementType: .f32, bytes: ByteView(matrix: matrix))
  }

  /// A two-dimensional tensor of a checkpoint.
  init(_ tensor: SafetensorsFile.Tensor) {
    self.init(
      rows: tensor.shape[0], columns: tensor.shape[1], elementType: tensor.type, bytes: tensor.bytes)
  }

  /// Bytes the weights take.
  public var byteCount: Int { bytes.count }
  public var elementCount: Int { rows * columns }

  /// Some rows as floats, exactly.
  /// - Parameter floats: `[rows.count × columns]`
  func widen(_ rows: Range<Int>, into floats: VectorView) {
    widen(elements: rows.lowerBound * columns..<rows.upperBound * columns, into: floats)
  }

  /// The floats themselves where they are stored as such, to be read only.
  var floatsInPlace: MatrixView? { elementType == .f32 ? bytes.floatMatrix(rows: rows, columns: columns) : nil }

  /// All values as floats, row-major, copied.
  public func floats() -> [Float] {
    guard elementType.isQuantized else { return bytes.floats(elementType) }
    let floats = FloatBuffer(count: elementCount)
    widen(elements: 0..<elementCount, into: floats.vector)
    return floats.vector.array
  }
}

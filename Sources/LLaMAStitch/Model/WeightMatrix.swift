import Support

/// The weights of a linear map, `rows × columns` (out × in), in the type they are stored in: row-major, or packed where
/// that is quantised, see `ElementType`.
///
/// A value is a reference to memory that a mapped file, a buffer or a `ParameterStore` owns; copying it copies no weights.
public struct WeightMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// F32, F16, BF16, Q8_0, Q4_0 or Q4_1.
  public let elementType: ElementType
  /// Which parameter of a `ParameterStore` it is; `nil` where it is frozen.
  public let parameter: Int?
  let bytes: ByteView

  /// Frozen weights, in a mapped file for example.
  public init(rows: Int, columns: Int, elementType: ElementType, bytes: ByteView) {
    self.init(rows: rows, columns: columns, elementType: elementType, parameter: nil, bytes: bytes)
  }

  private init(rows: Int, columns: Int, elementType: ElementType, parameter: Int?, bytes: ByteView) {
    precondition((elementType.isUsable || elementType.isQuantized) && rows >= 0 && columns >= 0)
    precondition(columns % elementType.blockLength == 0, "rows that are not whole blocks")
    precondition(bytes.count == elementType.byteCount(rows * columns), "weights of another size than their matrix")
    self.rows = rows
    self.columns = columns
    self.elementType = elementType
    self.parameter = parameter
    self.bytes = bytes
  }

  /// F32 weights, shared with the view's owner: later writes to it are seen.
  public init(_ matrix: MatrixView, parameter: Int? = nil) {
    precondition(matrix.stride == matrix.columns, "weights must be dense")
    self.init(
      rows: matrix.rows, columns: matrix.columns, elementType: .f32, parameter: parameter,
      bytes: ByteView(matrix: matrix))
  }

  /// A two-dimensional tensor of a checkpoint.
  init(_ tensor: SafetensorsFile.Tensor) {
    self.init(
      rows: tensor.shape[0], columns: tensor.shape[1], elementType: tensor.type, bytes: tensor.bytes)
  }

  /// Where they lie, for comparisons.
  var address: UInt { UInt(bitPattern: bytes.base) }

  /// Bytes the weights take.
  public var byteCount: Int { bytes.count }
  public var elementCount: Int { rows * columns }

  /// Some rows as floats, exactly.
  /// - Parameter floats: `[rows.count × columns]`
  func dequantize(_ rows: Range<Int>, into floats: VectorView) {
    dequantize(elements: rows.lowerBound * columns..<rows.upperBound * columns, into: floats)
  }

  /// The floats themselves where they are stored as such; `nil` where they are not, or lie where floats cannot.
  package var floatsInPlace: MatrixView? {
    elementType == .f32 ? bytes.floatMatrix(rows: rows, columns: columns) : nil
  }

  /// All values as floats, row-major, copied.
  public func floats() -> [Float] {
    guard elementType.isQuantized else { return bytes.floats(elementType) }
    let floats = FloatBuffer(count: elementCount)
    dequantize(elements: 0..<elementCount, into: floats.vector)
    return floats.vector.array
  }
}

/// A norm's weights or a bias, always F32.
public struct WeightVector: Sendable {
  public let values: VectorView
  /// Which parameter of a `ParameterStore` it is; `nil` where it is frozen.
  public let parameter: Int?

  public init(_ values: VectorView, parameter: Int? = nil) {
    self.values = values
    self.parameter = parameter
  }

  public var count: Int { values.count }

  /// Where they lie, for comparisons.
  var address: UInt { UInt(bitPattern: values.base) }
}

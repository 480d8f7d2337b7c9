import CKernels
import Support

extension ElementType {
  /// The kernels' number for a type of weights.
  package var kernelType: Int32 {
    switch self {
    case .bf16: Int32(CK_BF16)
    case .f16: Int32(CK_F16)
    case .q8_0: Int32(CK_Q8_0)
    case .q4_0: Int32(CK_Q4_0)
    case .q4_1: Int32(CK_Q4_1)
    default: Int32(CK_F32)
    }
  }
}

extension ByteView {
  /// Dequantizes some of the elements, exactly, to floats.
  /// - Parameters:
  ///   - type: F32, F16 or BF16, or a quantised one in blocks as GGML has them, not in panels.
  ///   - elements: where type is quantised, both ends must be multiples of 32.
  package func dequantize(_ elements: Range<Int>, _ type: ElementType, into floats: VectorView) {
    precondition(type.isUsable || type.isQuantized)
    precondition(floats.count == elements.count && elements.lowerBound >= 0)
    precondition(elements.lowerBound % type.blockLength == 0 && elements.count % type.blockLength == 0)
    precondition(type.byteCount(elements.upperBound) <= count, "elements outside their memory")
    InferenceKernels.best.table.pointee.dequantize(
      type.kernelType, base + type.byteCount(elements.lowerBound), elements.count, floats.base)
  }
}

extension WeightMatrix {
  /// Some of the elements as floats, exactly, row by row.
  /// - Parameter elements: where the type is quantised, both ends must be multiples of 32.
  package func dequantize(elements: Range<Int>, into floats: VectorView) {
    guard elementType.isQuantized else { return bytes.dequantize(elements, elementType, into: floats) }
    precondition(floats.count == elements.count && 0 <= elements.lowerBound && elements.upperBound <= elementCount)
    precondition(elements.lowerBound % elementType.blockLength == 0 && elements.count % elementType.blockLength == 0)
    let kernels = InferenceKernels.best.table.pointee
    var done = 0
    while done < elements.count {
      let (row, column) = (elements.lowerBound + done).quotientAndRemainder(dividingBy: columns)
      let count = min(columns - column, elements.count - done)
      kernels.dequantize_panel(
        elementType.kernelType, bytes.base, rows, columns, row, column, count, floats.base + done)
      done += count
    }
  }

  /// Copies of dense matrices rounded to BF16, to the nearest, one after another in one buffer.
  package static func bfloat16(_ matrices: [MatrixView]) -> [WeightMatrix] {
    // Each in whole cache lines.
    func length(_ matrix: MatrixView) -> Int { (matrix.rows * matrix.columns + 31) / 32 * 16 }
    let buffer = FloatBuffer(count: matrices.reduce(0) { $0 + length($1) })
    buffer.preferHugePages()
    var used = 0
    return matrices.map { matrix in
      defer { used += length(matrix) }
      let (floats, start) = (matrix.dense, UnsafeMutableRawPointer(buffer.base + used))
      for index in 0..<floats.count {
        start.storeBytes(of: bfloat16Bits(floats.base[index]).littleEndian, toByteOffset: 2 * index, as: UInt16.self)
      }
      return WeightMatrix(
        rows: matrix.rows, columns: matrix.columns, elementType: .bf16,
        bytes: ByteView(base: start, count: 2 * floats.count, owner: buffer))
    }
  }

  /// A copy of a dense matrix whose rows are whole blocks, rounded to a quantised type.
  /// - Returns: `nil` where values are not finite or too large for a scale.
  package static func quantized(_ matrix: MatrixView, to type: ElementType) -> WeightMatrix? {
    let (floats, bytes) = (matrix.dense, type.byteCount(matrix.rows * matrix.columns))
    let (blocks, panels) = (FloatBuffer(count: (bytes + 3) / 4), FloatBuffer(count: (bytes + 3) / 4))
    guard VectorView.quantize(UnsafeBufferPointer(start: floats.base, count: floats.count), to: type, at: blocks.base)
    else { return nil }
    packPanels(blocks.base, count: matrix.rows, columns: matrix.columns, type: type, into: panels.base)
    return WeightMatrix(
      rows: matrix.rows, columns: matrix.columns, elementType: type,
      bytes: ByteView(base: panels.base, count: bytes, owner: panels))
  }

  /// Rows of a quantised matrix that lie block after block, as GGML has them, laid out in panels.
  /// - Parameters:
  ///   - rows: where they lie; all but the last of a matrix, a multiple of `panelRows` at a time.
  ///   - panels: room for as many bytes.
  package static func packPanels(
    _ rows: UnsafeRawPointer, count: Int, columns: Int, type: ElementType, into panels: UnsafeMutableRawPointer
  ) {
    precondition(type.isQuantized && columns % type.blockLength == 0)
    ck_pack_panels(type.kernelType, rows, count, columns, panels)
  }

  /// Rows that lie side by side where the type is quantised.
  package static let panelRows = Int(CK_PANEL_ROWS)
}

extension VectorView {
  /// Rounds all values to blocks of a quantised type, as GGML has them, at an address that has room for them.
  /// - Returns: whether they can be stored: finite, and not too large for a scale.
  package static func quantize(
    _ values: UnsafeBufferPointer<Float>, to type: ElementType, at blocks: UnsafeMutableRawPointer
  ) -> Bool {
    precondition(type.isQuantized && values.count % type.blockLength == 0)
    guard let start = values.baseAddress else { return true }
    return ck_quantize(type.kernelType, start, values.count, blocks) == 0
  }
}

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

  /// A copy of a dense matrix rounded to a quantised type, as `quantized(_:)` makes it.
  package static func quantized(_ matrix: MatrixView, to type: ElementType) -> WeightMatrix? {
    quantized([(matrix, type)])[0]
  }

  /// Copies of dense matrices, each rounded to a quantised type, one after another in one buffer. Rows that end within a
  /// block are filled up with columns of zeros.
  /// - Returns: for each, `nil` where values are not finite or too large for a scale.
  package static func quantized(_ matrices: [(matrix: MatrixView, type: ElementType)]) -> [WeightMatrix?] {
    func columns(_ matrix: MatrixView, _ type: ElementType) -> Int {
      (matrix.columns + type.blockLength - 1) / type.blockLength * type.blockLength
    }
    func bytes(_ matrix: MatrixView, _ type: ElementType) -> Int {
      type.byteCount(matrix.rows * columns(matrix, type))
    }
    // Each in whole cache lines.
    func length(_ bytes: Int) -> Int { (bytes + 63) / 64 * 16 }
    let lengths = matrices.map { length(bytes($0, $1)) }
    let (blocks, panels) = (FloatBuffer(count: lengths.max() ?? 0), FloatBuffer(count: lengths.reduce(0, +)))
    panels.preferHugePages()
    var used = 0
    return zip(matrices, lengths).map { given, length in
      defer { used += length }
      let (matrix, type) = given
      let (width, bytes) = (columns(matrix, type), bytes(matrix, type))
      var floats = matrix.dense
      if width != matrix.columns {
        let padded = FloatBuffer(count: matrix.rows * width).matrix(rows: matrix.rows, columns: width)
        for row in 0..<matrix.rows { padded.row(row).slice(0..<matrix.columns).copy(from: matrix.row(row)) }
        floats = padded.dense
      }
      guard VectorView.quantize(UnsafeBufferPointer(start: floats.base, count: floats.count), to: type, at: blocks.base)
      else { return nil }
      packPanels(blocks.base, count: matrix.rows, columns: width, type: type, into: panels.base + used)
      return WeightMatrix(
        rows: matrix.rows, columns: width, elementType: type,
        bytes: ByteView(base: panels.base + used, count: bytes, owner: panels))
    }
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

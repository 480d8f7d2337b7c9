import Support

/// Rounds the floats of a tensor to the type it is stored in and appends them to a file, a piece at a time: a large tensor
/// needs no second copy.
struct FloatEncoder {
  private let type: ElementType
  private let tensor: String
  private let panelColumns: Int?

  /// - Parameters:
  ///   - tensor: its name, for messages.
  ///   - panelColumns: of a quantised matrix that is laid out in panels; `nil` leaves block after block, as GGML has them.
  init(_ type: ElementType, tensor: String, panelColumns: Int? = nil) {
    self.type = type
    self.tensor = tensor
    self.panelColumns = panelColumns
  }

  /// Floats that are converted at a time, about: whole blocks of every type, or whole panels.
  private var pieceLength: Int {
    let length = 1 << 16
    guard let panelColumns, panelColumns > 0 else { return length }
    let panel = WeightMatrix.panelRows * panelColumns
    return max(1, length / panel) * panel
  }

  /// Appends floats, all there are or a piece of `pieceLength`.
  func append(_ values: UnsafeBufferPointer<Float>, to file: FileAppender) throws {
    if type == .f32 { return try file.append(UnsafeRawBufferPointer(values)) }
    let pieceLength = pieceLength
    let room = (type.byteCount(min(pieceLength, values.count)) + 1) / 2
    var bits = [UInt16](repeating: 0, count: room)
    var panels = [UInt16](repeating: 0, count: panelColumns == nil ? 0 : room)
    var start = 0
    while start < values.count {
      let count = min(pieceLength, values.count - start)
      if type.isQuantized {
        let piece = UnsafeBufferPointer(rebasing: values[start..<start + count])
        guard bits.withUnsafeMutableBytes({ VectorView.quantize(piece, to: type, at: $0.baseAddress!) }) else {
          throw SafetensorsError.unwritable(
            file: file.path,
            cause: "tensor “\(tensor)” has values that are not finite or too large for \(type.rawValue)")
        }
        if let panelColumns {
          bits.withUnsafeBytes { rows in
            panels.withUnsafeMutableBytes {
              WeightMatrix.packPanels(
                rows.baseAddress!, count: count / panelColumns, columns: panelColumns, type: type, into: $0.baseAddress!
              )
            }
          }
          swap(&bits, &panels)
        }
      } else {
        for index in 0..<count {
          let value = values[start + index]
          bits[index] = (type == .bf16 ? bfloat16Bits(value) : float16Bits(value)).littleEndian
        }
      }
      try bits.withUnsafeBytes {
        try file.append(UnsafeRawBufferPointer(rebasing: $0[..<type.byteCount(count)]))
      }
      start += count
    }
  }

  /// Appends floats that are made a piece at a time.
  /// - Parameter fill: writes the floats from an index on into a piece.
  func append(count: Int, to file: FileAppender, _ fill: (_ start: Int, _ piece: VectorView) -> Void) throws {
    let pieceLength = pieceLength
    let buffer = FloatBuffer(count: min(pieceLength, count))
    var start = 0
    while start < count {
      let piece = buffer.vector(offset: 0, count: min(pieceLength, count - start))
      fill(start, piece)
      try append(UnsafeBufferPointer(start: piece.base, count: piece.count), to: file)
      start += piece.count
    }
  }
}

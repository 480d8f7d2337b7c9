/// Rounds the floats of a tensor to the type it is stored in and appends them to a file, a piece at a time: a large tensor
/// needs no second copy.
struct FloatEncoder {
  private let type: ElementType
  private let tensor: String

  /// - Parameter tensor: its name, for messages.
  init(_ type: ElementType, tensor: String) {
    self.type = type
    self.tensor = tensor
  }

  /// Floats that are converted at a time, whole blocks of every type.
  private static let pieceLength = 1 << 16

  /// Appends floats.
  func append(_ values: UnsafeBufferPointer<Float>, to file: borrowing FileAppender) throws {
    if type == .f32 { return try file.append(UnsafeRawBufferPointer(values)) }
    var bits = [UInt16](repeating: 0, count: (type.byteCount(min(Self.pieceLength, values.count)) + 1) / 2)
    var start = 0
    while start < values.count {
      let count = min(Self.pieceLength, values.count - start)
      if type.isQuantized {
        let piece = UnsafeBufferPointer(rebasing: values[start..<start + count])
        guard bits.withUnsafeMutableBytes({ VectorView.quantize(piece, to: type, at: $0.baseAddress!) }) else {
          throw StorageError.unwritable(
            file: file.path,
            cause: "tensor “\(tensor)” has values that are not finite or too large for \(type.rawValue)")
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
  func append(count: Int, to file: borrowing FileAppender, _ fill: (_ start: Int, _ piece: VectorView) -> Void) throws {
    let buffer = FloatBuffer(count: min(Self.pieceLength, count))
    var start = 0
    while start < count {
      let piece = buffer.vector(offset: 0, count: min(Self.pieceLength, count - start))
      fill(start, piece)
      try append(UnsafeBufferPointer(start: piece.base, count: piece.count), to: file)
      start += piece.count
    }
  }
}

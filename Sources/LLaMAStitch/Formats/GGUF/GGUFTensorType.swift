import Support

/// How the elements of a tensor in a GGUF file are stored. `rawValue` is GGML's number of the type.
///
/// Numbers and layouts: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public enum GGUFTensorType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q8_0 = 8
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case bf16 = 30

  /// The same type where models have it too; `nil` for those that are converted.
  public var elementType: ElementType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q8_0: .q8_0
    case .q4_0: .q4_0
    case .q4_k, .q5_k, .q6_k: nil
    }
  }

  /// Elements that are stored together.
  public var blockLength: Int {
    switch self {
    case .q4_k, .q5_k, .q6_k: 256
    default: elementType!.blockLength
    }
  }

  /// Bytes of one block.
  public var blockBytes: Int {
    switch self {
    // Two F16 scales, 12 bytes of 6-bit scales and minima, 4 bits an element.
    case .q4_k: 144
    // The same with a fifth bit.
    case .q5_k: 176
    // 4 and 2 bits an element, 16 scales of 8 bits, an F16 scale.
    case .q6_k: 210
    default: elementType!.size
    }
  }

  /// GGML's name of a type that is not among these, for messages.
  static func name(of number: UInt32) -> String {
    let names: [UInt32: String] = [
      3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS",
      17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8",
      25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]
    return GGUFTensorType(rawValue: number).map { "\($0)".uppercased() } ?? names[number] ?? "type \(number)"
  }
}

extension ByteView {
  /// Floats of the elements in a range of whole blocks.
  func dequantize(_ elements: Range<Int>, _ type: GGUFTensorType, into floats: VectorView) {
    if let type = type.elementType { return dequantize(elements, type, into: floats) }
    precondition(elements.lowerBound % type.blockLength == 0 && elements.count % type.blockLength == 0)
    precondition(floats.count == elements.count && elements.lowerBound >= 0)
    let first = elements.lowerBound / type.blockLength
    let blocks = elements.count / type.blockLength
    precondition((first + blocks) * type.blockBytes <= count, "elements outside their memory")
    for index in 0..<blocks {
      let block = base + (first + index) * type.blockBytes
      let output = floats.base + index * type.blockLength
      if type == .q6_k {
        Self.dequantizeQ6K(block, into: output)
      } else {
        Self.dequantizeQ4K(block, hasFifthBit: type == .q5_k, into: output)
      }
    }
  }

  private static func half(_ address: UnsafeRawPointer) -> Float {
    float(float16Bits: UInt16(littleEndian: address.loadUnaligned(as: UInt16.self)))
  }

  /// 256 elements: `d · scale · q − m · minimum`, eight groups of 32 with a scale and a minimum of 6 bits each; in Q5_K
  /// each of 32 bytes has the fifth bit of an element of every group.
  private static func dequantizeQ4K(_ block: UnsafeRawPointer, hasFifthBit: Bool, into y: UnsafeMutablePointer<Float>) {
    let d = half(block)
    let m = half(block + 2)
    let packed = (block + 4).assumingMemoryBound(to: UInt8.self)
    let fifths = (block + 16).assumingMemoryBound(to: UInt8.self)
    let quants = fifths + (hasFifthBit ? 32 : 0)
    for group in 0..<8 {
      let scale: UInt8
      let minimum: UInt8
      if group < 4 {
        scale = packed[group] & 63
        minimum = packed[group + 4] & 63
      } else {
        scale = packed[group + 4] & 15 | (packed[group - 4] >> 6) << 4
        minimum = packed[group + 4] >> 4 | (packed[group] >> 6) << 4
      }
      let factor = d * Float(scale)
      let offset = m * Float(minimum)
      // Two groups share 32 bytes: the first has the low halves.
      let bytes = quants + group / 2 * 32
      let shift = UInt8(group % 2 * 4)
      for index in 0..<32 {
        let fifth = hasFifthBit ? ((fifths[index] >> UInt8(group)) & 1) << 4 : 0
        y[group * 32 + index] = factor * Float((bytes[index] >> shift) & 15 | fifth) - offset
      }
    }
  }

  /// 256 elements: `d · scale · (q − 32)`, sixteen groups of 16 with a signed scale of 8 bits each.
  private static func dequantizeQ6K(_ block: UnsafeRawPointer, into y: UnsafeMutablePointer<Float>) {
    let low = block.assumingMemoryBound(to: UInt8.self)
    let high = (block + 128).assumingMemoryBound(to: UInt8.self)
    let scales = (block + 192).assumingMemoryBound(to: Int8.self)
    let d = half(block + 208)
    for half in 0..<2 {
      for quarter in 0..<4 {
        // The four quarters of a half take 2 bits each of the same 32 bytes, and 4 bits each of 64 others.
        let lows = low + half * 64 + quarter % 2 * 32
        let shift = UInt8(quarter / 2 * 4)
        for index in 0..<32 {
          let bits = (lows[index] >> shift) & 15 | ((high[half * 32 + index] >> UInt8(quarter * 2)) & 3) << 4
          let scale = scales[half * 8 + quarter * 2 + index / 16]
          y[half * 128 + quarter * 32 + index] = d * Float(scale) * Float(Int(bits) - 32)
        }
      }
    }
  }
}

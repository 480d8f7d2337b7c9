import Support

/// How the elements of a tensor in a GGUF file are stored. `rawValue` is GGML's number of the type.
///
/// Numbers and layouts: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public enum GGUFTensorType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q8_1 = 9
  case q2_k = 10
  case q3_k = 11
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case q8_k = 15
  case iq4_nl = 20
  case iq4_xs = 23
  case bf16 = 30

  /// The same type where models have it too; `nil` for those that are converted.
  public var elementType: ElementType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q8_0: .q8_0
    case .q4_0: .q4_0
    case .q4_1: .q4_1
    default: nil
    }
  }

  /// Elements that are stored together.
  public var blockLength: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q8_1, .iq4_nl: 32
    case .q2_k, .q3_k, .q4_k, .q5_k, .q6_k, .q8_k, .iq4_xs: 256
    }
  }

  /// Bytes of one block.
  public var blockBytes: Int {
    switch self {
    case .f32, .f16, .bf16, .q4_0, .q4_1, .q8_0: elementType!.size
    // An F16 scale, a fifth bit and 4 bits an element.
    case .q5_0: 22
    // The same with an F16 minimum.
    case .q5_1: 24
    // An F16 scale, an F16 sum, 8 bits an element.
    case .q8_1: 36
    // 16 scales and minima of 4 bits each, 2 bits an element, two F16 scales.
    case .q2_k: 84
    // A third bit and 2 bits an element, 16 scales of 6 bits, an F16 scale.
    case .q3_k: 110
    // Two F16 scales, 12 bytes of 6-bit scales and minima, 4 bits an element.
    case .q4_k: 144
    // The same with a fifth bit.
    case .q5_k: 176
    // 4 and 2 bits an element, 16 scales of 8 bits, an F16 scale.
    case .q6_k: 210
    // An F32 scale, 8 bits an element, 16 sums of 16 bits.
    case .q8_k: 292
    // An F16 scale, 4 bits an element.
    case .iq4_nl: 18
    // An F16 scale, 8 scales of 6 bits, 4 bits an element.
    case .iq4_xs: 136
    }
  }

  /// Where in a block half-precision numbers lie.
  private var halfPlaces: [Int] {
    switch self {
    case .f32, .f16, .bf16, .q8_k: []
    case .q4_0, .q5_0, .q8_0, .iq4_nl, .iq4_xs: [0]
    case .q4_1, .q5_1, .q8_1, .q4_k, .q5_k: [0, 2]
    case .q2_k: [80, 82]
    case .q3_k: [108]
    case .q6_k: [208]
    }
  }

  /// The exponent of each element, or of each scale: all ones in what is no number, or infinite.
  fileprivate var exponents: (stride: Int, places: [Int], bits: UInt32) {
    switch self {
    case .f32: (4, [0], 0x7F80_0000)
    case .q8_k: (blockBytes, [0], 0x7F80_0000)
    case .f16: (2, [0], 0x7C00)
    case .bf16: (2, [0], 0x7F80)
    default: (blockBytes, halfPlaces, 0x7C00)
    }
  }

  /// GGML's name of the type.
  public var name: String {
    switch self {
    case .iq4_nl: "IQ4_NL"
    case .iq4_xs: "IQ4_XS"
    default: "\(self)".uppercased()
    }
  }

  /// The types that files have and that are read, for messages.
  static var readNames: String {
    let names = allCases.filter { $0 != .q8_1 }.map(\.name)
    return names.dropLast().joined(separator: ", ") + " or " + names.last!
  }

  /// GGML's name of a type that may not be among these, for messages.
  static func name(of number: UInt32) -> String {
    let others: [UInt32: String] = [
      16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S", 24: "I8", 25: "I16",
      26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
    ]
    return GGUFTensorType(rawValue: number)?.name ?? others[number] ?? "type \(number)"
  }

  /// What IQ4_NL and IQ4_XS have for each four bits.
  fileprivate static let unevenSteps: [Float] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
  ]
}

// MARK: - Dequantization

extension ByteView {
  /// Floats of the elements in a range of whole blocks, the very ones that GGML computes.
  func dequantize(_ elements: Range<Int>, _ type: GGUFTensorType, into floats: VectorView) {
    if let type = type.elementType { return dequantize(elements, type, into: floats) }
    precondition(elements.lowerBound % type.blockLength == 0 && elements.count % type.blockLength == 0)
    precondition(floats.count == elements.count && elements.lowerBound >= 0)
    let first = elements.lowerBound / type.blockLength
    let blocks = elements.count / type.blockLength
    precondition((first + blocks) * type.blockBytes <= count, "elements outside their memory")
    for index in 0..<blocks {
      let block = UnsafeBlock(base + (first + index) * type.blockBytes)
      let output = floats.base + index * type.blockLength
      switch type {
      case .q5_0: block.fiveBits(minimum: nil, quants: 2, into: output)
      case .q5_1: block.fiveBits(minimum: block.half(2), quants: 4, into: output)
      case .q8_1: block.signedBytes(32, at: 4, scale: block.half(0), into: output)
      case .q8_k: block.signedBytes(256, at: 4, scale: block.float(0), into: output)
      case .q2_k: block.q2K(into: output)
      case .q3_k: block.q3K(into: output)
      case .q4_k: block.q4K(hasFifthBit: false, into: output)
      case .q5_k: block.q4K(hasFifthBit: true, into: output)
      case .q6_k: block.q6K(into: output)
      case .iq4_nl: block.unevenSteps(at: 2, scale: block.half(0), into: output)
      case .iq4_xs: block.iq4XS(into: output)
      case .f32, .f16, .bf16, .q4_0, .q4_1, .q8_0: preconditionFailure("a type that models have")
      }
    }
  }

  /// Whether all elements are finite numbers; of blocks, all scales.
  func isFinite(_ type: GGUFTensorType) -> Bool {
    let (stride, places, bits) = type.exponents
    return withBytes { bytes in
      for place in places {
        for offset in Swift.stride(from: place, to: bytes.count, by: stride) {
          let value =
            bits > 0xFFFF
            ? bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            : UInt32(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
          if value & bits == bits { return false }
        }
      }
      return true
    }
  }

  /// A block of quantised elements, and what each type makes of it. Products and sums are rounded one by one, in GGML's
  /// order.
  private struct UnsafeBlock {
    private let bytes: UnsafePointer<UInt8>

    init(_ address: UnsafeRawPointer) { bytes = address.assumingMemoryBound(to: UInt8.self) }

    @inline(__always) func half(_ offset: Int) -> Float {
      LLaMAStitch.float(float16Bits: UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8)
    }

    func float(_ offset: Int) -> Float {
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) })
    }

    @inline(__always) private func signed(_ offset: Int) -> Float { Float(Int8(bitPattern: bytes[offset])) }

    /// 32 elements: `d · (q − 16)`, or with a minimum `d · q + m`; bit i of four bytes is the fifth bit of element i, and
    /// element i + 16 has the high half of the byte of element i.
    func fiveBits(minimum: Float?, quants: Int, into y: UnsafeMutablePointer<Float>) {
      let d = half(0)
      for index in 0..<16 {
        let byte = bytes[quants + 4 + index]
        let low = byte & 15 | (bytes[quants + index / 8] >> UInt8(index % 8) & 1) << 4
        let high = byte >> 4 | (bytes[quants + 2 + index / 8] >> UInt8(index % 8) & 1) << 4
        if let minimum {
          y[index] = d * Float(low) + minimum
          y[index + 16] = d * Float(high) + minimum
        } else {
          y[index] = d * Float(Int(low) - 16)
          y[index + 16] = d * Float(Int(high) - 16)
        }
      }
    }

    /// `scale · q`.
    func signedBytes(_ count: Int, at offset: Int, scale: Float, into y: UnsafeMutablePointer<Float>) {
      for index in 0..<count { y[index] = scale * signed(offset + index) }
    }

    /// 256 elements: `d · scale · q − m · minimum`, sixteen groups of 16 with a scale and a minimum of 4 bits each. The four
    /// pairs of groups of a half share 32 bytes, 2 bits each.
    func q2K(into y: UnsafeMutablePointer<Float>) {
      let (d, m) = (half(80), half(82))
      for group in 0..<16 {
        let factor = d * Float(bytes[group] & 15)
        let offset = m * Float(bytes[group] >> 4)
        let quants = 16 + group / 8 * 32 + group % 2 * 16
        let shift = UInt8(group % 8 / 2 * 2)
        for index in 0..<16 { y[group * 16 + index] = factor * Float(bytes[quants + index] >> shift & 3) - offset }
      }
    }

    /// 256 elements: `d · (scale − 32) · (q − 4)`, sixteen groups of 16 with a scale of 6 bits each; two bits of q lie as in
    /// Q2_K, the third in bit p of 32 bytes for the p-th pair of groups.
    func q3K(into y: UnsafeMutablePointer<Float>) {
      let d = half(108)
      for group in 0..<16 {
        let low = bytes[96 + group % 8] >> UInt8(group / 8 * 4) & 15
        let high = bytes[104 + group % 4] >> UInt8(group / 4 * 2) & 3
        let factor = d * Float(Int(low | high << 4) - 32)
        let quants = 32 + group / 8 * 32 + group % 2 * 16
        let shift = UInt8(group % 8 / 2 * 2)
        let third = UInt8(group / 2)
        for index in 0..<16 {
          let bits = bytes[quants + index] >> shift & 3 | (bytes[group % 2 * 16 + index] >> third & 1) << 2
          y[group * 16 + index] = factor * Float(Int(bits) - 4)
        }
      }
    }

    /// 256 elements: `d · scale · q − m · minimum`, eight groups of 32 with a scale and a minimum of 6 bits each; in Q5_K
    /// each of 32 bytes has the fifth bit of an element of every group.
    func q4K(hasFifthBit: Bool, into y: UnsafeMutablePointer<Float>) {
      let (d, m) = (half(0), half(2))
      let packed = bytes + 4
      let fifths = bytes + 16
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
        let low = quants + group / 2 * 32
        let shift = UInt8(group % 2 * 4)
        for index in 0..<32 {
          let fifth = hasFifthBit ? ((fifths[index] >> UInt8(group)) & 1) << 4 : 0
          y[group * 32 + index] = factor * Float((low[index] >> shift) & 15 | fifth) - offset
        }
      }
    }

    /// 256 elements: `d · scale · (q − 32)`, sixteen groups of 16 with a signed scale of 8 bits each.
    func q6K(into y: UnsafeMutablePointer<Float>) {
      let d = half(208)
      for half in 0..<2 {
        for quarter in 0..<4 {
          // The four quarters of a half take 2 bits each of the same 32 bytes, and 4 bits each of 64 others.
          let low = half * 64 + quarter % 2 * 32
          let high = 128 + half * 32
          let shift = UInt8(quarter / 2 * 4)
          for side in 0..<2 {
            let factor = d * signed(192 + half * 8 + quarter * 2 + side)
            for index in side * 16..<side * 16 + 16 {
              let bits = (bytes[low + index] >> shift) & 15 | ((bytes[high + index] >> UInt8(quarter * 2)) & 3) << 4
              y[half * 128 + quarter * 32 + index] = factor * Float(Int(bits) - 32)
            }
          }
        }
      }
    }

    /// 32 elements of 4 bits: `scale` times a step of a table.
    func unevenSteps(at offset: Int, scale: Float, into y: UnsafeMutablePointer<Float>) {
      GGUFTensorType.unevenSteps.withUnsafeBufferPointer { steps in
        for index in 0..<16 {
          y[index] = scale * steps[Int(bytes[offset + index] & 15)]
          y[index + 16] = scale * steps[Int(bytes[offset + index] >> 4)]
        }
      }
    }

    /// 256 elements: eight groups as in IQ4_NL, `d · (scale − 32)` with a scale of 6 bits each.
    func iq4XS(into y: UnsafeMutablePointer<Float>) {
      let d = half(0)
      for group in 0..<8 {
        let low = bytes[4 + group / 2] >> UInt8(group % 2 * 4) & 15
        let high = bytes[2 + group / 4] >> UInt8(group % 4 * 2) & 3
        unevenSteps(at: 8 + group * 16, scale: d * Float(Int(low | high << 4) - 32), into: y + group * 32)
      }
    }
  }
}

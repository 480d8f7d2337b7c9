import CKernels
import Support

/// How one element of a tensor is stored. `rawValue` is the name in a safetensors header; the quantised types have none
/// there, see `SafetensorsFile`.
public enum ElementType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case f8e4m3 = "F8_E4M3"
  case f8e5m2 = "F8_E5M2"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"
  /// Blocks of 32 with an F16 scale and 8 bits an element. In a GGUF file they lie one after the other; in a model's
  /// matrix in panels, sixteen rows side by side as kernels want them: see `ck_quantization.h`.
  case q8_0 = "Q8_0"
  /// Blocks of 32 with an F16 scale and 4 bits an element, laid out likewise.
  case q4_0 = "Q4_0"
  /// Blocks of 32 with an F16 scale, an F16 minimum and 4 bits an element, laid out likewise.
  case q4_1 = "Q4_1"

  /// Bytes per block of `blockLength` elements.
  public var size: Int {
    switch self {
    case .q8_0: Int(CK_Q8_0_BYTES)
    case .q4_0: Int(CK_Q4_0_BYTES)
    case .q4_1: Int(CK_Q4_1_BYTES)
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .i8, .u8, .bool: 1
    }
  }

  /// Elements that are stored together: 32 in the quantised types, otherwise 1.
  public var blockLength: Int { isQuantized ? Int(CK_BLOCK) : 1 }

  /// Bytes of `elements` elements, a multiple of `blockLength`.
  public func byteCount(_ elements: Int) -> Int { elements / blockLength * size }

  /// Whether weights of this type, vectors too, can be computed with and written.
  public var isUsable: Bool { self == .f32 || self == .f16 || self == .bf16 }

  /// Whether matrices of this type can be computed with, whose rows are whole blocks.
  public var isQuantized: Bool { self == .q8_0 || self == .q4_0 || self == .q4_1 }
}

/// The bits of `value` rounded to bfloat16, ties to even; a NaN stays a quiet NaN.
@inlinable
public func bfloat16Bits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
}

/// The value of bfloat16 bits, exactly.
@inlinable
public func float(bfloat16Bits bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

/// The bits of `value` rounded to IEEE half precision, ties to even; too large becomes infinity.
public func float16Bits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
  let magnitude = bits & 0x7FFF_FFFF
  if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
  // 65520 and above round to infinity.
  if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
  if magnitude < 0x3880_0000 {
    // Subnormal: adding 0.5 leaves the rounded multiple of 2⁻²⁴ in the low bits.
    let shifted = Float(bitPattern: magnitude) + 0.5
    return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- 0x3F00_0000)
  }
  let rounded = magnitude &+ 0x0FFF &+ ((magnitude >> 13) & 1)
  return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
}

/// The value of IEEE half precision bits, exactly.
public func float(float16Bits bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let magnitude = UInt32(bits & 0x7FFF)
  if magnitude >= 0x7C00 { return Float(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x3FF) << 13) }
  // 2¹¹² moves the exponent's bias from 15 to 127 and turns subnormals into normals, exactly.
  let value = Float(bitPattern: magnitude << 13) * Float(bitPattern: 0x7780_0000)
  return Float(bitPattern: value.bitPattern | sign)
}

extension ByteView {
  /// The elements as floats, copied.
  /// - Parameter type: F32, F16 or BF16; the count of bytes must be a multiple of its size.
  public func floats(_ type: ElementType) -> [Float] {
    precondition(type.isUsable && count % type.size == 0)
    let elements = count / type.size
    return [Float](unsafeUninitializedCapacity: elements) { buffer, initialized in
      for index in 0..<elements {
        let address = base + index * type.size
        switch type {
        case .f32:
          buffer.initializeElement(
            at: index, to: Float(bitPattern: UInt32(littleEndian: address.loadUnaligned(as: UInt32.self))))
        case .bf16:
          buffer.initializeElement(
            at: index,
            to: float(bfloat16Bits: UInt16(littleEndian: address.loadUnaligned(as: UInt16.self))))
        default:
          buffer.initializeElement(
            at: index,
            to: float(float16Bits: UInt16(littleEndian: address.loadUnaligned(as: UInt16.self))))
        }
      }
      initialized = elements
    }
  }
}

extension VectorView {
  /// Rounds every value to what a storage type can hold.
  func round(to type: ElementType) {
    switch type {
    case .bf16: for index in 0..<count { base[index] = float(bfloat16Bits: bfloat16Bits(base[index])) }
    case .f16: for index in 0..<count { base[index] = float(float16Bits: float16Bits(base[index])) }
    default: break
    }
  }
}

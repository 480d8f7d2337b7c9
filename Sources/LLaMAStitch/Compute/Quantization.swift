import CKernels

extension ElementType {
  /// The kernels' number for a type of weights.
  var kernelType: Int32 {
    switch self {
    case .bf16: Int32(CK_BF16)
    case .f16: Int32(CK_F16)
    case .q8_0: Int32(CK_Q8_0)
    case .q4_0: Int32(CK_Q4_0)
    default: Int32(CK_F32)
    }
  }
}

extension ByteView {
  /// Widens some of the elements, exactly, to floats.
  /// - Parameters:
  ///   - type: F32, F16, BF16, Q8_0 or Q4_0.
  ///   - elements: where type is quantised, both ends must be multiples of 32.
  func widen(_ elements: Range<Int>, _ type: ElementType, into floats: VectorView) {
    precondition(type.isUsable || type.isQuantized)
    precondition(floats.count == elements.count && elements.lowerBound >= 0)
    precondition(elements.lowerBound % type.blockLength == 0 && elements.count % type.blockLength == 0)
    precondition(type.byteCount(elements.upperBound) <= count, "elements outside their memory")
    InferenceKernels.best.table.pointee.widen(
      type.kernelType, base + type.byteCount(elements.lowerBound), elements.count, floats.base)
  }
}

extension VectorView {
  /// Rounds all values to blocks of Q8_0 or Q4_0 at an address that has room for them.
  /// - Returns: whether they can be stored: finite, and not too large for a scale.
  static func quantize(_ values: UnsafeBufferPointer<Float>, to type: ElementType, at blocks: UnsafeMutableRawPointer) -> Bool {
    precondition(type.isQuantized && values.count % type.blockLength == 0)
    guard let start = values.baseAddress else { return true }
    return ck_quantize(type.kernelType, start, values.count, blocks) == 0
  }
}

/// The alphabet of 256 characters in which byte-level BPE spells bytes, GPT-2's: printable characters of Latin-1 stand for
/// themselves, the others are moved to U+0100 and up, in order.
enum ByteAlphabet {
  /// By byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      if isPrintable { return Unicode.Scalar(UInt8(byte)) }
      defer { next += 1 }
      // All are below the surrogates.
      return Unicode.Scalar(next) ?? "\u{FFFD}"
    }
  }()

  /// By scalar value, below 0x144; −1 for those that stand for no byte.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
    return bytes
  }()

  /// The byte that a character of a token stands for, if it does.
  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    scalar.value < 0x144 && bytes[Int(scalar.value)] >= 0 ? UInt8(bytes[Int(scalar.value)]) : nil
  }

  /// How tokens spell bytes.
  static func spelling(of word: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    for byte in word { result += UTF8.encode(scalars[Int(byte)]) ?? .init() }
    return result
  }

  /// The bytes that a token spells; `nil` where it holds another character.
  static func bytes(of token: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return result
  }
}

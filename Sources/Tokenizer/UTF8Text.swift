/// Bytes that are meant to be UTF-8, taken apart: characters, and bytes that belong to none.
struct UTF8Text {
  private(set) var scalars: [Unicode.Scalar] = []
  /// Where each scalar begins among the bytes; one more at the end.
  private(set) var places: [Int] = []

  /// Reads characters from `start` on, up to the end or a byte that belongs to none.
  /// - Returns: where it stopped.
  mutating func read(_ bytes: [UInt8], from start: Int) -> Int {
    scalars.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
    var index = start
    while index < bytes.count {
      if bytes[index] < 0x80 {
        scalars.append(Unicode.Scalar(bytes[index]))
        places.append(index)
        index += 1
      } else {
        guard let (scalar, length) = Self.scalar(of: bytes, at: index) else { break }
        scalars.append(scalar)
        places.append(index)
        index += length
      }
    }
    places.append(index)
    return index
  }

  /// The character that begins at a place, if one does: neither half of a surrogate pair nor a longer form than needed.
  static func scalar(of bytes: [UInt8], at start: Int) -> (scalar: Unicode.Scalar, length: Int)? {
    guard start < bytes.count else { return nil }
    let first = bytes[start]
    let length =
      switch first {
      case 0..<0x80: 1
      case 0xC2..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF5: 4
      default: 0
      }
    guard length > 0, start + length <= bytes.count else { return nil }
    var value = length == 1 ? UInt32(first) : UInt32(first) & (0x7F >> UInt32(length))
    for index in start + 1..<start + length {
      guard bytes[index] & 0xC0 == 0x80 else { return nil }
      value = value << 6 | UInt32(bytes[index] & 0x3F)
    }
    guard length < 3 || value >= (length == 3 ? 0x800 : 0x10000) else { return nil }
    return Unicode.Scalar(value).map { ($0, length) }
  }
}

/// The numbers of a vocabulary's spellings, found by their bytes.
///
/// Not a dictionary of strings: to those, two spellings of one character (é, and e with an accent) are the same.
struct SpellingIndex: Sendable {
  private struct Slot {
    var hash: UInt64 = 0
    var length: Int32 = 0
    /// −1 where there is none.
    var number: Int32 = -1
  }

  private let spellings: Spellings
  /// Open addressing.
  private var slots: [Slot]
  /// The number of a spelling that another had before.
  private(set) var duplicate: Int?

  /// - Parameter spellings: by number; empty ones are found by nothing.
  init(_ spellings: Spellings) {
    self.spellings = spellings
    // At most four of five are taken.
    slots = [Slot](repeating: Slot(), count: (spellings.count * 5 / 4 + 1).roundedUpToPowerOfTwo)
    for (number, place) in spellings.places.enumerated() where !place.isEmpty {
      let hash = Self.hash(spellings.bytes, place)
      let slot = slot(of: spellings.bytes, place, hash)
      if slots[slot].number < 0 {
        slots[slot] = Slot(hash: hash, length: Int32(clamping: place.count), number: Int32(number))
      } else if duplicate == nil {
        duplicate = number
      }
    }
  }

  /// - Parameter place: where the spelling lies among the bytes.
  func number(of bytes: [UInt8], _ place: Range<Int>) -> Int? {
    let number = slots[slot(of: bytes, place, Self.hash(bytes, place))].number
    return number < 0 ? nil : Int(number)
  }

  func number(of spelling: [UInt8]) -> Int? { number(of: spelling, spelling.indices) }

  func number(of spelling: String) -> Int? { number(of: Array(spelling.utf8)) }

  /// Where a spelling is, or would be put.
  private func slot(of bytes: [UInt8], _ place: Range<Int>, _ hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash >> 24) & (slots.count - 1)
    while slots[slot].number >= 0 {
      // Of so short ones the hashes differ where they do.
      if slots[slot].hash == hash, slots[slot].length == Int32(clamping: place.count),
        place.count <= 8 || spellings.bytes[spellings.places[Int(slots[slot].number)]] == bytes[place]
      {
        break
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  /// Takes in eight bytes at a time. Of two spellings of one length, at most eight, the hashes are different.
  private static func hash(_ bytes: [UInt8], _ place: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0
    var word: UInt64 = 0
    for (count, index) in zip(1..., place) {
      word = word << 8 | UInt64(bytes[index])
      if count & 7 == 0 {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 32
        word = 0
      }
    }
    if place.count & 7 == 0 { return hash }
    hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
    return hash ^ hash >> 32
  }
}

extension Int {
  /// At least 1.
  var roundedUpToPowerOfTwo: Int {
    self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
  }
}

extension ArraySlice<UInt8> {
  /// FNV-1a, mixed once more: of words, which are short.
  var shortHash: UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in self { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash ^ hash >> 29
  }
}

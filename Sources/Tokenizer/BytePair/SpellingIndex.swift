/// The numbers of a vocabulary's spellings, found by their bytes.
///
/// Not a dictionary of strings: to those, two spellings of one character (é, and e with an accent) are the same.
struct SpellingIndex: Sendable {
  /// All spellings, one after the other.
  private var bytes: [UInt8] = []
  /// By number: where a spelling ends and the next begins.
  private var ends: [Int] = [0]
  /// Open addressing: numbers (lower half) and the upper half of their hashes; all ones where there is none.
  private var slots: [UInt64]
  private static let none = UInt64.max
  /// The number of a spelling that another had before.
  private(set) var duplicate: Int?

  /// - Parameter spellings: by number; empty ones are found by nothing.
  init(_ spellings: [String]) {
    slots = [UInt64](repeating: Self.none, count: 2 * spellings.count.roundedUpToPowerOfTwo)
    ends.reserveCapacity(spellings.count + 1)
    for (number, spelling) in spellings.enumerated() {
      let start = bytes.count
      bytes += spelling.utf8
      ends.append(bytes.count)
      if start == bytes.count { continue }
      let hash = bytes[start...].shortHash
      let slot = slot(of: bytes[start...], hash)
      if slots[slot] == Self.none {
        slots[slot] = hash & Self.upper | UInt64(number)
      } else if duplicate == nil {
        duplicate = number
      }
    }
  }

  func number(of spelling: ArraySlice<UInt8>) -> Int? {
    let entry = slots[slot(of: spelling, spelling.shortHash)]
    return entry == Self.none ? nil : Int(entry & ~Self.upper)
  }

  func number(of spelling: String) -> Int? { number(of: Array(spelling.utf8)[...]) }

  private static let upper = UInt64.max << 32

  /// Where a spelling is, or would be put.
  private func slot(of spelling: ArraySlice<UInt8>, _ hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != Self.none {
      let number = Int(slots[slot] & ~Self.upper)
      let start = ends[number]
      if slots[slot] & Self.upper == hash & Self.upper, ends[number + 1] - start == spelling.count {
        var index = 0
        while index < spelling.count, bytes[start + index] == spelling[spelling.startIndex + index] { index += 1 }
        if index == spelling.count { break }
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
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

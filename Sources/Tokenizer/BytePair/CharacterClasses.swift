/// What the ways to cut text distinguish, by Unicode as the reference knows it.
///
/// Swift's tables are newer than those that tokenizers were made with, and characters that came in between would be cut
/// otherwise: these count as unassigned here.
package struct CharacterClasses: Sendable {
  package init() {}

  /// Properties of one character.
  struct Class: OptionSet {
    let rawValue: UInt8
    /// `\p{L}`
    static let letter = Class(rawValue: 1)
    /// `\p{N}`
    static let number = Class(rawValue: 2)
    /// `\s`
    static let space = Class(rawValue: 4)
    /// A number to what cuts digits apart, which is not a pattern and knows newer ones.
    static let digit = Class(rawValue: 8)
  }

  /// Where the classes of 256 characters begin in `known`, in steps of 256; 0 where they are still to be found.
  private var pages = [UInt16](repeating: 0, count: 0x1100)
  private var known = [UInt8](repeating: 0, count: 256)

  @inline(__always)
  subscript(scalar: Unicode.Scalar) -> Class {
    mutating get {
      let page = Int(scalar.value >> 8)
      if pages[page] == 0 { find(page) }
      return Class(rawValue: known[Int(pages[page]) << 8 | Int(scalar.value & 0xFF)])
    }
  }

  private mutating func find(_ page: Int) {
    pages[page] = UInt16(known.count >> 8)
    for low in 0..<256 {
      known.append(Unicode.Scalar(UInt32(page << 8 | low)).map { Self.of($0).rawValue } ?? 0)
    }
  }

  private static func of(_ scalar: Unicode.Scalar) -> Class {
    let isSpace = scalar.properties.isWhitespace
    // Unassigned characters have no age.
    guard let age = scalar.properties.age, age <= digitVersion else { return isSpace ? .space : [] }
    let isKnown = age <= patternVersion
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return isKnown ? .letter : []
    case .decimalNumber, .letterNumber, .otherNumber: return isKnown ? [.number, .digit] : .digit
    default: return isSpace ? .space : []
    }
  }

  /// Of the reference's regular expressions.
  private static let patternVersion: Unicode.Version = (16, 0)
  /// Of the reference's own character tables.
  private static let digitVersion: Unicode.Version = (17, 0)
}

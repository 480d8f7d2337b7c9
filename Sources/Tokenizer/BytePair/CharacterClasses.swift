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
    /// Punctuation to what cuts it apart, which knows no newer one than Unicode 8's.
    static let punctuation = Class(rawValue: 16)
    /// `\w`
    static let word = Class(rawValue: 32)
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
    let properties = scalar.properties
    var result: Class = properties.isWhitespace ? .space : []
    // Unassigned characters have no age.
    guard let age = properties.age, age <= digitVersion else { return result }
    let isKnown = age <= patternVersion
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      if isKnown { result.insert(.letter) }
    case .decimalNumber:
      result.insert(isKnown ? [.number, .digit, .word] : .digit)
    case .letterNumber, .otherNumber: result.insert(isKnown ? [.number, .digit] : .digit)
    case .nonspacingMark, .spacingMark, .enclosingMark: if isKnown { result.insert(.word) }
    case .connectorPunctuation: result.insert(age <= punctuationVersion ? [.word, .punctuation] : .word)
    case .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
      .otherPunctuation:
      if age <= punctuationVersion { result.insert(.punctuation) }
    // All of ASCII that is neither letter, digit, space nor control counts.
    default: if (0x21..<0x7F).contains(scalar.value) { result.insert(.punctuation) }
    }
    // Both were punctuation then, and became a symbol and a mark.
    if scalar == "\u{166D}" || scalar == "\u{111C9}" { result.insert(.punctuation) }
    if isKnown, properties.isAlphabetic || properties.isJoinControl { result.insert(.word) }
    return result
  }

  /// Of the reference's regular expressions.
  static let patternVersion: Unicode.Version = (16, 0)
  /// Of the reference's own character tables.
  private static let digitVersion: Unicode.Version = (17, 0)
  /// Of the reference's table of punctuation.
  private static let punctuationVersion: Unicode.Version = (8, 0)
}

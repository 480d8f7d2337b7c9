import COniguruma

/// A regular expression of Oniguruma's kind, as `tokenizer.json` has them.
///
/// `@unchecked Sendable`: `pattern` is set once in `init` and freed once in `deinit`; the search between is documented by
/// the shim as safe to call from several threads at once.
public final class TextPattern: @unchecked Sendable, Equatable {
  public let source: String
  private let pattern: OpaquePointer

  /// - Throws: `TokenizerError.unusable`.
  public init(_ source: String, file: String) throws(TokenizerError) {
    let scalars = source.unicodeScalars.map(\.value)
    var reason = [CChar](repeating: 0, count: 256)
    guard let pattern = con_compile(scalars, scalars.count, &reason, reason.count) else {
      let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw .unusable(file: file, cause: "its pattern \(source.prefix(60)) cannot be used (\(text))")
    }
    self.source = source
    self.pattern = pattern
  }

  deinit { con_free(pattern) }

  public static func == (a: TextPattern, b: TextPattern) -> Bool { a.source == b.source }

  /// All matches, in order, none within another; empty ones too, but not right after another.
  /// - Throws: `TokenizerError.patternGaveUp` where trying all ways to match would take for ever.
  func matches(in text: PatternText) throws(TokenizerError) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var start = 0
    let limit = Self.mostSteps + Self.mostStepsPerScalar * UInt(text.values.count)
    while start <= text.values.count {
      var first = 0
      var end = 0
      let found = con_search(pattern, text.values, text.values.count, start, limit, &first, &end)
      if found == 0 { break }
      guard found > 0 else { throw .patternGaveUp(source) }
      if first == end, matches.last?.upperBound == end {
        start = end + 1
        continue
      }
      matches.append(first..<end)
      start = end
    }
    return matches
  }

  /// Steps back before a search is given up: about half a second.
  private static let mostSteps: UInt = 20_000_000
  private static let mostStepsPerScalar: UInt = 16
}

/// Text as patterns see it: its scalars, those that the library's Unicode may not know yet in the guise of others of their
/// kind, those that the reference's does not know as unassigned.
struct PatternText {
  private(set) var values: [UInt32]

  init(_ scalars: some Collection<Unicode.Scalar>) {
    values = scalars.map { $0.value < 0x300 ? $0.value : Self.guise(of: $0) }
  }

  private static let unassigned: UInt32 = 0x378
  /// As old as the oldest library in use.
  private static let libraryVersion: Unicode.Version = (13, 0)

  private static func guise(of scalar: Unicode.Scalar) -> UInt32 {
    let properties = scalar.properties
    guard let age = properties.age else { return scalar.value }
    if age <= libraryVersion { return scalar.value }
    guard age <= CharacterClasses.patternVersion else { return unassigned }
    // One old character of every kind; they have no other case.
    return switch properties.generalCategory {
    case .uppercaseLetter: 0x3D2  // ϒ
    case .lowercaseLetter: 0x138  // ĸ
    case .titlecaseLetter: 0x1F88  // ᾈ
    case .modifierLetter: 0x2EE  // ˮ
    case .otherLetter: properties.isIdeographic ? 0x4E00 : 0x5D0  // 一, א
    case .nonspacingMark: 0x591
    case .spacingMark: 0x903
    case .enclosingMark: 0x488
    case .decimalNumber: 0x660  // ٠
    case .letterNumber: 0x3007  // 〇
    case .otherNumber: 0x9F4  // ৴
    case .connectorPunctuation: 0x203F  // ‿
    case .dashPunctuation: 0x58A  // ֊
    case .openPunctuation: 0x2045  // ⁅
    case .closePunctuation: 0x2046  // ⁆
    case .initialPunctuation: 0x2E02  // ⸂
    case .finalPunctuation: 0x2E03  // ⸃
    case .otherPunctuation: 0x589  // ։
    case .mathSymbol: 0x2044  // ⁄
    case .currencySymbol: 0x20A0  // ₠
    case .modifierSymbol: 0x2C2  // ˂
    case .otherSymbol: 0x2600  // ☀
    case .format: 0x600
    default: scalar.value
    }
  }
}

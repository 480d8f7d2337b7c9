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
    let scalars = (Self.quicker[source] ?? source).unicodeScalars.map(\.value)
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

  /// What finds the same in linear time. White space before a line's end is looked for at the first of a run alone: where
  /// that one finds none, neither do those after it, nor after a match, which went as far as it could.
  private static let quicker = [#"\s+$"#: #"(?<!\s)\s+$"#]

  /// All matches, in order, none within another; empty ones too, but not right after another.
  /// - Parameter steps: what is left to take for this and all else that is looked for in a text.
  /// - Throws: `TokenizerError.patternGaveUp` where trying all ways to match would take for ever.
  func matches(in text: PatternText, _ steps: inout PatternSteps) throws(TokenizerError) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var start = 0
    while start <= text.values.count {
      guard let match = try search(text, from: start, &steps) else { break }
      if match.isEmpty, matches.last?.upperBound == match.upperBound {
        start = match.upperBound + 1
        continue
      }
      matches.append(match)
      start = match.upperBound
    }
    return matches
  }

  /// The first match. The library takes a limit and does not say how much of it was used, so a small one is tried first.
  private func search(
    _ text: PatternText, from start: Int, _ steps: inout PatternSteps
  ) throws(TokenizerError) -> Range<Int>? {
    var limit = PatternSteps.free
    while true {
      var first = 0
      var end = 0
      let found = con_search(pattern, text.values, text.values.count, start, limit, &first, &end)
      // What was found did not fit a fourth of this limit.
      guard found == -1 else {
        if limit > PatternSteps.free { try take(limit / 4, of: &steps) }
        guard found >= 0 else { throw .patternGaveUp(source) }
        return found == 0 ? nil : first..<end
      }
      try take(limit, of: &steps)
      limit *= 4
    }
  }

  private func take(_ count: UInt, of steps: inout PatternSteps) throws(TokenizerError) {
    guard count <= steps.rest else { throw .patternGaveUp(source) }
    steps.rest -= count
  }
}

/// The steps back that patterns may take in one text, over all that is found in it: so many that usual patterns never use
/// them up, so few that they are used up in seconds. They grow with the text, not with its square.
struct PatternSteps {
  fileprivate(set) var rest: UInt

  /// - Parameter count: of the text's bytes or scalars.
  init(textLength count: Int) { rest = 20_000_000 + 64 * UInt(count) }

  /// One search takes so many without being counted.
  fileprivate static let free: UInt = 256
}

/// Text as patterns see it: its scalars, those that the library's Unicode may not know yet in the guise of others of their
/// kind, those that the reference's does not know as unassigned.
struct PatternText {
  private(set) var values: [UInt32]

  init(_ scalars: some Collection<Unicode.Scalar>) {
    values = scalars.map { $0.value < 0x300 ? $0.value : Self.guise(of: $0) }
  }

  /// As old as the oldest library in use.
  private static let libraryVersion: Unicode.Version = (13, 0)

  private static func guise(of scalar: Unicode.Scalar) -> UInt32 {
    let properties = scalar.properties
    guard let age = properties.age, age > libraryVersion else { return scalar.value }
    let guises = scalar.value < 0x4E00 ? guise : scalar.value < 0x10000 ? guiseBehindIdeographs : guiseBeyond
    let kind = age <= CharacterClasses.patternVersion ? properties.generalCategory : .unassigned
    if kind == .otherLetter, properties.isIdeographic { return scalar.value < 0x10000 ? 0x9FA6 : 0x20000 }
    // The last letters of a script that ranges have whole.
    if (0x2C00..<0x2C60).contains(scalar.value) { return kind == .uppercaseLetter ? 0x2C2E : 0x2C5E }
    return guises[kind] ?? guise[kind] ?? scalar.value
  }

  /// One old character of every kind: of those after U+0800, where the new ones are, too, as far as there are such, and of
  /// those that patterns do not name. Some name ranges as well as kinds, and lists of all letters that have cases.
  private static let guise: [Unicode.GeneralCategory: UInt32] = [
    .uppercaseLetter: 0x2132, .lowercaseLetter: 0x1C80, .titlecaseLetter: 0x1F88, .modifierLetter: 0x1D2C,
    .otherLetter: 0x905, .nonspacingMark: 0x901, .spacingMark: 0x903, .enclosingMark: 0x20DD, .decimalNumber: 0x966,
    .letterNumber: 0x3007, .otherNumber: 0x9F4, .connectorPunctuation: 0x203F, .dashPunctuation: 0x2E17,
    .openPunctuation: 0x2045, .closePunctuation: 0x2046, .initialPunctuation: 0x2E02, .finalPunctuation: 0x2E03,
    .otherPunctuation: 0x2E00, .mathSymbol: 0x2044, .currencySymbol: 0x20A0, .modifierSymbol: 0x1FBD,
    .otherSymbol: 0x2600, .format: 0x200B, .unassigned: 0x2FE0,
  ]

  /// The same behind U+4E00.
  private static let guiseBehindIdeographs: [Unicode.GeneralCategory: UInt32] = [
    .uppercaseLetter: 0xA790, .lowercaseLetter: 0xA791, .modifierLetter: 0xA770, .otherLetter: 0xA80A,
    .nonspacingMark: 0xA802, .modifierSymbol: 0xA700, .currencySymbol: 0xA838, .unassigned: 0xABFF,
  ]

  /// The same beyond U+FFFF.
  private static let guiseBeyond: [Unicode.GeneralCategory: UInt32] = [
    .uppercaseLetter: 0x1D400, .lowercaseLetter: 0x1D41A, .modifierLetter: 0x16B40, .otherLetter: 0x10280,
    .nonspacingMark: 0x1D167, .spacingMark: 0x1D165, .decimalNumber: 0x1D7CE, .letterNumber: 0x10140,
    .otherNumber: 0x10107, .dashPunctuation: 0x10EAD, .otherPunctuation: 0x10100, .mathSymbol: 0x1D6C1,
    .currencySymbol: 0x1E2FF, .modifierSymbol: 0x1F3FB, .otherSymbol: 0x1F600, .format: 0x1D173, .unassigned: 0x1F8FF,
  ]
}

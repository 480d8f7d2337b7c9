/// How text is cut into words before pairs are merged; no token reaches over a cut.
///
/// The patterns are those that models' files name; each is a scanner of its own here, by the classes of Unicode.
public enum TextSplitting: String, Sendable, CaseIterable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// Every digit apart, then as `gpt2`.
  case smollm
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  case llama3
  /// As `llama3`, with every digit apart: `\p{N}`.
  case qwen2

  /// The pattern of a `Split`, as `tokenizer.json` writes it.
  static let llama3Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  static let qwen2Pattern = llama3Pattern.replacing("{1,3}", with: "")

  /// Calls `body` with the words of a text, in order; together they are the text.
  /// - Parameters:
  ///   - scalars: of the text.
  ///   - body: receives a range of `scalars`, never empty.
  func words(of scalars: [Unicode.Scalar], _ body: (Range<Int>) -> Void) {
    switch self {
    case .gpt2: Scanner(scalars).gpt2(scalars.indices, body)
    case .smollm:
      let scanner = Scanner(scalars)
      var start = 0
      for index in scalars.indices where scanner.classes[index] == .number {
        if start < index { scanner.gpt2(start..<index, body) }
        body(index..<index + 1)
        start = index + 1
      }
      if start < scalars.count { scanner.gpt2(start..<scalars.count, body) }
    case .llama3: Scanner(scalars).llama3(digits: 3, body)
    case .qwen2: Scanner(scalars).llama3(digits: 1, body)
    }
  }
}

/// What the patterns distinguish.
private enum CharacterClass: UInt8 {
  case letter
  case number
  case space
  case other

  private static let ascii: [CharacterClass] = (0..<128).map { of(Unicode.Scalar(UInt8($0))) }

  @inline(__always)
  static func fast(_ scalar: Unicode.Scalar) -> CharacterClass {
    scalar.value < 128 ? ascii[Int(scalar.value)] : of(scalar)
  }

  static func of(_ scalar: Unicode.Scalar) -> CharacterClass {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: scalar.properties.isWhitespace ? .space : .other
    }
  }
}

private struct Scanner {
  let scalars: [Unicode.Scalar]
  let classes: [CharacterClass]

  init(_ scalars: [Unicode.Scalar]) {
    self.scalars = scalars
    classes = scalars.map(CharacterClass.fast)
  }

  private func run(_ start: Int, _ end: Int, _ kind: CharacterClass) -> Int {
    var index = start
    while index < end, classes[index] == kind { index += 1 }
    return index
  }

  /// The end of a contraction that begins here: `'s`, `'ll`.
  private func contraction(_ start: Int, _ end: Int, ignoresCase: Bool) -> Int? {
    guard scalars[start] == "'", start + 1 < end else { return nil }
    func letter(_ index: Int) -> Unicode.Scalar? {
      guard index < end else { return nil }
      let scalar = scalars[index]
      guard ignoresCase else { return scalar }
      // Folding case, ſ is an s.
      if scalar == "\u{17F}" { return "s" }
      return (65...90).contains(scalar.value) ? Unicode.Scalar(UInt8(scalar.value + 32)) : scalar
    }
    switch letter(start + 1) {
    case "s", "t", "m", "d": return start + 2
    case "r", "v": return letter(start + 2) == "e" ? start + 3 : nil
    case "l": return letter(start + 2) == "l" ? start + 3 : nil
    default: return nil
    }
  }

  /// White space that is followed by something else leaves its last character to it: `\s+(?!\S)|\s+`.
  private func space(_ start: Int, _ end: Int) -> Int {
    let stop = run(start, end, .space)
    return stop < end && stop - start > 1 ? stop - 1 : stop
  }

  func gpt2(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var index = range.lowerBound
    let end = range.upperBound
    while index < end {
      let next: Int
      if let stop = contraction(index, end, ignoresCase: false) {
        next = stop
      } else {
        let first = scalars[index] == " " && index + 1 < end && classes[index + 1] != .space ? index + 1 : index
        next = classes[first] == .space ? space(index, end) : run(first, end, classes[first])
      }
      body(index..<next)
      index = next
    }
  }

  func llama3(digits: Int, _ body: (Range<Int>) -> Void) {
    func isLineEnd(_ index: Int) -> Bool { scalars[index] == "\r" || scalars[index] == "\n" }
    let end = scalars.count
    var index = 0
    while index < end {
      let kind = classes[index]
      var next = index
      if let stop = contraction(index, end, ignoresCase: true) {
        next = stop
      } else if kind == .letter {
        next = run(index, end, .letter)
      } else if kind != .number, !isLineEnd(index), index + 1 < end, classes[index + 1] == .letter {
        next = run(index + 1, end, .letter)
      } else if kind == .number {
        next = min(run(index, end, .number), index + digits)
      } else {
        let first = scalars[index] == " " && index + 1 < end ? index + 1 : index
        if classes[first] == .other {
          next = run(first, end, .other)
          while next < end, isLineEnd(next) { next += 1 }
        } else {
          // \s*[\r\n]+ takes white space up to the last line end in it.
          let stop = run(index, end, .space)
          if let last = (index..<stop).last(where: isLineEnd) {
            next = last + 1
          } else {
            next = stop < end && stop - index > 1 ? stop - 1 : stop
          }
        }
      }
      body(index..<next)
      index = next
    }
  }
}

/// How text is cut into words before pairs are merged; no token reaches over a cut.
///
/// The patterns are those that models' files name; each is a scanner of its own here, by `CharacterClasses`.
public enum TextSplitting: String, Sendable, CaseIterable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// Every digit apart, then as `gpt2`.
  case smollm
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  case llama3
  /// As `llama3`, with every digit apart: `\p{N}`.
  case qwen2

  private static let llama3Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

  /// The same in steps, as `tokenizer.json` has it.
  public var preTokenizers: [PreTokenizer] { Self.steps[self] ?? [] }

  private static let steps: [TextSplitting: [PreTokenizer]] = {
    func split(_ pattern: String) -> [PreTokenizer] {
      do {
        return [
          .split(.pattern(try TextPattern(pattern, file: "")), .isolated, isInverted: false),
          .byteLevel(addsSpace: false, usesPattern: false),
        ]
      } catch { preconditionFailure("\(pattern): \(error)") }
    }
    let gpt2 = PreTokenizer.byteLevel(addsSpace: false, usesPattern: true)
    return [
      .gpt2: [gpt2], .smollm: [.digits(areApart: true), gpt2], .llama3: split(llama3Pattern),
      .qwen2: split(llama3Pattern.replacing("{1,3}", with: "")),
    ]
  }()

  /// Where the words of a text end, in order; together they are the text.
  /// - Parameters:
  ///   - scalars: of the text; ends are places among them.
  ///   - classes: of characters, as far as they were met.
  package func ends(of scalars: [Unicode.Scalar], _ classes: inout CharacterClasses) -> [Int] {
    let scanner = Scanner(scalars, &classes)
    var ends: [Int] = []
    ends.reserveCapacity(scalars.count / 4)
    switch self {
    case .gpt2: scanner.gpt2(scalars.indices, &ends)
    case .smollm:
      var start = 0
      for index in scalars.indices where scanner.isDigit(index) {
        if start < index { scanner.gpt2(start..<index, &ends) }
        ends.append(index + 1)
        start = index + 1
      }
      if start < scalars.count { scanner.gpt2(start..<scalars.count, &ends) }
    case .llama3: scanner.llama3(digits: 3, &ends)
    case .qwen2: scanner.llama3(digits: 1, &ends)
    }
    return ends
  }
}

/// A text that is cut by the known patterns.
private struct Scanner {
  let scalars: [Unicode.Scalar]
  /// By scalar: one of the patterns' classes, none for all else.
  private let classes: [CharacterClasses.Class]
  private static let patterns: CharacterClasses.Class = [.letter, .number, .space]

  init(_ scalars: [Unicode.Scalar], _ classes: inout CharacterClasses) {
    self.scalars = scalars
    self.classes = scalars.map { classes[$0] }
  }

  private func kind(_ index: Int) -> CharacterClasses.Class { classes[index].intersection(Self.patterns) }

  func isDigit(_ index: Int) -> Bool { classes[index].contains(.digit) }

  private func run(_ start: Int, _ end: Int, _ kind: CharacterClasses.Class) -> Int {
    var index = start
    while index < end, self.kind(index) == kind { index += 1 }
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

  func gpt2(_ range: Range<Int>, _ ends: inout [Int]) {
    var index = range.lowerBound
    let end = range.upperBound
    while index < end {
      let next: Int
      if let stop = contraction(index, end, ignoresCase: false) {
        next = stop
      } else {
        let first = scalars[index] == " " && index + 1 < end && kind(index + 1) != .space ? index + 1 : index
        next = kind(first) == .space ? space(index, end) : run(first, end, kind(first))
      }
      ends.append(next)
      index = next
    }
  }

  func llama3(digits: Int, _ ends: inout [Int]) {
    func isLineEnd(_ index: Int) -> Bool { scalars[index] == "\r" || scalars[index] == "\n" }
    let end = scalars.count
    var index = 0
    while index < end {
      let kind = self.kind(index)
      var next = index
      if let stop = contraction(index, end, ignoresCase: true) {
        next = stop
      } else if kind == .letter {
        next = run(index, end, .letter)
      } else if kind != .number, !isLineEnd(index), index + 1 < end, self.kind(index + 1) == .letter {
        next = run(index + 1, end, .letter)
      } else if kind == .number {
        next = min(run(index, end, .number), index + digits)
      } else {
        let first = scalars[index] == " " && index + 1 < end ? index + 1 : index
        if self.kind(first) == [] {
          next = run(first, end, [])
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
      ends.append(next)
      index = next
    }
  }
}

/// One step of cutting text into words before pairs are merged, as `tokenizer.json` has them; no token reaches over a cut.
public enum PreTokenizer: Sendable, Equatable {
  /// Where something is found. With `isInverted`, what is between counts as found.
  case split(TextMatcher, MatchBehavior, isInverted: Bool)
  /// Numbers, each digit alone or together.
  case digits(areApart: Bool)
  case punctuation(MatchBehavior)
  /// Words, and runs of what is neither word nor white space; white space goes.
  case whitespace
  /// What is between white space, which goes.
  case whitespaceSplit
  /// Words by GPT-2's pattern if so, spelled in the alphabet of bytes then.
  case byteLevel(addsSpace: Bool, usesPattern: Bool)
  /// A mark in place of every space, and before every word.
  case metaspace(mark: Unicode.Scalar, MetaspacePrefix, splits: Bool)
}

/// What is looked for in text.
public enum TextMatcher: Sendable, Equatable {
  case text(String)
  case pattern(TextPattern)

  /// - Throws: `TokenizerError.patternGaveUp`.
  func matches(
    in scalars: [Unicode.Scalar], _ steps: inout PatternSteps
  ) throws(TokenizerError) -> [Range<Int>] {
    switch self {
    case .pattern(let pattern): return try pattern.matches(in: PatternText(scalars), &steps)
    case .text(let text):
      let wanted = Array(text.unicodeScalars)
      guard let first = wanted.first else { return [] }
      var matches: [Range<Int>] = []
      var index = 0
      while index + wanted.count <= scalars.count {
        if scalars[index] == first, scalars[index..<index + wanted.count].elementsEqual(wanted) {
          matches.append(index..<index + wanted.count)
          index += wanted.count
        } else {
          index += 1
        }
      }
      return matches
    }
  }
}

/// What becomes of what is found in text; `rawValue` is the name in `tokenizer.json`.
public enum MatchBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// The words of a text in which something was found.
  /// - Parameter spans: all of the text, in order.
  func words(_ spans: [(range: Range<Int>, isMatch: Bool)]) -> [Range<Int>] {
    var words: [Range<Int>] = []
    switch self {
    case .removed: words = spans.filter { !$0.isMatch }.map(\.range)
    case .isolated: words = spans.map(\.range)
    case .contiguous:
      var wasMatch: Bool?
      for (range, isMatch) in spans {
        if isMatch == wasMatch, let last = words.popLast() {
          words.append(last.lowerBound..<range.upperBound)
        } else {
          words.append(range)
        }
        wasMatch = isMatch
      }
    case .mergedWithPrevious:
      var wasMatch = false
      for (range, isMatch) in spans {
        if isMatch, !wasMatch, let last = words.popLast() {
          words.append(last.lowerBound..<range.upperBound)
        } else {
          words.append(range)
        }
        wasMatch = isMatch
      }
    case .mergedWithNext:
      var wasMatch = false
      for (range, isMatch) in spans.reversed() {
        if isMatch, !wasMatch, let last = words.popLast() {
          words.append(range.lowerBound..<last.upperBound)
        } else {
          words.append(range)
        }
        wasMatch = isMatch
      }
      words.reverse()
    }
    return words.filter { !$0.isEmpty }
  }
}

/// Which words a mark is put before that have none; `rawValue` is the name in `tokenizer.json`.
public enum MetaspacePrefix: String, Sendable {
  case always
  case never
  /// The one that begins the text.
  case first
}

/// A text on its way to words.
struct WordCutter {
  private(set) var scalars: [Unicode.Scalar]
  /// In order; between them may be what was removed.
  private(set) var words: [Range<Int>]
  /// Spelled in the alphabet of bytes.
  private(set) var isInAlphabet = false
  /// It begins the text.
  private let isFirst: Bool
  /// It goes on with another text: nothing is put before it.
  private let isContinuation: Bool

  init(_ scalars: [Unicode.Scalar], isFirst: Bool, isContinuation: Bool) {
    self.scalars = scalars
    words = scalars.isEmpty ? [] : [scalars.indices]
    self.isFirst = isFirst
    self.isContinuation = isContinuation
  }

  /// - Throws: `TokenizerError.patternGaveUp`.
  mutating func apply(
    _ step: PreTokenizer, _ classes: inout CharacterClasses, _ steps: inout PatternSteps
  ) throws(TokenizerError) {
    switch step {
    case .split(let matcher, let behavior, let isInverted):
      var result: [Range<Int>] = []
      for word in words {
        let matches = try matcher.matches(in: Array(scalars[word]), &steps)
        result += cut(word, matches, behavior, isInverted: isInverted)
      }
      words = result
    case .digits(let areApart): cut(areApart ? .isolated : .contiguous, .digit, &classes)
    case .punctuation(let behavior): cut(behavior, .punctuation, &classes)
    case .whitespaceSplit: cut(.removed, .space, &classes)
    case .whitespace:
      words = words.flatMap { word in
        var result: [Range<Int>] = []
        var start = word.lowerBound
        while start < word.upperBound {
          let kind = classes[scalars[start]].intersection([.space, .word])
          var end = start + 1
          while end < word.upperBound, classes[scalars[end]].intersection([.space, .word]) == kind { end += 1 }
          if kind != .space { result.append(start..<end) }
          start = end
        }
        return result
      }
    case .byteLevel(let addsSpace, let usesPattern):
      let isContinuation = isContinuation
      if addsSpace { put(" ", before: { word in !isContinuation || word > 0 }) }
      if usesPattern {
        words = words.flatMap { word in
          var start = word.lowerBound
          return TextSplitting.gpt2.ends(of: Array(scalars[word]), &classes).map { end in
            defer { start = word.lowerBound + end }
            return start..<word.lowerBound + end
          }
        }
      }
      spellBytes()
    case .metaspace(let mark, let prefix, let splits):
      for index in scalars.indices where scalars[index] == " " { scalars[index] = mark }
      let (isFirst, isContinuation) = (isFirst, isContinuation)
      put(
        mark,
        before: { word in
          switch prefix {
          case .always: !isContinuation || word > 0
          case .first: isFirst && !isContinuation && word == 0
          case .never: false
          }
        })
      if splits {
        words = words.flatMap { word in
          let marks = word.filter { scalars[$0] == mark }.map { $0 - word.lowerBound..<$0 - word.lowerBound + 1 }
          return cut(word, marks, .mergedWithNext, isInverted: false)
        }
      }
    }
  }

  private func cut(
    _ word: Range<Int>, _ matches: [Range<Int>], _ behavior: MatchBehavior, isInverted: Bool
  ) -> [Range<Int>] {
    var spans: [(Range<Int>, Bool)] = []
    var start = word.lowerBound
    for match in matches {
      let range = word.lowerBound + match.lowerBound..<word.lowerBound + match.upperBound
      if start < range.lowerBound { spans.append((start..<range.lowerBound, isInverted)) }
      spans.append((range, !isInverted))
      start = range.upperBound
    }
    if start < word.upperBound { spans.append((start..<word.upperBound, isInverted)) }
    return behavior.words(spans)
  }

  /// Cuts at every single character of a class.
  private mutating func cut(
    _ behavior: MatchBehavior, _ kind: CharacterClasses.Class, _ classes: inout CharacterClasses
  ) {
    words = words.flatMap { word in
      let matches = word.filter { classes[scalars[$0]].contains(kind) }
      return cut(
        word, matches.map { $0 - word.lowerBound..<$0 - word.lowerBound + 1 }, behavior, isInverted: false)
    }
  }

  /// Puts a character before the words that do not begin with it.
  private mutating func put(_ scalar: Unicode.Scalar, before isWanted: (Int) -> Bool) {
    var result: [Unicode.Scalar] = []
    for (number, word) in words.enumerated() {
      let start = result.count
      if isWanted(number), scalars[word.lowerBound] != scalar { result.append(scalar) }
      result += scalars[word]
      words[number] = start..<result.count
    }
    scalars = result
  }

  private mutating func spellBytes() {
    var result: [Unicode.Scalar] = []
    for (number, word) in words.enumerated() {
      let start = result.count
      for scalar in scalars[word] {
        for byte in UTF8.encode(scalar) ?? .init() { result.append(ByteAlphabet.scalars[Int(byte)]) }
      }
      words[number] = start..<result.count
    }
    scalars = result
    isInAlphabet = true
  }
}

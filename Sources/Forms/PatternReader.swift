import Support

/// Reads the regular expression of a schema's `pattern`, of which what ECMA-262 and grammars have in common: characters,
/// classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, and `^` and `$` at the ends. It becomes the inside of a JSON string.
struct PatternReader {
  private let text: [Unicode.Scalar]
  private let place: String
  private var position = 0
  private var depth = 0

  private init(_ pattern: String, at place: String) {
    text = Array(pattern.unicodeScalars)
    self.place = place
  }

  /// - Throws: `FormError.schema`.
  static func expression(of pattern: String, at place: String) throws(FormError) -> Expression {
    var reader = PatternReader(pattern, at: place)
    let expression = try reader.choice()
    if reader.position < reader.text.count { throw reader.failure("a ) closes nothing") }
    return expression
  }

  private func failure(_ cause: String) -> FormError {
    .schema(place: place, cause: "\(cause) (character \(position + 1) of the pattern); simplify the pattern")
  }

  private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    position += 1
    return true
  }

  private static let anything = Expression.repetition(inString(ScalarSet("\n\r").complement), least: 0, most: nil)

  /// Alternatives; those of the whole pattern are found anywhere in a text unless they say where.
  private mutating func choice() throws(FormError) -> Expression {
    var choices: [Expression] = []
    repeat {
      let isWhole = depth == 0
      let isAtStart = isWhole && take("^")
      var parts = try sequence()
      let isAtEnd = isWhole && take("$")
      if isWhole && !isAtStart { parts.insert(Self.anything, at: 0) }
      if isWhole && !isAtEnd { parts.append(Self.anything) }
      choices.append(.sequence(parts))
    } while take("|")
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private mutating func sequence() throws(FormError) -> [Expression] {
    var parts: [Expression] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      if scalar == "$" && depth == 0 && (position + 1 == text.count || text[position + 1] == "|") { break }
      parts.append(try repeated(try item()))
    }
    return parts
  }

  private mutating func item() throws(FormError) -> Expression {
    guard let scalar = next else { throw failure("the pattern ends too early") }
    position += 1
    switch scalar {
    case "(":
      if take("?") {
        guard take(":") else { throw failure("of groups that begin with ?, only (?: is supported") }
      }
      if depth > 64 { throw failure("groups are nested too deeply") }
      depth += 1
      let group = try choice()
      depth -= 1
      guard take(")") else { throw failure("a group is not closed") }
      return group
    case "[": return Self.inString(try set())
    case ".": return Self.inString(ScalarSet("\n\r").complement)
    case "\\": return Self.inString(try escape())
    case "^", "$": throw failure("\(scalar) is supported at the pattern's ends alone")
    case "*", "+", "?", "{": throw failure("\(scalar) repeats nothing")
    default: return Self.inString(ScalarSet([scalar.value...scalar.value]))
    }
  }

  private static let digits = ScalarSet([0x30...0x39])
  private static let words = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
  private static let spaces = ScalarSet(" \t\n\r\u{B}\u{C}\u{A0}\u{FEFF}\u{2028}\u{2029}")

  /// After a backslash.
  private mutating func escape() throws(FormError) -> ScalarSet {
    guard let scalar = next else { throw failure("the pattern ends with \\") }
    position += 1
    switch scalar {
    case "d": return Self.digits
    case "D": return Self.digits.complement
    case "w": return Self.words
    case "W": return Self.words.complement
    case "s": return Self.spaces
    case "S": return Self.spaces.complement
    case "n": return ScalarSet("\n")
    case "r": return ScalarSet("\r")
    case "t": return ScalarSet("\t")
    case "f": return ScalarSet("\u{C}")
    case "v": return ScalarSet("\u{B}")
    case "u":
      let word = String(String.UnicodeScalarView(text[position..<min(text.count, position + 4)]))
      guard word.count == 4, let value = UInt32(word, radix: 16), Unicode.Scalar(value) != nil else {
        throw failure("\\u needs four hexadecimal digits")
      }
      position += 4
      return ScalarSet([value...value])
    case _ where scalar.properties.isAlphabetic || ("0"..."9").contains(scalar):
      throw failure("\\\(scalar) is not supported")
    default: return ScalarSet([scalar.value...scalar.value])
    }
  }

  /// After an opening bracket.
  private mutating func set() throws(FormError) -> ScalarSet {
    let isNegated = take("^")
    var set = ScalarSet([])
    while !take("]") {
      guard let first = try member() else { throw failure("a class is not closed") }
      let isRange = next == "-" && position + 1 < text.count && text[position + 1] != "]"
      guard isRange, let low = first.single else {
        set = set.union(first)
        continue
      }
      position += 1
      guard let last = try member(), let high = last.single, low <= high else {
        throw failure("a class has a range that ends before it begins")
      }
      set = set.union(ScalarSet([low...high]))
    }
    return isNegated ? set.complement : set
  }

  private mutating func member() throws(FormError) -> ScalarSet? {
    guard let scalar = next else { return nil }
    position += 1
    return scalar == "\\" ? try escape() : ScalarSet([scalar.value...scalar.value])
  }

  private mutating func repeated(_ item: Expression) throws(FormError) -> Expression {
    var item = item
    if take("*") {
      item = .repetition(item, least: 0, most: nil)
    } else if take("+") {
      item = .repetition(item, least: 1, most: nil)
    } else if take("?") {
      item = .optional(item)
    } else if take("{") {
      let least = try number()
      var most: Int? = least
      if take(",") { most = next == "}" ? nil : try number() }
      guard take("}") else { throw failure("a repetition is written {m}, {m,} or {m,n}") }
      if let most, most < least { throw failure("a repetition's most is less than its least") }
      item = .repetition(item, least: least, most: most)
    } else {
      return item
    }
    // Whether as much or as little as possible is taken makes no difference to which texts there are.
    _ = take("?")
    return item
  }

  private mutating func number() throws(FormError) -> Int {
    let start = position
    while let scalar = next, ("0"..."9").contains(scalar) { position += 1 }
    let word = String(String.UnicodeScalarView(text[start..<position]))
    guard let value = Int(word), value <= 10_000 else {
      throw failure("a repetition is written {m}, {m,} or {m,n}, with numbers of at most 10,000")
    }
    return value
  }

  /// One of these characters as a JSON string spells it.
  private static func inString(_ set: ScalarSet) -> Expression {
    var choices: [Expression] = []
    let plain = set.intersection(JSONForms.plain)
    if !plain.isEmpty { choices.append(.characters(plain)) }
    let escapes: [(Unicode.Scalar, String)] = [
      ("\"", "\\\""), ("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\u{8}", "\\b"), ("\u{C}", "\\f"),
    ]
    for (scalar, spelling) in escapes where set.contains(scalar.value) { choices.append(.text(spelling)) }
    return .choice(choices)
  }
}

extension ScalarSet {
  /// The one scalar of a set that has no others.
  fileprivate var single: UInt32? {
    guard let range = ranges.first, ranges.count == 1, range.lowerBound == range.upperBound else { return nil }
    return range.lowerBound
  }
}

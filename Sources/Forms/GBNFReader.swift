/// Reads a grammar in GBNF, llama.cpp's notation: `name ::= …` with literals, `[classes]`, `.`, groups, `|`, `*`, `+`, `?`,
/// `{m,n}` and `#` comments. A text has the form if the rule `root` makes it.
struct GBNFReader {
  private let text: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private static let deepest = 64
  /// Times that something may be asked to repeat.
  private static let mostCopies = 10_000

  private init(_ text: String) { self.text = Array(text.unicodeScalars) }

  /// - Throws: `FormError`.
  static func rules(of text: String) throws(FormError) -> [String: Expression] {
    var reader = GBNFReader(text)
    var rules: [String: Expression] = [:]
    reader.skipSpace(andLines: true)
    while reader.next != nil {
      let name = try reader.name()
      reader.skipSpace(andLines: false)
      guard reader.take("::=") else { throw reader.failure("after the rule's name “\(name)” comes ::=") }
      if rules[name] != nil { throw reader.failure("the rule “\(name)” is there twice") }
      reader.skipSpace(andLines: true)
      rules[name] = try reader.choice()
      reader.skipSpace(andLines: true)
    }
    if rules["root"] == nil { throw .undefinedRule("root") }
    return rules
  }

  private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

  private func failure(_ cause: String) -> FormError {
    .syntax(line: 1 + text[..<min(position, text.count)].count { $0 == "\n" }, cause: cause)
  }

  private mutating func take(_ word: String) -> Bool {
    let scalars = Array(word.unicodeScalars)
    guard text[position...].starts(with: scalars) else { return false }
    position += scalars.count
    return true
  }

  private mutating func skipSpace(andLines: Bool) {
    while let scalar = next {
      if scalar == "#" {
        while let scalar = next, scalar != "\n" { position += 1 }
      } else if scalar == " " || scalar == "\t" || scalar == "\r" || (andLines && scalar == "\n") {
        position += 1
      } else {
        return
      }
    }
  }

  /// White space, and line feeds where the rule goes on behind them: in a group, or before a `|`.
  private mutating func skipWithinRule() {
    skipSpace(andLines: depth > 0)
    if depth > 0 { return }
    let start = position
    skipSpace(andLines: true)
    if next != "|" { position = start }
  }

  private static func isOfName(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_")
  }

  private mutating func name() throws(FormError) -> String {
    let start = position
    while let scalar = next, Self.isOfName(scalar) { position += 1 }
    if start == position { throw failure("a rule's name is expected, of letters, digits, - and _") }
    return String(String.UnicodeScalarView(text[start..<position]))
  }

  private mutating func choice() throws(FormError) -> Expression {
    if depth > Self.deepest { throw failure("groups are nested more than \(Self.deepest) deep") }
    var choices = [try sequence()]
    while next == "|" {
      position += 1
      skipSpace(andLines: true)
      choices.append(try sequence())
    }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private mutating func sequence() throws(FormError) -> Expression {
    var parts: [Expression] = []
    skipWithinRule()
    while let scalar = next, scalar != "|", scalar != ")", scalar != "\n" {
      parts.append(try repeated(try item()))
      skipWithinRule()
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func item() throws(FormError) -> Expression {
    switch next {
    case "\"":
      position += 1
      var literal = String.UnicodeScalarView()
      while next != "\"" { literal.append(try character(of: "a literal, which ends with \"")) }
      position += 1
      return .text(String(literal))
    case "[":
      position += 1
      return .characters(try set())
    case ".":
      position += 1
      return .characters(.all)
    case "(":
      position += 1
      depth += 1
      defer { depth -= 1 }
      let group = try choice()
      guard take(")") else { throw failure("a group is not closed; add )") }
      return group
    default:
      guard let scalar = next, Self.isOfName(scalar) else {
        throw failure("“\(next.map(String.init) ?? "")” is nothing that a rule consists of")
      }
      return .rule(try name())
    }
  }

  private mutating func set() throws(FormError) -> ScalarSet {
    let isNegated = take("^")
    var ranges: [ClosedRange<UInt32>] = []
    while next != "]" {
      let first = try character(of: "a class, which ends with ]").value
      if next == "-", position + 1 < text.count, text[position + 1] != "]" {
        position += 1
        let last = try character(of: "a class, which ends with ]").value
        guard first <= last else { throw failure("a range's first character comes after its last") }
        ranges.append(first...last)
      } else {
        ranges.append(first...first)
      }
    }
    position += 1
    let set = ScalarSet(ranges)
    return isNegated ? set.complement : set
  }

  /// A character of a literal or a class, or what an escape stands for.
  private mutating func character(of place: String) throws(FormError) -> Unicode.Scalar {
    guard let scalar = next else { throw failure("the grammar ends within \(place)") }
    position += 1
    guard scalar == "\\" else { return scalar }
    guard let escaped = next else { throw failure("the grammar ends within \(place)") }
    position += 1
    switch escaped {
    case "n": return "\n"
    case "t": return "\t"
    case "r": return "\r"
    case "\\", "\"", "[", "]", "-", "^": return escaped
    case "x": return try hexadecimal(2)
    case "u": return try hexadecimal(4)
    case "U": return try hexadecimal(8)
    default:
      throw failure(
        "\\\(escaped) stands for nothing; write \\n, \\t, \\r, \\\\, \\\", \\[, \\], \\xHH, \\uHHHH or \\UHHHHHHHH")
    }
  }

  private mutating func hexadecimal(_ digits: Int) throws(FormError) -> Unicode.Scalar {
    let end = min(text.count, position + digits)
    let word = String(String.UnicodeScalarView(text[position..<end]))
    guard word.count == digits, let value = UInt32(word, radix: 16), let scalar = Unicode.Scalar(value) else {
      throw failure("“\(word)” is no character in \(digits) hexadecimal digits")
    }
    position = end
    return scalar
  }

  private mutating func repeated(_ item: Expression) throws(FormError) -> Expression {
    var item = item
    while true {
      switch next {
      case "*": item = .repetition(item, least: 0, most: nil)
      case "+": item = .repetition(item, least: 1, most: nil)
      case "?": item = .optional(item)
      case "{":
        position += 1
        item = try counted(item)
        continue
      default: return item
      }
      position += 1
    }
  }

  /// `{m}`, `{m,}` or `{m,n}`, after the brace.
  private mutating func counted(_ item: Expression) throws(FormError) -> Expression {
    skipSpace(andLines: false)
    let least = try number()
    var most: Int? = least
    skipSpace(andLines: false)
    if take(",") {
      skipSpace(andLines: false)
      most = next == "}" ? nil : try number()
      skipSpace(andLines: false)
    }
    guard take("}") else { throw failure("a repetition is written {m}, {m,} or {m,n}") }
    if let most, most < least { throw failure("a repetition's most is less than its least") }
    return .repetition(item, least: least, most: most)
  }

  private mutating func number() throws(FormError) -> Int {
    let start = position
    while let scalar = next, ("0"..."9").contains(scalar) { position += 1 }
    let word = String(String.UnicodeScalarView(text[start..<position]))
    guard let value = Int(word), value <= Self.mostCopies else {
      throw failure("a repetition is written {m}, {m,} or {m,n}, with numbers of at most \(Self.mostCopies)")
    }
    return value
  }
}

extension Grammar {
  /// - Parameter gbnf: a grammar in llama.cpp's notation.
  /// - Throws: `FormError`.
  public init(gbnf text: String) throws(FormError) { try self.init(try GBNFReader.rules(of: text), root: "root") }
}

/// A word of a template: text between tags, or a part of a tag.
struct Token: Sendable {
  enum Kind: Sendable, Equatable {
    case data(MarkedString)
    case blockBegin, blockEnd, variableBegin, variableEnd
    case name(String)
    case string(MarkedString)
    case integer(Int)
    case float(Double)
    case symbol(String)
    case end
  }

  var kind: Kind
  var offset: Int

  /// As messages name it.
  var spelling: String {
    switch kind {
    case .data: "text"
    case .blockBegin: "{%"
    case .blockEnd: "%}"
    case .variableBegin: "{{"
    case .variableEnd: "}}"
    case .name(let name): name
    case .string(let value): "the string '\(MarkedString.text(value.units.prefix(40)))'"
    case .integer(let value): "\(value)"
    case .float(let value): "\(value)"
    case .symbol(let symbol): symbol
    case .end: "the end of the template"
    }
  }
}

/// Cuts a template into tokens, white space controlled as chat templates have it: the newline after a statement goes, and
/// so does what indents one.
struct Lexer {
  private let source: [UInt32]
  private var position = 0
  private var tokens: [Token] = []
  /// Whether the last match ended a line.
  private var isAtLineStart = true

  /// The template's code points, lines ended by `\n` and the last newline gone.
  static func normalized(_ text: String) -> [UInt32] {
    var units: [UInt32] = []
    var previous: UInt32 = 0
    for scalar in text.unicodeScalars {
      if scalar == "\r" {
        units.append(0x0A)
      } else if scalar != "\n" || previous != 0x0D {
        units.append(scalar.value)
      }
      previous = scalar.value
    }
    if units.last == 0x0A { units.removeLast() }
    return units
  }

  static func tokens(of source: [UInt32]) throws -> [Token] {
    var lexer = Lexer(source: source)
    while lexer.position < source.count { try lexer.root() }
    lexer.add(.end, at: source.count)
    return lexer.tokens
  }

  private init(source: [UInt32]) { self.source = source }

  private mutating func add(_ kind: Token.Kind, at offset: Int) { tokens.append(Token(kind: kind, offset: offset)) }

  private func at(_ index: Int) -> UInt32? { index < source.count ? source[index] : nil }

  private func has(_ text: StaticString, at index: Int) -> Bool {
    text.withUTF8Buffer { bytes in
      guard index + bytes.count <= source.count else { return false }
      return bytes.indices.allSatisfy { source[index + $0] == UInt32(bytes[$0]) }
    }
  }

  private func afterSpace(_ index: Int) -> Int {
    var index = index
    while index < source.count, MarkedString.isSpace(source[index]) { index += 1 }
    return index
  }

  private mutating func move(to end: Int) {
    if end > position { isAtLineStart = source[end - 1] == 0x0A }
    position = end
  }

  // MARK: Outside of tags

  private mutating func root() throws {
    let start = position
    var tag = start
    while tag < source.count {
      if source[tag] == 0x7B, let next = at(tag + 1), next == 0x25 || next == 0x7B || next == 0x23 { break }
      tag += 1
    }
    guard tag < source.count else {
      add(.data(MarkedString(source[start...])), at: start)
      position = tag
      return
    }
    if let (sign, end) = rawTag("raw", at: tag), !has("+%}", at: end) {
      addText(start..<tag, sign: sign, isVariable: false)
      // After `raw` no newline goes.
      move(to: has("-%}", at: end) ? afterSpace(end + 3) : end + 2)
      return try raw(tag)
    }
    let sign: UInt32? = if let next = at(tag + 2), next == 0x2D || next == 0x2B { next } else { nil }
    let isVariable = source[tag + 1] == 0x7B
    addText(start..<tag, sign: sign, isVariable: isVariable)
    move(to: tag + (sign == nil ? 2 : 3))
    switch source[tag + 1] {
    case 0x23: try comment(tag)
    case 0x25:
      add(.blockBegin, at: tag)
      try inTag(isVariable: false)
    default:
      add(.variableBegin, at: tag)
      try inTag(isVariable: true)
    }
  }

  /// Text before a tag, as the tag's sign leaves it.
  private mutating func addText(_ range: Range<Int>, sign: UInt32?, isVariable: Bool) {
    var end = range.upperBound
    if sign == 0x2D {
      while end > range.lowerBound, MarkedString.isSpace(source[end - 1]) { end -= 1 }
    } else if sign != 0x2B, !isVariable {
      let line = source[range].lastIndex(of: 0x0A).map { $0 + 1 }
      if let from = line ?? (isAtLineStart ? range.lowerBound : nil), from < end,
        source[from..<end].allSatisfy(MarkedString.isSpace)
      {
        end = from
      }
    }
    if end > range.lowerBound { add(.data(MarkedString(source[range.lowerBound..<end])), at: range.lowerBound) }
  }

  /// `{% raw` or `{% endraw`: its sign, and where its end begins.
  private func rawTag(_ word: StaticString, at tag: Int) -> (sign: UInt32?, end: Int)? {
    guard has("{%", at: tag) else { return nil }
    var index = tag + 2
    var sign: UInt32?
    if let next = at(index), next == 0x2D || next == 0x2B {
      sign = next
      index += 1
    }
    index = afterSpace(index)
    guard has(word, at: index) else { return nil }
    index = afterSpace(index + word.utf8CodeUnitCount)
    return has("%}", at: index) || has("-%}", at: index) || has("+%}", at: index) ? (sign, index) : nil
  }

  private mutating func raw(_ tag: Int) throws {
    var index = position
    while index < source.count {
      if source[index] == 0x7B, let (sign, end) = rawTag("endraw", at: index) {
        addText(position..<index, sign: sign, isVariable: false)
        move(to: blockEnd(at: end) ?? end)
        return
      }
      index += 1
    }
    throw Failure("{% raw %} has no {% endraw %}", at: tag)
  }

  private mutating func comment(_ tag: Int) throws {
    var index = position
    while index < source.count {
      if has("+#}", at: index) { return move(to: index + 3) }
      if has("-#}", at: index) { return move(to: afterSpace(index + 3)) }
      if has("#}", at: index) { return move(to: index + (at(index + 2) == 0x0A ? 3 : 2)) }
      index += 1
    }
    throw Failure("a comment {# has no #}", at: tag)
  }

  /// Where what follows a statement begins.
  private func blockEnd(at index: Int) -> Int? {
    if has("+%}", at: index) { return index + 3 }
    if has("-%}", at: index) { return afterSpace(index + 3) }
    if has("%}", at: index) { return index + (at(index + 2) == 0x0A ? 3 : 2) }
    return nil
  }

  private func variableEnd(at index: Int) -> Int? {
    if has("-}}", at: index) { return afterSpace(index + 3) }
    if has("}}", at: index) { return index + 2 }
    return nil
  }

  // MARK: Inside of tags

  private static let symbols: [(text: StaticString, name: String)] = [
    ("//", "//"), ("**", "**"), ("==", "=="), ("!=", "!="), (">=", ">="), ("<=", "<="), ("+", "+"), ("-", "-"),
    ("/", "/"), ("*", "*"), ("%", "%"), ("~", "~"), ("[", "["), ("]", "]"), ("(", "("), (")", ")"), ("{", "{"),
    ("}", "}"), (">", ">"), ("<", "<"), ("=", "="), (".", "."), (":", ":"), ("|", "|"), (",", ","), (";", ";"),
  ]

  private mutating func inTag(isVariable: Bool) throws {
    var open: [String] = []
    while position < source.count {
      let unit = source[position]
      if open.isEmpty, let end = isVariable ? variableEnd(at: position) : blockEnd(at: position) {
        add(isVariable ? .variableEnd : .blockEnd, at: position)
        return move(to: end)
      }
      if MarkedString.isSpace(unit) {
        position = afterSpace(position)
      } else if Self.isDigit(unit) {
        try number()
      } else if Self.isWord(unit) {
        try name()
      } else if unit == 0x27 || unit == 0x22 {
        try string(unit)
      } else {
        guard let (text, symbol) = Self.symbols.first(where: { has($0.text, at: position) }) else {
          throw Failure("unexpected character '\(MarkedString.text([unit]))'", at: position)
        }
        switch symbol {
        case "(": open.append(")")
        case "[": open.append("]")
        case "{": open.append("}")
        case ")", "]", "}":
          guard let expected = open.popLast() else { throw Failure("unexpected '\(symbol)'", at: position) }
          if expected != symbol { throw Failure("unexpected '\(symbol)', expected '\(expected)'", at: position) }
        default: break
        }
        add(.symbol(symbol), at: position)
        position += text.utf8CodeUnitCount
      }
    }
  }

  static func isDigit(_ unit: UInt32) -> Bool { (0x30...0x39).contains(unit) }

  static func isWord(_ unit: UInt32) -> Bool {
    if unit < 0x80 { return unit == 0x5F || isDigit(unit) || (0x41...0x5A).contains(unit & ~0x20) }
    guard let scalar = Unicode.Scalar(unit) else { return false }
    return scalar.properties.isXIDContinue && scalar.properties.generalCategory != .nonspacingMark
      || scalar.properties.numericType != nil
  }

  private mutating func name() throws {
    let start = position
    while let unit = at(position), Self.isWord(unit) { position += 1 }
    let name = MarkedString.text(source[start..<position])
    let isIdentifier = name.unicodeScalars.enumerated().allSatisfy { index, scalar in
      scalar == "_" || (index == 0 ? scalar.properties.isXIDStart : scalar.properties.isXIDContinue)
    }
    guard isIdentifier else { throw Failure("invalid character in the name '\(name)'", at: start) }
    add(.name(name), at: start)
  }

  /// Digits with single `_` between them; `nil` where there is none.
  private func digits(_ index: Int, _ isDigit: (UInt32) -> Bool, underscoreFirst: Bool = false) -> Int? {
    var index = index
    if underscoreFirst, at(index) == 0x5F { index += 1 }
    guard let first = at(index), isDigit(first) else { return nil }
    while true {
      index += 1
      if let next = at(index), isDigit(next) { continue }
      if at(index) == 0x5F, let next = at(index + 1), isDigit(next) { continue }
      return index
    }
  }

  private mutating func number() throws {
    let start = position
    if let end = float(start) {
      let text = MarkedString.text(source[start..<end]).filter { $0 != "_" }
      guard let value = Double(text) else { throw Failure("'\(text)' is not a number", at: start) }
      add(.float(value), at: start)
      position = end
      return
    }
    var end = start + 1
    var radix = 10
    if source[start] == 0x30 {
      let kinds: [(UInt32, Int)] = [(0x62, 2), (0x6F, 8), (0x78, 16)]
      if let letter = at(start + 1), let kind = kinds.first(where: { $0.0 == letter | 0x20 }) {
        let isOne: (UInt32) -> Bool = { unit in
          Unicode.Scalar(unit).flatMap { Character($0).hexDigitValue }.map { $0 < kind.1 } ?? false
        }
        if let found = digits(start + 2, isOne, underscoreFirst: true) {
          end = found
          radix = kind.1
        }
      }
      if radix == 10 { end = digits(start) { $0 == 0x30 } ?? end }
    } else {
      end = digits(start, Self.isDigit) ?? end
    }
    let text = MarkedString.text(source[(radix == 10 ? start : start + 2)..<end]).filter { $0 != "_" }
    guard let value = Int(text, radix: radix) else { throw Failure("the number \(text) is too large", at: start) }
    add(.integer(value), at: start)
    position = end
  }

  private func float(_ start: Int) -> Int? {
    if start > 0, source[start - 1] == 0x2E { return nil }
    guard var end = digits(start, Self.isDigit) else { return nil }
    var isFloat = false
    if at(end) == 0x2E, let fraction = digits(end + 1, Self.isDigit) {
      end = fraction
      isFloat = true
    }
    if let letter = at(end), letter | 0x20 == 0x65 {
      let signed = at(end + 1).map { $0 == 0x2B || $0 == 0x2D } ?? false
      if let exponent = digits(end + (signed ? 2 : 1), Self.isDigit) { return exponent }
    }
    return isFloat ? end : nil
  }

  private mutating func string(_ quote: UInt32) throws {
    let start = position
    var value: [UInt32] = []
    position += 1
    while let unit = at(position) {
      position += 1
      if unit == quote {
        add(.string(MarkedString(value)), at: start)
        return
      }
      if unit == 0x5C { try escape(into: &value, start) } else { value.append(unit) }
    }
    throw Failure("a string does not end", at: start)
  }

  /// Python's escapes; one that is none stays as it is.
  private mutating func escape(into value: inout [UInt32], _ start: Int) throws {
    guard let unit = at(position) else { throw Failure("a string does not end", at: start) }
    position += 1
    func hexadecimal(_ count: Int) throws -> UInt32 {
      let end = position + count
      let text = end <= source.count ? MarkedString.text(source[position..<end]) : ""
      guard text.allSatisfy(\.isHexDigit), let code = UInt32(text, radix: 16), code < 0x11_0000 else {
        throw Failure("an escape in a string is cut short or no character", at: position)
      }
      return code
    }
    switch unit {
    case 0x0A: break
    case 0x5C, 0x27, 0x22: value.append(unit)
    case 0x61: value.append(7)
    case 0x62: value.append(8)
    case 0x66: value.append(0x0C)
    case 0x6E: value.append(0x0A)
    case 0x72: value.append(0x0D)
    case 0x74: value.append(9)
    case 0x76: value.append(0x0B)
    case 0x30...0x37:
      var code = unit - 0x30
      var count = 1
      while count < 3, let next = at(position), (0x30...0x37).contains(next) {
        code = code * 8 + next - 0x30
        position += 1
        count += 1
      }
      value.append(code)
    case 0x78, 0x75, 0x55:
      let count = unit == 0x78 ? 2 : unit == 0x75 ? 4 : 8
      value.append(try hexadecimal(count))
      position += count
    case 0x4E: throw Failure("\\N{…} is not supported in strings", at: position)
    case 0x80...:
      // As the reference spells such a character before it looks for escapes.
      let digits = String(unit, radix: 16)
      let (letter, width) = unit < 0x100 ? ("x", 2) : unit < 0x1_0000 ? ("u", 4) : ("U", 8)
      value += ("\\" + letter + String(repeating: "0", count: width - digits.count) + digits).unicodeScalars.map(
        \.value)
    default: value += [0x5C, unit]
    }
  }
}

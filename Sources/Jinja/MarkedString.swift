/// Who wrote a text that a template handles.
public enum TextOrigin: Sendable, Hashable {
  /// The template itself, or the program on its behalf.
  case template
  /// Somebody whose text must not be taken for the template's.
  case typed
  /// The assistant, in the message of this number. It is as little trusted as what is typed.
  case reply(message: Int)

  /// Messages have numbers below this one; which of two replies so far apart it is shows from their order.
  public static let numberedMessages = 256
}

/// A string as templates see one: a row of code points, each of which remembers who wrote it.
///
/// Since the mark is in the code point, whatever an operation does with its characters, it keeps it.
struct MarkedString: Sendable {
  typealias Unit = UInt32

  var units: [Unit]
  /// HTML that is not to be escaped again.
  var isMarkup = false

  init(_ units: some Sequence<Unit>, isMarkup: Bool = false) {
    self.units = Array(units)
    self.isMarkup = isMarkup
  }

  init(_ text: String, origin: TextOrigin = .template) {
    let mark = Self.mark(of: origin)
    units = text.unicodeScalars.map { $0.value | mark }
  }

  /// A unit: 21 bits of code point, then who wrote it, then the message's number where it is a reply.
  static let codeMask: Unit = 0x1F_FFFF
  static let typedBit: Unit = 1 << 21
  static let replyBit: Unit = 1 << 22
  static let generatedBit: Unit = 1 << 23
  static let messageShift: Unit = 24
  /// A code point that no text has.
  static let cut: Unit = 0x1F_FFFF

  static func mark(of origin: TextOrigin) -> Unit {
    switch origin {
    case .template: 0
    case .typed: typedBit
    case .reply(let message): typedBit | replyBit | Unit(message & 0xFF) << messageShift
    }
  }

  static func code(_ unit: Unit) -> Unit { unit & codeMask }

  static func isSpace(_ unit: Unit) -> Bool {
    switch code(unit) {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  static func isLineEnd(_ unit: Unit) -> Bool {
    switch code(unit) {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  var count: Int { units.count }
  var isEmpty: Bool { units.isEmpty }

  /// The text without its marks. Half surrogates, which a template can spell, become U+FFFD.
  var text: String { Self.text(units) }

  static func text(_ units: some Sequence<Unit>) -> String {
    var view = String.UnicodeScalarView()
    for unit in units { view.append(Unicode.Scalar(code(unit)) ?? "\u{FFFD}") }
    return String(view)
  }

  func with(_ units: some Sequence<Unit>) -> MarkedString { MarkedString(units, isMarkup: isMarkup) }

  /// What is left between characters of a kind at its ends.
  func stripped(
    left: Bool = true, right: Bool = true, where isStripped: (Unit) -> Bool = MarkedString.isSpace
  ) -> MarkedString {
    var start = 0
    var end = units.count
    if left { while start < end, isStripped(units[start]) { start += 1 } }
    if right { while end > start, isStripped(units[end - 1]) { end -= 1 } }
    return with(units[start..<end])
  }

  func mapped(_ change: (Unicode.Scalar) -> String) -> MarkedString {
    var result: [Unit] = []
    result.reserveCapacity(units.count)
    for unit in units { result += Self.changed(unit, change) }
    return with(result)
  }

  static func changed(_ unit: Unit, _ change: (Unicode.Scalar) -> String) -> [Unit] {
    guard let scalar = Unicode.Scalar(code(unit)) else { return [unit] }
    return change(scalar).unicodeScalars.map { $0.value | unit & ~codeMask }
  }

  static func scalar(_ unit: Unit) -> Unicode.Scalar { Unicode.Scalar(code(unit)) ?? "\u{FFFD}" }

  var uppercased: MarkedString { mapped { $0.properties.uppercaseMapping } }

  /// A capital sigma that ends a word becomes the final one.
  var lowercased: MarkedString {
    var result: [Unit] = []
    result.reserveCapacity(units.count)
    for (index, unit) in units.enumerated() {
      if Self.code(unit) == 0x3A3 {
        let before = units[..<index].last { !Self.scalar($0).properties.isCaseIgnorable }
        let after = units[(index + 1)...].first { !Self.scalar($0).properties.isCaseIgnorable }
        let isFinal =
          before.map { Self.scalar($0).properties.isCased } == true
          && after.map { Self.scalar($0).properties.isCased } != true
        result.append((isFinal ? 0x3C2 : 0x3C3) | unit & ~Self.codeMask)
      } else {
        result += Self.changed(unit) { $0.properties.lowercaseMapping }
      }
    }
    return with(result)
  }

  /// The characters that HTML would misunderstand, spelled out.
  var escaped: MarkedString {
    if isMarkup { return self }
    var result = mapped { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "'": "&#39;"
      case "\"": "&#34;"
      default: String(scalar)
      }
    }
    result.isMarkup = true
    return result
  }

  static func + (left: MarkedString, right: MarkedString) -> MarkedString {
    MarkedString(left.units + right.units, isMarkup: left.isMarkup)
  }

  static func += (left: inout MarkedString, right: MarkedString) { left.units += right.units }
}

extension MarkedString: Hashable, Comparable, ExpressibleByStringLiteral {
  init(stringLiteral text: String) { self.init(text) }

  /// Texts are equal whoever wrote them.
  static func == (left: MarkedString, right: MarkedString) -> Bool {
    left.units.count == right.units.count && zip(left.units, right.units).allSatisfy { ($0 ^ $1) & codeMask == 0 }
  }

  func hash(into hasher: inout Hasher) {
    for unit in units { hasher.combine(Self.code(unit)) }
  }

  static func < (left: MarkedString, right: MarkedString) -> Bool {
    left.units.lexicographicallyPrecedes(right.units) { code($0) < code($1) }
  }
}

/// The parts of JSON texts that schemas are made of.
enum JSONForms {
  /// At most one space, or a line feed and an indentation: without an end to it a model could write nothing else.
  static let space = Expression.choice([
    .empty, .text(" "),
    .sequence([.text("\n"), .repetition(.text(" "), least: 0, most: 16)]),
  ])

  static let digit = Expression.characters(ScalarSet([0x30...0x39]))
  private static let hexadecimal = Expression.characters(ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66]))

  /// What needs no escape in a string.
  static let plain = ScalarSet([0x20...0x10FFFF]).subtracting(ScalarSet("\"\\"))

  /// A character of a string, spelled in any way but as half of a surrogate pair.
  static let character = Expression.choice([
    .characters(plain),
    .sequence([.text("\\"), .one(of: "\"\\/bfnrt")]),
    .sequence([
      .text("\\u"),
      .choice([
        .sequence([
          .characters(ScalarSet([0x30...0x39, 0x41...0x43, 0x45...0x46, 0x61...0x63, 0x65...0x66])),
          .repetition(hexadecimal, least: 3, most: 3),
        ]),
        .sequence([
          .one(of: "dD"), .characters(ScalarSet([0x30...0x37])), .repetition(hexadecimal, least: 2, most: 2),
        ]),
      ]),
    ]),
  ])

  static func string(of content: Expression) -> Expression { .sequence([.text("\""), content, .text("\"")]) }

  static func string(least: Int = 0, most: Int? = nil) -> Expression {
    string(of: .repetition(.rule("character"), least: least, most: most))
  }

  private static let fraction = Expression.sequence([.text("."), .repetition(digit, least: 1, most: 16)])
  private static let exponent = Expression.sequence([
    .one(of: "eE"), .optional(.one(of: "+-")), .repetition(digit, least: 1, most: 2),
  ])
  static let minus = Expression.optional(.text("-"))
  static let integer = Expression.sequence([minus, Digits.range(0, nil)])
  static let number = Expression.sequence([integer, .optional(fraction), .optional(exponent)])
  static let boolean = Expression.choice([.text("true"), .text("false")])

  /// Items with commas between them.
  static func list(_ items: Expression, least: Int, most: Int?) -> Expression {
    if most == 0 { return .empty }
    let more = Expression.repetition(
      .sequence([.text(","), .rule("space"), items]), least: max(0, least - 1), most: most.map { $0 - 1 })
    let some = Expression.sequence([items, more])
    return least == 0 ? .optional(some) : some
  }

  /// Rules that the others use by name.
  static let rules: [String: Expression] = [
    "space": space,
    "character": character,
    "string": string(),
    "number": number,
    "value": .choice([
      .rule("object"), .rule("array"), .rule("string"), .rule("number"), boolean, .text("null"),
    ]),
    "member": .sequence([.rule("string"), .text(":"), .rule("space"), .rule("value")]),
    "object": .sequence([
      .text("{"), .rule("space"), list(.rule("member"), least: 0, most: nil), .rule("space"), .text("}"),
    ]),
    "array": .sequence([
      .text("["), .rule("space"), list(.rule("value"), least: 0, most: nil), .rule("space"), .text("]"),
    ]),
  ]

  /// A number between bounds that are whole numbers.
  static func number(
    least: (value: Int, isIn: Bool)?, most: (value: Int, isIn: Bool)?
  ) -> Expression {
    var choices: [Expression] = []
    /// Magnitudes between bounds, after a sign.
    func add(_ sign: Expression, _ low: (value: UInt, isIn: Bool), _ high: (value: UInt, isIn: Bool)?) {
      if let high, high.value < low.value { return }
      let zeros = Expression.optional(.sequence([.text("."), .repetition(.text("0"), least: 1, most: 15)]))
      let isPoint = high?.value == low.value
      if isPoint {
        if low.isIn && high!.isIn { choices.append(.sequence([sign, .text("\(low.value)"), zeros])) }
        return
      }
      let beyond = Expression.sequence([
        .text("."), .repetition(digit, least: 0, most: 14), .characters(ScalarSet([0x31...0x39])),
      ])
      choices.append(.sequence([sign, .text("\(low.value)"), low.isIn ? .optional(fraction) : beyond]))
      if let high {
        if high.value - low.value > 1 {
          choices.append(.sequence([sign, Digits.range(low.value + 1, high.value - 1), .optional(fraction)]))
        }
        if high.isIn { choices.append(.sequence([sign, .text("\(high.value)"), zeros])) }
      } else {
        choices.append(.sequence([sign, Digits.range(low.value + 1, nil), .optional(fraction)]))
      }
    }
    // At and above 0, then below.
    if most.map({ $0.value >= 0 }) ?? true {
      let low = least.map { $0.value >= 0 ? (value: $0.value.magnitude, isIn: $0.isIn) : (value: 0, isIn: true) }
      add(.empty, low ?? (0, true), most.map { ($0.value.magnitude, $0.isIn) })
    }
    if least.map({ $0.value < 0 }) ?? true {
      let low = most.map { $0.value < 0 ? (value: $0.value.magnitude, isIn: $0.isIn) : (value: 0, isIn: false) }
      add(.text("-"), low ?? (0, false), least.map { ($0.value.magnitude, $0.isIn) })
    }
    return .choice(choices)
  }

  /// A whole number between bounds.
  static func integer(least: Int?, most: Int?) -> Expression {
    var choices: [Expression] = []
    if most ?? 0 >= 0, most ?? .max >= max(0, least ?? 0) {
      choices.append(Digits.range(UInt(max(0, least ?? 0)), most.map { UInt($0) }))
    }
    if least ?? -1 < 0 {
      let low = (most.map { $0 < 0 ? $0.magnitude : 1 }) ?? 1
      choices.append(.sequence([.text("-"), Digits.range(low, least?.magnitude)]))
    }
    return .choice(choices)
  }
}

/// Decimal spellings of whole numbers, without zeros before them.
enum Digits {
  /// Digits of a number without an upper bound, at most: more are no number that others read exactly.
  private static let most = 18

  /// From `low` to `high`, both included; empty where there is none.
  static func range(_ low: UInt, _ high: UInt?) -> Expression {
    let least = digits(low)
    guard let high else {
      var choices = [atLeast(least)]
      if least.count < most {
        choices.append(.sequence([nonzero, .repetition(JSONForms.digit, least: least.count, most: most - 1)]))
      }
      return .choice(choices)
    }
    if low > high { return .choice([]) }
    let greatest = digits(high)
    if least.count == greatest.count { return between(least, greatest) }
    var choices = [atLeast(least)]
    for count in least.count + 1..<greatest.count {
      choices.append(.sequence([nonzero, .repetition(JSONForms.digit, least: count - 1, most: count - 1)]))
    }
    choices.append(between([1] + [UInt8](repeating: 0, count: greatest.count - 1), greatest))
    return .choice(choices)
  }

  private static let nonzero = Expression.characters(ScalarSet([0x31...0x39]))

  private static func digits(_ value: UInt) -> ArraySlice<UInt8> { String(value).utf8.map { $0 - 0x30 }[...] }

  private static func digit(_ low: UInt8, _ high: UInt8) -> Expression {
    .characters(ScalarSet([UInt32(low) + 0x30...UInt32(high) + 0x30]))
  }

  private static func any(_ count: Int) -> Expression { .repetition(JSONForms.digit, least: count, most: count) }

  /// As many digits, and no less. A number of one digit begins with 0; longer ones come here with another first digit.
  private static func atLeast(_ digits: ArraySlice<UInt8>) -> Expression {
    guard let first = digits.first else { return .empty }
    var choices = [Expression.sequence([digit(first, first), atLeast(digits.dropFirst())])]
    if first < 9 { choices.append(.sequence([digit(first + 1, 9), any(digits.count - 1)])) }
    return .choice(choices)
  }

  private static func atMost(_ digits: ArraySlice<UInt8>) -> Expression {
    guard let first = digits.first else { return .empty }
    var choices = [Expression.sequence([digit(first, first), atMost(digits.dropFirst())])]
    if first > 0 { choices.append(.sequence([digit(0, first - 1), any(digits.count - 1)])) }
    return .choice(choices)
  }

  private static func between(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> Expression {
    guard let first = low.first, let last = high.first else { return .empty }
    if first == last { return .sequence([digit(first, first), between(low.dropFirst(), high.dropFirst())]) }
    var choices = [
      Expression.sequence([digit(first, first), atLeast(low.dropFirst())]),
      .sequence([digit(last, last), atMost(high.dropFirst())]),
    ]
    if last - first > 1 { choices.append(.sequence([digit(first + 1, last - 1), any(low.count - 1)])) }
    return .choice(choices)
  }

  private static func between(_ low: [UInt8], _ high: ArraySlice<UInt8>) -> Expression { between(low[...], high) }
}

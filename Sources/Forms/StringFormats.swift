/// The formats of strings that schemas can ask for; of others only that they are strings is seen to.
enum StringFormats {
  static func expression(of format: String) -> Expression? {
    func digits(_ count: Int) -> Expression { .repetition(JSONForms.digit, least: count, most: count) }
    func number(_ range: ClosedRange<Int>) -> Expression {
      .choice(range.map { .text($0 < 10 ? "0\($0)" : "\($0)") })
    }
    func months(_ months: [Int], days: Int) -> Expression {
      .sequence([.choice(months.map { number($0...$0) }), .text("-"), number(1...days)])
    }
    // The 29th of February would need a year that has one.
    let date = Expression.sequence([
      digits(4), .text("-"),
      .choice([months([1, 3, 5, 7, 8, 10, 12], days: 31), months([4, 6, 9, 11], days: 30), months([2], days: 28)]),
    ])
    let offset = Expression.choice([
      .text("Z"), .sequence([.one(of: "+-"), number(0...23), .text(":"), number(0...59)]),
    ])
    let time = Expression.sequence([
      number(0...23), .text(":"), number(0...59), .text(":"), number(0...59),
      .optional(.sequence([.text("."), .repetition(JSONForms.digit, least: 1, most: 6)])), offset,
    ])
    let hexadecimal = Expression.characters(ScalarSet([0x30...0x39, 0x61...0x66]))
    func hexadecimals(_ count: Int) -> Expression { .repetition(hexadecimal, least: count, most: count) }
    let byte = Digits.range(0, 255)
    switch format {
    case "date": return date
    case "time": return time
    case "date-time": return .sequence([date, .text("T"), time])
    case "uuid":
      return .sequence(
        [8, 4, 4, 4, 12].enumerated().flatMap { index, count in
          index == 0 ? [hexadecimals(count)] : [.text("-"), hexadecimals(count)]
        })
    case "ipv4": return .sequence([byte, .text("."), byte, .text("."), byte, .text("."), byte])
    default: return nil
    }
  }
}

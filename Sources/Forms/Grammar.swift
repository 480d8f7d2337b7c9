/// A context-free grammar over bytes: which texts have a form.
///
/// It is laid out as one list of elements: an alternative of a rule is a run of them up to an `end`. Characters beyond
/// ASCII are rules of bytes, repetitions are rules that call themselves last.
public struct Grammar: Sendable {
  enum Element: Sendable, Equatable {
    /// A byte in a range.
    case byte(ClosedRange<UInt8>)
    /// A rule.
    case call(Int)
    /// The end of an alternative.
    case end
  }

  /// Of all alternatives, one after another.
  let elements: [Element]
  /// Where the alternatives of each rule begin.
  let alternatives: [[Int]]
  let root: Int

  /// Elements at most: a form of more would be slow to work with.
  private static let mostElements = 1 << 18

  /// - Parameter rules: by name; one of them is called `root`.
  /// - Throws: `FormError`.
  init(_ rules: [String: Expression], root: String) throws(FormError) {
    var builder = GrammarBuilder(rules, mostElements: Self.mostElements)
    self.root = try builder.rule(root)
    try builder.finish()
    let pruned = try Self.productive(builder.rules, root: self.root)
    try Self.checkRecursion(pruned, names: builder.names)
    var elements: [Element] = []
    alternatives = pruned.map { rule in
      rule.map { alternative in
        elements += alternative + [.end]
        return elements.count - alternative.count - 1
      }
    }
    self.elements = elements
  }

  // MARK: Checks

  typealias Rules = [[[Element]]]

  /// The rules without the alternatives that no finite text has.
  private static func productive(_ rules: Rules, root: Int) throws(FormError) -> Rules {
    var isProductive = [Bool](repeating: false, count: rules.count)
    func ends(_ alternative: [Element]) -> Bool {
      alternative.allSatisfy { if case .call(let rule) = $0 { isProductive[rule] } else { true } }
    }
    var changes = true
    while changes {
      changes = false
      for index in rules.indices where !isProductive[index] && rules[index].contains(where: ends) {
        isProductive[index] = true
        changes = true
      }
    }
    if !isProductive[root] { throw .matchesNothing }
    return rules.map { $0.filter(ends) }
  }

  /// Refuses rules that come to themselves without reading anything and with something left to do each time: their
  /// alternatives would never all be open.
  private static func checkRecursion(_ rules: Rules, names: [String]) throws(FormError) {
    var isNullable = [Bool](repeating: false, count: rules.count)
    var changes = true
    while changes {
      changes = false
      for index in rules.indices where !isNullable[index] {
        let isEmpty = rules[index].contains { alternative in
          alternative.allSatisfy { if case .call(let rule) = $0 { isNullable[rule] } else { false } }
        }
        if isEmpty {
          isNullable[index] = true
          changes = true
        }
      }
    }
    // What can come first, and whether something comes after it.
    let first = rules.map { alternatives in
      alternatives.flatMap { alternative in
        var calls: [(rule: Int, isLast: Bool)] = []
        for (place, element) in alternative.enumerated() {
          guard case .call(let rule) = element else { break }
          calls.append((rule, place == alternative.count - 1))
          if !isNullable[rule] { break }
        }
        return calls
      }
    }
    for (index, calls) in first.enumerated() {
      for call in calls where !call.isLast && reaches(index, from: call.rule, first.map { $0.map(\.rule) }) {
        throw .leftRecursion(rule: names[index])
      }
    }
  }

  private static func reaches(_ target: Int, from start: Int, _ next: [[Int]]) -> Bool {
    var seen: Set<Int> = []
    var open = [start]
    while let rule = open.popLast() {
      if rule == target { return true }
      if seen.insert(rule).inserted { open += next[rule] }
    }
    return false
  }
}

/// Makes rules of elements of expressions.
private struct GrammarBuilder {
  private let expressions: [String: Expression]
  private let mostElements: Int
  private var count = 0
  private var numbers: [String: Int] = [:]
  private var sets: [ScalarSet: Int] = [:]
  /// Names of rules that are to be compiled yet.
  private var waiting: [String] = []
  private(set) var rules: Grammar.Rules = []
  /// Of rules; those without a name of their own have that of the rule they are part of.
  private(set) var names: [String] = []

  init(_ expressions: [String: Expression], mostElements: Int) {
    self.expressions = expressions
    self.mostElements = mostElements
  }

  /// The number of a named rule.
  mutating func rule(_ name: String) throws(FormError) -> Int {
    if let number = numbers[name] { return number }
    guard expressions[name] != nil else { throw .undefinedRule(name) }
    let number = newRule(name)
    numbers[name] = number
    waiting.append(name)
    return number
  }

  /// Compiles the rules that are used.
  mutating func finish() throws(FormError) {
    while let name = waiting.popLast() {
      guard let number = numbers[name], let expression = expressions[name] else { continue }
      rules[number] = try alternatives(expression, in: name)
    }
  }

  private mutating func newRule(_ name: String) -> Int {
    rules.append([])
    names.append(name)
    return rules.count - 1
  }

  private mutating func alternatives(
    _ expression: Expression, in name: String
  ) throws(FormError) -> [[Grammar.Element]] {
    guard case .choice(let choices) = expression else { return [try elements(expression, in: name)] }
    var all: [[Grammar.Element]] = []
    for choice in choices { all.append(try elements(choice, in: name)) }
    return all
  }

  private mutating func elements(_ expression: Expression, in name: String) throws(FormError) -> [Grammar.Element] {
    var found: [Grammar.Element] = []
    switch expression {
    case .literal(let bytes): found = bytes.map { .byte($0...$0) }
    case .characters(let set): found = [characters(set, in: name)]
    case .sequence(let parts): for part in parts { found += try elements(part, in: name) }
    case .choice(let choices):
      if choices.count == 1 { return try elements(choices[0], in: name) }
      let number = newRule(name)
      rules[number] = try alternatives(expression, in: name)
      found = [.call(number)]
    case .rule(let other): found = [.call(try rule(other))]
    case .repetition(let part, let least, let most):
      found = try repeated(part, least: least, most: most, in: name)
    }
    count += found.count
    if count > mostElements { throw .tooLarge(cause: "it has more than \(mostElements) parts; repeat less often") }
    return found
  }

  private mutating func characters(_ set: ScalarSet, in name: String) -> Grammar.Element {
    if let range = set.ranges.first, set.ranges.count == 1, range.upperBound < 0x80 {
      return .byte(UInt8(range.lowerBound)...UInt8(range.upperBound))
    }
    if let number = sets[set] { return .call(number) }
    let number = newRule(name)
    rules[number] = set.byteSequences.map { $0.map { .byte($0) } }
    count += rules[number].reduce(0) { $0 + $1.count }
    sets[set] = number
    return .call(number)
  }

  /// `least` times, then a rule that calls itself last, or a chain of rules each of which may end it.
  private mutating func repeated(
    _ part: Expression, least: Int, most: Int?, in name: String
  ) throws(FormError) -> [Grammar.Element] {
    var item = try elements(part, in: name)
    if item.isEmpty { return [] }
    if item.count > 1 && (least > 1 || most ?? 0 > 1) {
      let number = newRule(name)
      rules[number] = [item]
      item = [.call(number)]
    }
    let copies = max(least, most ?? 0)
    if copies * item.count + count > mostElements {
      throw .tooLarge(cause: "something is repeated up to \(copies) times; repeat less often")
    }
    var rest: [Grammar.Element] = []
    if let most {
      for _ in least..<max(least, most) {
        let number = newRule(name)
        rules[number] = [item + rest, []]
        rest = [.call(number)]
        count += item.count + 1
      }
    } else {
      let number = newRule(name)
      rules[number] = [item + [.call(number)], []]
      rest = [.call(number)]
    }
    return (0..<least).flatMap { _ in item } + rest
  }
}

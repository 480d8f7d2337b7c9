/// Finds the operands that a training text gives away, by reading the text itself: sums,
/// differences, comparisons, lists, spelled words, remembered names. It knows nothing of how the
/// text was made, so that it can catch a mistake of the generators.
package struct KeyReader {
  private enum Token: Equatable {
    case number(Int)
    case word(Substring)
    case mark(UInt8)
  }

  /// Keys found so far, as `splitName:operands`.
  package private(set) var keys: Set<String> = []
  private let names = Set(NamePool.names.map { Substring($0) })

  /// Starts with nothing read.
  package init() {}

  /// Reads one text.
  package mutating func read(_ text: String) {
    let tokens = Self.tokens(text)
    readPairs(tokens)
    readLists(tokens)
    readRuns(tokens)
    readNames(tokens)
  }

  /// Known names anywhere, and made-up ones where a text greets or names somebody: `meet you, Kalo`, `name is Kalo`.
  private mutating func readNames(_ tokens: [Token]) {
    for (i, token) in tokens.enumerated() {
      guard case .word(let word) = token else { continue }
      let before = i == 0 ? nil : tokens[i - 1] == .mark(UInt8(ascii: ",")) && i > 1 ? tokens[i - 2] : tokens[i - 1]
      let named = before == .word("you") || before == .word("is") || before == .word("called") || before == .word("are")
      if names.contains(word) || (named && word.first!.isUppercase) { keys.insert("memory:\(word)") }
    }
  }

  /// `a + b`, `a minus b`, `a is bigger than b`, `from a to b`, `remember a`, `like red too`.
  private mutating func readPairs(_ tokens: [Token]) {
    for i in tokens.indices {
      if i + 2 < tokens.count, case .number(let a) = tokens[i], case .number(let b) = tokens[i + 2] {
        switch tokens[i + 1] {
        case .mark(UInt8(ascii: "+")), .word("plus"): keys.insert("addition:\(min(a, b)),\(max(a, b))")
        case .mark(UInt8(ascii: "-")), .word("minus"): keys.insert("subtraction:\(a),\(b)")
        case .mark(UInt8(ascii: ">")), .mark(UInt8(ascii: "<")), .word("or"):
          keys.insert("comparing:\(min(a, b)),\(max(a, b))")
        case .word("to") where i > 0 && [.word("from"), .word("From")].contains(tokens[i - 1]):
          keys.insert("counting:range \(min(a, b)) \(max(a, b))")
        default: break
        }
      }
      if i + 4 < tokens.count, case .number(let a) = tokens[i], case .number(let b) = tokens[i + 4],
        tokens[i + 3] == .word("than")
      {
        keys.insert("comparing:\(min(a, b)),\(max(a, b))")
      }
      if i + 1 < tokens.count, tokens[i] == .word("remember"), case .number(let a) = tokens[i + 1] {
        keys.insert("memory:number \(a)")
      }
      if i + 2 < tokens.count, tokens[i] == .word("like"), case .word(let value) = tokens[i + 1],
        tokens[i + 2] == .word("too")
      {
        keys.insert("memory:favourite \(value)")
      }
    }
  }

  /// `3, 17, 42` and `apple, lamp`.
  private mutating func readLists(_ tokens: [Token]) {
    var i = 0
    while i < tokens.count {
      var numbers: [Int] = []
      var words: [Substring] = []
      var j = i
      while j < tokens.count {
        if case .number(let n) = tokens[j], words.isEmpty {
          numbers.append(n)
        } else if case .word(let w) = tokens[j], numbers.isEmpty {
          words.append(w)
        } else {
          break
        }
        guard j + 1 < tokens.count, tokens[j + 1] == .mark(UInt8(ascii: ",")) else { break }
        j += 2
      }
      if numbers.count >= 3 { insert(list: numbers) }
      if words.count >= 2, words.allSatisfy({ $0.utf8.count > 1 }) {
        keys.insert("alphabet:" + words.sorted().joined(separator: " "))
      }
      // A word before a list of numbers ends its own list, not theirs.
      i = j > i && !words.isEmpty ? j : j + 1
    }
  }

  private mutating func insert(list: [Int]) {
    let sorted = list.sorted()
    if !isEven(sorted) {
      keys.insert("sorting:" + sorted.map(String.init).joined(separator: ","))
    } else if abs(list[1] - list[0]) == 1 {
      keys.insert("counting:range \(sorted[0]) \(sorted[sorted.count - 1])")
    } else {
      keys.insert("sequence:\(list[0]),\(list[1] - list[0])")
    }
  }

  /// `l a m p`.
  private mutating func readRuns(_ tokens: [Token]) {
    var letters = ""
    for token in tokens + [.mark(0)] {
      if case .word(let word) = token, word.utf8.count == 1 {
        letters += word
      } else {
        if letters.utf8.count >= 3 { keys.insert("word:" + letterKey(letters)) }
        letters = ""
      }
    }
  }

  private static func tokens(_ text: String) -> [Token] {
    var tokens: [Token] = []
    let bytes = text.utf8
    var i = bytes.startIndex
    while i < bytes.endIndex {
      let byte = bytes[i]
      var end = bytes.index(after: i)
      if isDigit(byte) {
        var value = Int(byte - 48)
        while end < bytes.endIndex, isDigit(bytes[end]) {
          value = value &* 10 &+ Int(bytes[end] - 48)
          end = bytes.index(after: end)
        }
        tokens.append(.number(value))
      } else if isLetter(byte) {
        while end < bytes.endIndex, isLetter(bytes[end]) || isDigit(bytes[end]) {
          end = bytes.index(after: end)
        }
        tokens.append(.word(text[i..<end]))
      } else if byte != UInt8(ascii: " ") {
        tokens.append(.mark(byte))
      }
      i = end
    }
    return tokens
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
  private static func isLetter(_ byte: UInt8) -> Bool {
    (65...90).contains(byte) || (97...122).contains(byte) || byte >= 0x80
  }
}

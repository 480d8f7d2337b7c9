import Testing

import TinyCorpus

/// Recomputes answers from the words of the question alone.
@Suite struct AnswerTests {
  private static let questions = Corpus(options: CorpusOptions(testRecords: 2_400)).test()

  private static func of(_ kind: Kind) -> [Question] { questions.filter { $0.kind == kind } }

  private static func ask(_ question: Question) -> String { question.messages.last?.content ?? "" }

  private static func numbers(_ text: String) -> [Int] {
    text.split { !$0.isNumber }.compactMap { Int($0) }
  }

  @Test func sums() {
    for question in Self.of(.addition) {
      let asked = Self.numbers(Self.ask(question))
      let reply = Self.numbers(question.answer)
      #expect(asked.count == 2 && reply.count == 3)
      #expect(asked.sorted() == reply.prefix(2).sorted())
      #expect(reply[2] == asked[0] + asked[1], "\(question)")
    }
  }

  @Test func differences() {
    for question in Self.of(.subtraction) {
      let asked = Self.numbers(Self.ask(question)).sorted()
      let reply = Self.numbers(question.answer)
      #expect(reply == [asked[1], asked[0], asked[1] - asked[0]], "\(question)")
    }
  }

  @Test func products() {
    for question in Self.of(.multiplication) {
      let asked = Self.numbers(Self.ask(question))
      let reply = Self.numbers(question.answer)
      #expect(asked.sorted() == reply.prefix(2).sorted())
      #expect(reply[2] == asked[0] * asked[1], "\(question)")
    }
  }

  @Test func sortedNumbers() {
    for question in Self.of(.sorting) {
      let asked = Self.numbers(Self.ask(question))
      let text = Self.ask(question).lowercased()
      let down =
        ["from big to small", "falling", "from biggest", " down", "high to low", "biggest first"]
        .contains { text.contains($0) } || text.contains("the biggest first")
      #expect(
        Self.numbers(question.answer) == (down ? asked.sorted(by: >) : asked.sorted()),
        "\(question)")
    }
  }

  @Test func comparisons() {
    for question in Self.of(.comparing) {
      let asked = Self.numbers(Self.ask(question)).sorted()
      let smaller = ["smaller", "less"].contains { Self.ask(question).lowercased().contains($0) }
      #expect(
        question.answer
          == (smaller
            ? "\(asked[0]) is smaller than \(asked[1])" : "\(asked[1]) is bigger than \(asked[0])"))
    }
  }

  @Test func sequences() {
    for question in Self.of(.sequence) {
      let row = Self.numbers(Self.ask(question))
      #expect(row.count >= 3)
      #expect(question.answer == "\(row[row.count - 1] + row[1] - row[0])", "\(question)")
    }
  }

  @Test func spelledAndReversedWords() {
    for question in Self.of(.spelling) + Self.of(.reversing) {
      let parts = question.answer.split(separator: ">").map { part in
        part.filter { $0.isLetter }
      }
      let words = Self.ask(question).split { !$0.isLetter }.map(String.init)
      #expect(words.contains(String(parts[0])), "\(question)")
      if question.kind == .reversing { #expect(parts[1] == String(parts[0].reversed())) }
    }
  }

  @Test func lettersOfWords() {
    for question in Self.of(.letters) {
      let parts = question.answer.split(separator: ":")
      let words = Self.ask(question).split { !$0.isLetter }.map(String.init)
      if parts.count == 2 {
        let word = String(parts[0].filter { $0.isLetter })
        let count = Int(parts[1].filter { $0.isNumber }) ?? -1
        #expect(words.contains(word), "\(question)")
        #expect(count == word.count, "\(question)")
      } else {
        let text = Self.ask(question).lowercased()
        let last = ["last letter", "comes last", "final", "end with", "ends with", "the end of"]
          .contains { text.contains($0) }
        let fits = words.contains { word in
          letterKey(word) == question.key.dropFirst("letters:".count)
            && String((last ? word.last : word.first) ?? " ") == question.answer
        }
        #expect(fits, "\(question)")
      }
    }
  }

  @Test func counts() {
    for question in Self.of(.counting) {
      let text = Self.ask(question)
      let key = question.key.dropFirst("counting:".count)
      let parts = key.split(separator: " ")
      switch parts[0] {
      case "range":
        let ends = Self.numbers(text)
        let step = ends[0] < ends[1] ? 1 : -1
        #expect(Self.numbers(question.answer) == Array(stride(from: ends[0], through: ends[1], by: step)))
      default:
        let words = parts.dropFirst()
        #expect(text.contains(words.joined(separator: " ")), "\(question)")
        let counted = words.enumerated().map { "\($0 + 1) \($1)" }.joined(separator: ", ")
        #expect(question.answer == "\(counted): \(words.count)", "\(question)")
      }
    }
  }

  @Test func alphabeticalOrder() {
    for question in Self.of(.alphabet) where !question.key.hasPrefix("alphabet:row ") {
      let words = question.answer.components(separatedBy: ", ")
      #expect(words == words.sorted())
      #expect(words.allSatisfy { Self.ask(question).contains($0) })
    }
    for question in Self.of(.alphabet) where question.key.hasPrefix("alphabet:row ") {
      let row = question.key.dropFirst("alphabet:row ".count).components(separatedBy: ", ")
      let last = Character(row[row.count - 1]).asciiValue ?? 0
      #expect(question.answer.utf8.elementsEqual([last + 1]))
    }
  }

  @Test func halfOfWhatIsRememberedWasSaidTwoTurnsAgo() {
    let questions = Self.of(.memory)
    let share = 100 * questions.count { $0.messages.count == 5 } / questions.count
    #expect((35...65).contains(share))
  }

  @Test func whatWasSaidIsRemembered() {
    for question in Self.of(.memory) {
      #expect([3, 5].contains(question.messages.count))
      let value = question.answer.dropLast().split(separator: " ").last ?? ""
      #expect(question.messages[0].content.contains(value), "\(question)")
    }
  }
}

extension StringProtocol {
  /// The parts between occurrences of `separator`.
  fileprivate func components(separatedBy separator: String) -> [String] {
    split(separator: separator).map { String($0) }
  }
}

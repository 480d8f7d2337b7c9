import Foundation
import Testing

import TinyCorpus

/// A corpus small enough to make in a test.
private let options = CorpusOptions(
  seed: 5, pretrainTokens: 400_000, jointTokens: 100_000, adaptRecords: 1_500, testRecords: 2_000,
  validationRecords: 1_000)

private func temporaryDirectory() -> URL {
  FileManager.default.temporaryDirectory.appendingPathComponent("tiny-corpus-\(UUID().uuidString)")
}

private func written(_ options: CorpusOptions) throws -> URL {
  let directory = temporaryDirectory()
  _ = try CorpusWriter(directory: directory).write(Corpus(options: options))
  return directory
}

@Suite struct CorpusTests {
  @Test func sameSeedSameBytes() throws {
    let (one, two) = (try written(options), try written(options))
    var other = options
    other.seed = 6
    let three = try written(other)
    defer { [one, two, three].forEach { try? FileManager.default.removeItem(at: $0) } }
    let names = [
      "pretrain.jsonl", "joint.jsonl", "adapt.jsonl", "validation.jsonl", "test.jsonl", "calibration.jsonl",
      "calibration.txt", "tokenizer.txt",
    ]
    for name in names {
      let first = try Data(contentsOf: one.appendingPathComponent(name))
      #expect(try Data(contentsOf: two.appendingPathComponent(name)) == first, "\(name)")
      #expect(try Data(contentsOf: three.appendingPathComponent(name)) != first, "\(name)")
    }
  }

  @Test func everyLineIsAJSONRecordOfAlternatingTurns() throws {
    let directory = try written(options)
    defer { try? FileManager.default.removeItem(at: directory) }
    for name in ["pretrain.jsonl", "adapt.jsonl", "validation.jsonl", "test.jsonl"] {
      let question = name == "validation.jsonl" || name == "test.jsonl"
      let data = try Data(contentsOf: directory.appendingPathComponent(name))
      for line in data.split(separator: UInt8(ascii: "\n")) {
        let record = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
        if let text = record["text"] as? String {
          #expect(!text.isEmpty && name == "pretrain.jsonl")
          continue
        }
        let turns = try #require(record["messages"] as? [[String: String]])
        let roles = turns.compactMap { $0["role"] }.drop { $0 == "system" }
        for (i, role) in roles.enumerated() { #expect(role == (i % 2 == 0 ? "user" : "assistant")) }
        #expect(roles.last == (question ? "user" : "assistant"))
        #expect(turns.allSatisfy { !($0["content"] ?? "").isEmpty })
        #expect(question == (record["answer"] is String))
        #expect(turns.allSatisfy { !($0["content"] ?? "").contains("{") })
      }
    }
  }

  @Test func pretrainingIsMostlyChatOfWhichAThirdHasSeveralTurns() {
    var (chat, all, several, chats, systems) = (0, 0, 0, 0, 0)
    Corpus(options: options).pretrain { record in
      let size = record.contents.reduce(0) { $0 + $1.utf8.count }
      all += size
      guard case .chat(let messages) = record else { return }
      chat += size
      chats += 1
      if messages.count(where: { $0.role == .user }) > 1 { several += 1 }
      if messages[0].role == .system { systems += 1 }
    }
    #expect((80...92).contains(100 * chat / all))
    #expect((25...40).contains(100 * several / chats))
    #expect((5...15).contains(100 * systems / chats))
  }

  @Test func everyKindIsTested() {
    let corpus = Corpus(options: options)
    for questions in [corpus.test(), corpus.validation()] {
      let kinds = Set(questions.map(\.kind))
      #expect(kinds == Set(Kind.allCases).subtracting([.story]))
    }
    #expect(corpus.test().count == 2_000)
    #expect(corpus.validation().count == 1_000)
  }

  @Test func noTwoSeedsLeakIntoEachOther() throws {
    // The split belongs to the operands, not to the seed.
    let directory = try written(options)
    defer { try? FileManager.default.removeItem(at: directory) }
    var other = options
    other.seed = 99
    let foreign = Corpus(options: other).test().map(JSONLine.encode).joined()
    try Data(foreign.utf8).write(to: directory.appendingPathComponent("test.jsonl"))
    let report = try CorpusCheck(directory: directory).run()
    // A question may be in this validation and in the other test by no means either.
    #expect(report.isClean, "\(report.violations.prefix(3))")
  }
}

@Suite struct CorpusCheckTests {
  @Test func acceptsWhatTheWriterWrites() throws {
    let directory = try written(options)
    defer { try? FileManager.default.removeItem(at: directory) }
    let report = try CorpusCheck(directory: directory).run()
    #expect(report.isClean, "\(report.violations.prefix(3))")
    #expect(report.questions == 3_000)
  }

  @Test(arguments: [
    ("{\"text\":\"So 12 plus 7 is 19.\"}", "addition:7,12"),
    ("{\"text\":\"l a m p\"}", "word:lamp"),
    ("{\"text\":\"p m a l\"}", "word:lamp"),
    ("{\"text\":\"Well, 9, 4, 30!\"}", "sorting:4,9,30"),
    ("{\"text\":\"Next: 4, 7, 10, ?\"}", "sequence:4,3"),
    ("{\"text\":\"count from 4 to 9\"}", "counting:range 4 9"),
    ("{\"text\":\"52 is bigger than 47.\"}", "comparing:47,52"),
    ("{\"text\":\"red, apple, lamp\"}", "alphabet:apple lamp red"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"I am Boris\"}]}", "memory:Boris"),
  ])
  func findsOperandsInTraining(line: String, key: String) throws {
    let record = try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    let turns = record["messages"] as? [[String: String]]
    var reader = KeyReader()
    reader.read(record["text"] as? String ?? turns?[0]["content"] ?? "")
    #expect(reader.keys.contains(key), "\(reader.keys)")
  }

  @Test func reportsALeakedQuestionAndLeakedOperands() throws {
    let directory = try written(options)
    defer { try? FileManager.default.removeItem(at: directory) }
    let test = Corpus(options: options).test()
    let sum = try #require(test.first { $0.kind == .addition })
    let fact = try #require(test.first { $0.kind == .capitals })
    var leaks = JSONLine.encode(.text("Remember: \(sum.answer)."))
    leaks += JSONLine.encode(fact.messages + [.assistant(fact.answer)])
    let file = directory.appendingPathComponent("adapt.jsonl")
    try (Data(contentsOf: file) + Data(leaks.utf8)).write(to: file)
    let report = try CorpusCheck(directory: directory).run()
    #expect(report.violations.contains { $0.contains("operands \(sum.key)") })
    #expect(report.violations.contains { $0.contains("training asks") })
  }

  @Test func namesTheFileThatIsMissingOrDamaged() throws {
    let directory = temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    do {
      _ = try CorpusCheck(directory: directory).run()
      Issue.record("a missing corpus was accepted")
    } catch {
      #expect("\(error)".contains("pretrain.jsonl"))
    }
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try Data("{\"text\":\"a\"}\n{oops\n".utf8).write(
      to: directory.appendingPathComponent("pretrain.jsonl"))
    do {
      _ = try CorpusCheck(directory: directory).run()
      Issue.record("a damaged corpus was accepted")
    } catch {
      #expect("\(error)".contains("line 2"))
    }
  }
}

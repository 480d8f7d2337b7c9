import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Tokenizer
import Workflows

/// What `stitch frontier` measures on texts and replies in free words: loss, agreement and divergence.
@Suite struct FrontierTextTests {
  private static let lines = [
    #"{"text":"the cat sat on the mat and looked at the moon","kind":"prose"}"#,
    #"{"messages":[{"role":"user","content":"say hello"},{"role":"assistant","content":"hello there"}],"kind":"chat"}"#,
    #"{"messages":[{"role":"user","content":"say 1"}],"answer":"one"}"#,
  ]

  private func frontier(
    _ family: URL, _ questions: [QuestionFile.Question], threads: Int = 2
  ) throws -> Frontier {
    var job = FrontierJob(
      family: try TextFamily(family), questions: questions, data: "t.jsonl", threads: threads, stopsOnly: false)
    (job.speedSeconds, job.longestReply) = (nil, 3)
    return try job.run(progress: { _ in })
  }

  private func questions(_ fixture: EngineFixture, _ lines: [String] = lines) throws -> [QuestionFile.Question] {
    try QuestionFile(fixture.file("t.jsonl", lines.joined(separator: "\n"))).questions
  }

  @Test func textsAndFreeWordsCannotBeWrong() throws {
    let read = try questions(EngineFixture())
    #expect(read.map(\.isText) == [true, false, false] && read.map(\.isCheckable) == [false, false, true])
    #expect(read.map(\.kind) == ["prose", "chat", "all"] && read[1].answer == "hello there")
  }

  /// The whole logits of each network say the same.
  @Test func whatIsMeasuredIsWhatLogitsSay() throws {
    let fixture = try EngineFixture()
    let text = try TextFamily(fixture.family)
    let frontier = try frontier(fixture.family, Array(questions(fixture).prefix(1)))
    let tokens = text.tokenizer.textStart + (try text.tokenizer.encode("the cat sat on the mat and looked at the moon"))
    func logProbabilities(_ stitch: String) throws -> [[Double]] {
      let network = text.family.network(try text.stitch(stitch).route, adapter: nil)
      let logits = try InferenceSession(network: network).evaluate(tokens, logits: .all)
      return (0..<logits.rows).map { row in
        let values = logits.row(row).array.map(Double.init)
        let logSum = log(values.reduce(0) { $0 + exp($1) })
        return values.map { $0 - logSum }
      }
    }
    func top(_ row: [Double]) -> Int { row.indices.max { row[$0] < row[$1] }! }
    let whole = try logProbabilities("large")
    #expect(frontier.tokens == tokens.count - 1 && frontier.reference == "large")
    for row in frontier.stitches {
      let found = try logProbabilities(row.id)
      var (loss, agreeing, divergence) = (0.0, 0, 0.0)
      for place in 0..<tokens.count - 1 {
        loss -= found[place][tokens[place + 1]]
        if top(found[place]) == top(whole[place]) { agreeing += 1 }
        divergence += zip(whole[place], found[place]).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      }
      let count = Double(tokens.count - 1)
      #expect(abs(row.loss - loss / count) < 1e-5 && row.agreeing == [agreeing])
      #expect(abs(row.divergence! - divergence / count) < 1e-5 && row.agreement == Double(agreeing) / count)
      #expect(row.textsByKind?["prose"]?.loss == row.loss && row.tokensPerSecond == 0 && row.exactMatch == nil)
    }
    let largest = try #require(frontier.stitches.last)
    #expect(largest.agreement == 1 && largest.divergence == 0)
  }

  /// Longer texts are read in pieces of the context; threads change nothing; sums over kinds are those over all.
  @Test func piecesThreadsAndKinds() throws {
    let fixture = try EngineFixture()
    let long = String(repeating: "the cat sat on the mat and looked at the moon ", count: 12)
    let questions = try questions(fixture, Self.lines + ["{\"text\":\"\(long)\"}"])
    let text = try TextFamily(fixture.family)
    #expect(try text.tokenizer.encode(long).count > 2 * text.contextLength)
    let (one, three) = (
      try frontier(fixture.family, questions, threads: 1), try frontier(fixture.family, questions, threads: 3)
    )
    for (a, b) in zip(one.stitches, three.stitches) {
      #expect(a.loss == b.loss && a.divergence == b.divergence && a.agreeing == b.agreeing)
      let kinds = a.textsByKind!.values
      #expect(kinds.reduce(0) { $0 + $1.tokens } == one.tokens && a.right?.count == 1 && a.agreeing?.count == 4)
      #expect(abs(kinds.reduce(0) { $0 + $1.loss * Double($1.tokens) } - a.loss * Double(one.tokens!)) < 1e-6)
    }
    try one.write(to: text.family)
    let kept = try #require(try Frontier.read(of: text.family))
    #expect(kept.stitches[0].agreement == one.stitches[0].agreement && kept.stitches.allSatisfy { $0.agreeing == nil })
  }

  /// The family that comes with the program, adapter included.
  @Test func theLargestOfTheDefaultFamilyAgreesWithItself() throws {
    let family = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../weights/tiny")
    let frontier = try frontier(family, Array(questions(EngineFixture()).prefix(2)))
    let largest = try #require(frontier.stitches.first { $0.id == frontier.reference })
    #expect(largest.agreement == 1 && largest.divergence == 0)
    #expect(frontier.stitches.allSatisfy { $0.divergence! > -1e-6 && (0...1).contains($0.agreement!) })
  }

  /// What was measured of the family counts more than what the search for routes found.
  @Test func theSliderSaysWhatWasMeasured() async throws {
    let fixture = try EngineFixture()
    let family = try TextFamily(fixture.family).family
    let measured = try frontier(fixture.family, Array(questions(fixture).prefix(2)))
    try measured.write(to: family)
    let summary = try await fixture.backend().load()
    #expect(summary.stops.map(\.agreement) == measured.stitches.map(\.agreement))
    #expect(summary.stops.allSatisfy { $0.tokensPerSecond == nil && $0.quality == nil })
  }
}

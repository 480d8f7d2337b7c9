import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Workflows

@Suite struct FrontierTests {
  private func questions(_ fixture: EngineFixture, count: Int = 12) throws -> [QuestionFile.Question] {
    let lines = (0..<count).map {
      #"{"messages":[{"role":"user","content":"say \#($0)"}],"answer":"hello \#($0)","kind":"\#($0 % 2 == 0 ? "even" : "odd")"}"#
    }
    return try QuestionFile(fixture.file("questions.jsonl", lines.joined(separator: "\n"))).questions
  }

  private func job(
    _ fixture: EngineFixture, _ questions: [QuestionFile.Question], threads: Int = 2
  ) throws -> FrontierJob {
    var job = FrontierJob(
      family: try TextFamily(fixture.family), questions: questions, data: "q.jsonl", threads: threads, stopsOnly: false)
    job.speedSeconds = 0
    // Replies that do not depend on how long the answers are.
    job.longestReply = 6
    return job
  }

  @Test func everyStitchIsMeasured() throws {
    let fixture = try EngineFixture()
    let family = try TextFamily(fixture.family)
    var answers: [FrontierJob.Answer] = []
    let frontier = try job(fixture, questions(fixture)).run(progress: { _ in }, answered: { answers.append($0) })
    #expect(frontier.stitches.map(\.id) == RandomFamily.stitchIDs && frontier.kinds == ["even": 6, "odd": 6])
    #expect(answers.count == 12 * RandomFamily.stitchIDs.count)
    for row in frontier.stitches {
      let network = family.family.network(try family.stitch(row.id).route, adapter: nil)
      #expect(row.parameters == network.parameterCount && row.exactMatch == 0 && row.tokensPerSecond > 0)
      #expect(abs(row.perplexity! - exp(row.loss)) < 1e-9 && row.right == String(repeating: "0", count: 12))
      #expect(row.memoryBytes == row.weightBytes + row.cacheBytesPerToken!)
      // Anchors of the fixture have tied embeddings: all that is used is read, the embedding as head.
      let tied = try family.stitch(row.id).route.isAnchor
      if tied {
        #expect(
          row.weightBytesPerToken == row.weightBytes + network.embedding.elementType.size * network.embedding.columns)
      }
      #expect(answers.filter { $0.stitch == row.id }.map(\.question) == Array(0..<12))
    }
    // 128 positions of 2 blocks with 2 heads of 8 keys and as many values, kept 16 wide.
    #expect(frontier.stitches[0].cacheBytesPerToken == 128 * 2 * 2 * (8 + 16) * 4)
    let comparison = try #require(frontier.stitches[1].againstCheaperStop)
    #expect(comparison.stop == "small" && comparison.gained == 0 && comparison.lost == 0 && comparison.pValue == 1)
    #expect(frontier.hypervolume == 0 && frontier.stopsHypervolume == 0)
  }

  @Test func rightAnswersAreCountedAndCompared() throws {
    let fixture = try EngineFixture()
    // What the largest says is right by definition.
    var said: [Int: String] = [:]
    var questions = try questions(fixture)
    _ = try job(fixture, questions).run(
      progress: { _ in }, answered: { if $0.stitch == "large" { said[$0.question] = $0.reply } })
    for index in questions.indices where index % 3 != 0 { questions[index].answer = said[index]! }
    let frontier = try job(fixture, questions, threads: 1).run(progress: { _ in })
    let large = try #require(frontier.stitches.last)
    let right = large.isRight!
    #expect(zip(right, questions.indices).allSatisfy { $0 == ($1 % 3 != 0) } && large.exactMatch == 2.0 / 3)
    #expect(large.exactMatch == Double(right.count { $0 }) / 12)
    #expect(large.byKind["odd"]! * 6 + large.byKind["even"]! * 6 == (large.exactMatch! * 12).rounded())
    let comparison = try #require(large.againstCheaperStop)
    #expect(
      comparison.gained - comparison.lost
        == Int(((large.exactMatch! - frontier.stitches[3].exactMatch!) * 12).rounded()))
    // Only the most expensive one dominates anything: a strip of 0.05.
    if frontier.stitches.dropLast().allSatisfy({ $0.exactMatch == 0 }) {
      #expect(abs(frontier.hypervolume! - 0.05 * large.exactMatch!) < 1e-9)
    }
    let fewer = frontier.marked(stops: ["small", "large"])
    #expect(fewer.stitches.filter(\.isStop).map(\.id) == ["small", "large"])
    #expect(fewer.stitches.last?.againstCheaperStop?.stop == "small" && fewer.stitches[1].againstCheaperStop == nil)

    try frontier.write(to: TextFamily(fixture.family).family)
    let read = try #require(try Frontier.read(of: TextFamily(fixture.family).family))
    #expect(read.format == 2 && read.stitches.allSatisfy { $0.right == nil } && read.worthwhileStops() == nil)
    #expect(read.stitches.last?.againstCheaperStop == comparison && read.hypervolume == frontier.hypervolume)
  }

  @Test func speedsAloneCanBeMeasuredAgain() throws {
    let fixture = try EngineFixture()
    let text = try TextFamily(fixture.family)
    #expect(throws: EngineError.noFrontier(family: fixture.family.path)) {
      try FrontierJob.refreshingSpeeds(of: text, threads: 1, seconds: 0) { _ in }
    }
    var before = try job(fixture, questions(fixture)).run(progress: { _ in })
    for index in before.stitches.indices { before.stitches[index].tokensPerSecond = 1 }
    try before.write(to: text.family)
    before = try #require(try Frontier.read(of: text.family))
    var told: [String] = []
    var after = try FrontierJob.refreshingSpeeds(of: text, threads: 1, seconds: 0) { told.append($0.id) }
    #expect(told == RandomFamily.stitchIDs && after.threads == 1)
    #expect(after.stitches.allSatisfy { $0.tokensPerSecond > 1 })
    // All else is as it was.
    for index in after.stitches.indices { after.stitches[index].tokensPerSecond = 1 }
    after.threads = before.threads
    #expect(after == before)
  }

  @Test func resultsDoNotDependOnThreads() throws {
    let fixture = try EngineFixture()
    func quality(_ threads: Int) throws -> [[String]] {
      try job(fixture, questions(fixture), threads: threads).run(progress: { _ in }).stitches.map {
        ["\($0.loss)", $0.right!]
      }
    }
    #expect(try quality(1) == quality(3))
  }

  /// ChatML has a line feed after what ends a reply.
  @Test func whatFollowsAReplyIsNoPartOfTheAnswer() throws {
    let fixture = try EngineFixture()
    let questions = try questions(fixture)
    let file = fixture.family.appendingPathComponent("family.json")
    let plain = try job(fixture, questions).run(progress: { _ in })
    let json = try String(contentsOf: file, encoding: .utf8)
    try Data(
      json.replacingOccurrences(of: "\"tiny\"", with: "{\"jinja\":\"\(Self.lines)\",\"eos_token\":\"</s>\"}").utf8
    ).write(to: file)
    let ending = try job(fixture, questions).run(progress: { _ in })
    for (one, other) in zip(plain.stitches, ending.stitches) {
      #expect(other.loss > 0.5 * one.loss, "\(one.id): \(one.loss), \(other.loss)")
    }
  }

  private static let lines =
    "{% for m in messages %}{{ m.role + ': ' + m.content }}{% if m.role == 'assistant' %}{{ '</s>' + '\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"

  @Test func withoutCheckableAnswersThereIsOnlyLoss() throws {
    let fixture = try EngineFixture()
    let alpaca = try QuestionFile(
      fixture.file("alpaca.json", #"[{"instruction":"Say hello","input":"","output":"hello"}]"#))
    #expect(alpaca.questions.map(\.isCheckable) == [false] && alpaca.questions[0].answer == "hello")
    var same = alpaca.questions
    same[0].isCheckable = true
    let frontier = try job(fixture, alpaca.questions).run(progress: { _ in })
    let checked = try job(fixture, same).run(progress: { _ in })
    #expect(frontier.stitches.allSatisfy { $0.exactMatch == nil && $0.right == nil && $0.byKind.isEmpty })
    #expect(frontier.stitches.map(\.loss) == checked.stitches.map(\.loss))
    #expect(frontier.hypervolume == nil && frontier.worthwhileStops() == nil)
    try frontier.write(to: TextFamily(fixture.family).family)
    #expect(try Frontier.read(of: TextFamily(fixture.family).family)?.stitches.count == RandomFamily.stitchIDs.count)
  }
}

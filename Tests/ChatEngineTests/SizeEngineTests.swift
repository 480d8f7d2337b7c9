import ChatEngine
import FamilyFixture
import Foundation
import Testing

/// What the slider and the panes are told by the engine.
@Suite struct SizeEngineTests {
  private func ask(_ backend: FamilyBackend, _ messages: [ChatMessage], _ stitch: String) async throws -> ReplyStamp {
    var options = ReplyOptions()
    options.maxTokens = 6
    return try #require(await CollectedReply(backend.reply(to: messages, stitch: stitch, options: options)).stamp)
  }

  @Test func aReplySaysWhatIsCached() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let first = try await ask(backend, [.user("hello")], "small")
    #expect(first.prefillTokens > 0 && first.prefillSeconds > 0)
    // The last token may not have been computed; a stitch that starts in small has a part of its work done.
    #expect(first.cachedTokens["small"]! >= first.contextTokens - 1)
    #expect(Set(first.cachedTokens.keys) == Set(RandomFamily.stitchIDs).subtracting(["large"]))
    #expect(first.cachedTokens["small-large@2"]! < first.cachedTokens["small"]!)
    let other = try await ask(backend, [.user("hello")], "large")
    #expect(other.prefillTokens == first.prefillTokens)
    // As far as the texts agree: the prompt at least.
    #expect(
      other.cachedTokens["small"]! >= other.prefillTokens && other.cachedTokens["large"]! >= other.contextTokens - 1)
    let again = try await ask(backend, [.user("hello")], "large")
    #expect(again.prefillTokens == 1)
    // Nor was its text computed anew: its speed is not that of the stop.
    #expect(first.repeatedTokens == 0 && again.repeatedTokens >= again.tokens - 1)
  }

  /// Between replies the caches of the neighbours are filled, and after a change of the adapter all of them anew.
  @Test func theNeighboursArePrefetched() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend(prefetches: true)
    let first = try await ask(backend, [.user("hello")], "small-large@3")
    let neighbours: Set = ["small", "small-large@3", "small-large@2"]
    func isRead(_ status: CacheStatus) -> Bool {
      !status.isPrefilling && neighbours.allSatisfy { status.tokens[$0, default: 0] >= first.contextTokens - 2 }
    }
    for await status in backend.cacheStatus() where isRead(status) { break }
    #expect(try await ask(backend, [.user("hello")], "small-large@2").prefillTokens == 1)

    try await backend.startTraining(dataFile: fixture.lesson(), steps: 2)
    _ = await backend.status { $0.phase == .finished }
    for await status in backend.cacheStatus() where isRead(status) { break }
    #expect(try await ask(backend, [.user("hello")], "small-large@2").prefillTokens == 1)
  }

  @Test func lessonsComeWithTheFamily() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    #expect(await backend.lessons().isEmpty)
    let folder = fixture.root.appendingPathComponent("lessons")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in ["zebra.jsonl", "facts.jsonl", "notes.txt"] {
      try Data(RandomFamily.lesson().utf8).write(to: folder.appendingPathComponent(name))
    }
    let lessons = await backend.lessons()
    #expect(lessons.map(\.name) == ["facts", "zebra"])
    #expect(lessons.allSatisfy { FileManager.default.fileExists(atPath: $0.file) })
    // A name will do.
    try await backend.startTraining(dataFile: "facts", steps: 3)
    let status = try #require(await backend.status { $0.phase == .finished })
    #expect(status.dataFile.hasSuffix("lessons/facts.jsonl"))
    // Before the first step, and at the last; the stops at the last.
    #expect(status.heldOutCurve.map(\.step) == [0, 3])
    #expect(status.heldOutLoss == status.heldOutCurve.last?.loss)
    #expect(Set(status.stitchLosses.keys) == Set(RandomFamily.stitchIDs) && status.stitchLossesStep == 3)
    #expect(await backend.undoAdapter().contains("without an adapter"))
    #expect(try await backend.load().adapterStep == nil)
  }

  @Test func qualityKnowsItsAdapter() async throws {
    let fixture = try EngineFixture()
    try Data(
      #"""
      {"format": 2, "adapterStep": 70, "data": "x", "questions": 2, "stitches": [{"id": "small", "route": "r",
      "parameters": 1, "flopsPerToken": 2, "weightBytes": 3, "exactMatch": 0.5, "loss": 1.25, "tokensPerSecond": 900,
      "byKind": {}, "isStop": true}]}
      """#.utf8
    ).write(to: fixture.family.appendingPathComponent("frontier.json"))
    let summary = try await fixture.backend().load()
    #expect(summary.measuredStep == 70 && summary.adapterStep == nil)
  }
}

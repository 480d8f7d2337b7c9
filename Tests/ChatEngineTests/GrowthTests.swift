import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// A single model gets more sizes while one chats with it.
@Suite struct GrowthTests {
  /// The large anchor of the fixture as a model directory.
  private func model(_ fixture: EngineFixture) throws -> URL {
    let model = fixture.root.appendingPathComponent("large")
    try FileManager.default.copyItem(at: fixture.family.appendingPathComponent("anchors/large"), to: model)
    try FileManager.default.copyItem(
      at: fixture.family.appendingPathComponent("tokenizer.model"), to: model.appendingPathComponent("tokenizer.model"))
    return model
  }

  private func backend(_ fixture: EngineFixture, _ grower: @escaping FamilyGrower) throws -> FamilyBackend {
    var options = FamilyBackend.Options(family: try model(fixture))
    options.dataDirectory = fixture.data
    options.threads = 2
    options.grower = grower
    return FamilyBackend(options)
  }

  private func ask(_ backend: FamilyBackend, _ stitch: String) async -> CollectedReply {
    var options = ReplyOptions()
    options.maxTokens = 12
    return await CollectedReply(backend.reply(to: [.user("say 3")], stitch: stitch, options: options))
  }

  @Test func sizesComeBetweenReplies() async throws {
    let fixture = try EngineFixture()
    let gate = Gate(after: 0)
    let family = fixture.family
    let backend = try backend(fixture) { rest, note in
      note("half of it")
      gate.pass()
      rest()
      return family
    }
    #expect(try await backend.load().stops.map(\.id) == ["large"])
    var growth = backend.growth().makeAsyncIterator()
    #expect(await growth.next() == .progress("half of it"))
    // The whole model answers meanwhile, and is not taught.
    let alone = await ask(backend, "large")
    #expect(alone.failure == nil && alone.stamp?.stitch == "large")
    await #expect(throws: EngineError.self) {
      try await backend.startTraining(dataFile: try fixture.lesson(), steps: 2)
    }
    gate.open()
    #expect(await growth.next() == .grown)
    #expect(await growth.next() == nil)
    #expect(try await backend.load().stops.map(\.id) == RandomFamily.stitchIDs)
    #expect(await ask(backend, "large").text == ask(fixture.backend(), "large").text)
    #expect(await ask(backend, "small-large@2").failure == nil)
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 2)
    _ = try #require(await backend.status { $0.phase == .finished })
    // Once is enough.
    var again = backend.growth().makeAsyncIterator()
    #expect(await again.next() == nil)
  }

  @Test func whatFailsLeavesTheModel() async throws {
    struct Failure: Error, CustomStringConvertible { var description: String { "no room" } }
    let fixture = try EngineFixture()
    let backend = try backend(fixture) { _, _ in throw Failure() }
    _ = try await backend.load()
    var growth = backend.growth().makeAsyncIterator()
    #expect(await growth.next() == .failed("no room"))
    #expect(try await backend.load().stops.map(\.id) == ["large"])
    #expect(await ask(backend, "large").failure == nil)
  }
}

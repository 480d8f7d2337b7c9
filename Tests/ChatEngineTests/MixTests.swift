import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// Replies made with a mix of two adapters.
@Suite struct MixTests {
  private func ask(_ backend: FamilyBackend) async -> CollectedReply {
    var options = ReplyOptions()
    options.maxTokens = 12
    return await CollectedReply(backend.reply(to: [.user("say 3")], stitch: "large", options: options))
  }

  /// A family with two lessons in its store, the later one in use.
  private func taught() async throws -> (EngineFixture, FamilyBackend, [String]) {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    for steps in [4, 6] {
      try await backend.startTraining(dataFile: try fixture.lesson(), steps: steps)
      let adapter = try #require(await backend.status { $0.phase == .finished }?.adapter)
      if steps == 4 { try await backend.useAdapter(AdapterReference(step: nil, hash: nil)) }
      #expect(adapter.hash != nil)
    }
    let store = try TextFamily(fixture.family).adapterStore(root: fixture.data)
    return (fixture, backend, try store.list().map(\.hash).reversed())
  }

  @Test func aMixIsKeptWhenSomethingIsSaidWithIt() async throws {
    let (fixture, backend, lessons) = try await taught()
    let store = try TextFamily(fixture.family).adapterStore(root: fixture.data)
    let before = await ask(backend)
    #expect(try await backend.adapters().map(\.name).sorted() == (lessons + ["none"]).sorted())
    // The slider passes by; nothing is written for that.
    for percent in [10, 20, 30] {
      let mix = AdapterMix(left: lessons[0], right: String(lessons[1].prefix(8)), percent: percent)
      let mixed = try await backend.mixAdapters(mix)
      #expect(mixed.reference.hash == nil && mixed.right.hash == lessons[1])
    }
    #expect(try store.list().count == 2)
    let reply = await ask(backend)
    let adapter = try #require(reply.stamp?.adapter)
    let origin = AdapterOrigin(.sum, [.init(lessons[0], weight: 0.7), .init(lessons[1], weight: 0.3)])
    #expect(adapter.origin == origin && "\(origin)" == "70% \(lessons[0].prefix(8)) + 30% \(lessons[1].prefix(8))")
    #expect(try store.list().count == 3 && adapter.hash != nil && store.latest().hash == adapter.hash)
    // The file says it too, and is the exact sum.
    let text = try TextFamily(fixture.family)
    let kept = try #require(try text.adapter(adapter, store: store))
    #expect(kept.origin == origin && kept.options.rank == 32)
    // The same mix again is what is in use.
    #expect(
      try await backend.mixAdapters(AdapterMix(left: lessons[0], right: lessons[1], percent: 30)).reference == adapter)
    // One way back leads to what was in use before the slider moved.
    _ = try await backend.mixAdapters(AdapterMix(left: lessons[0], right: lessons[1], percent: 80))
    _ = await backend.undoAdapter()
    #expect(await ask(backend).stamp?.adapter == adapter)
    _ = await backend.undoAdapter()
    let again = await ask(backend)
    #expect(again.text == before.text && again.stamp?.adapter == before.stamp?.adapter)
  }

  @Test func endsAreTheAdaptersThemselves() async throws {
    let (fixture, backend, lessons) = try await taught()
    defer { withExtendedLifetime(fixture) {} }
    let latest = await ask(backend)
    let left = try await backend.mixAdapters(AdapterMix(left: lessons[1], right: lessons[0], percent: 0))
    #expect(left.reference == latest.stamp?.adapter)
    let none = try await backend.mixAdapters(AdapterMix(left: "none", right: lessons[0], percent: 0))
    #expect(none.reference == AdapterReference(step: nil, hash: nil))
    let plain = await ask(backend)
    // A part of one lesson, the rest nothing.
    let half = try await backend.mixAdapters(AdapterMix(left: "none", right: lessons[1], percent: 50))
    #expect(half.reference.origin == AdapterOrigin(.sum, [.init(lessons[1], weight: 0.5)]))
    _ = await ask(backend)
    let whole = try await backend.mixAdapters(AdapterMix(left: "none", right: lessons[1], percent: 100))
    #expect(whole.reference.hash == lessons[1])
    #expect(await ask(backend).text == latest.text)
    _ = try await backend.mixAdapters(AdapterMix(left: "none", right: "none", percent: 0))
    #expect(await ask(backend).text == plain.text)
  }

  /// Without a store what a mix was made of is enough to make it again.
  @Test func aMixComesBackByWhatItWasMadeOf() async throws {
    let (fixture, backend, lessons) = try await taught()
    let mix = AdapterMix(left: lessons[0], right: lessons[1], percent: 40)
    let reference = try await backend.mixAdapters(mix).reference
    #expect(reference.hash == nil)
    let other = fixture.backend()
    try await other.useAdapter(reference)
    #expect(await ask(other).text == ask(backend).text)
  }

  @Test func refusals() async throws {
    let (fixture, backend, lessons) = try await taught()
    defer { withExtendedLifetime(fixture) {} }
    let before = await ask(backend)
    for (left, right) in [("own", lessons[0]), ("newest", lessons[0]), (lessons[0], "abcdef00")] {
      await #expect(throws: EngineError.self, "\(left) \(right)") {
        try await backend.mixAdapters(AdapterMix(left: left, right: right, percent: 50))
      }
    }
    #expect(await ask(backend).stamp?.adapter == before.stamp?.adapter)
  }
}

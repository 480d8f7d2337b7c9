import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// Going back to the adapter of a saved conversation.
@Suite struct UseAdapterTests {
  private func ask(_ backend: FamilyBackend) async -> CollectedReply {
    var options = ReplyOptions()
    options.maxTokens = 12
    return await CollectedReply(backend.reply(to: [.user("say 3")], stitch: "large", options: options))
  }

  @Test func aReplyNamesItsAdapterAndItComesBack() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    #expect(try await backend.load().adapterHash == nil)
    let plain = await ask(backend)
    #expect(plain.stamp?.adapter == AdapterReference(step: nil, hash: nil))
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 6)
    let finished = try #require(await backend.status { $0.phase == .finished })
    let trained = await ask(backend)
    let adapter = try #require(trained.stamp?.adapter)
    let store = try TextFamily(fixture.family).adapterStore(root: fixture.data)
    #expect(adapter == AdapterReference(step: 6, hash: try store.latest().hash) && finished.adapter == adapter)

    // Another session begins with the family's own, which is none.
    let other = fixture.backend()
    try await other.useAdapter(adapter)
    let again = await ask(other)
    #expect(again.text == trained.text && again.stamp?.adapter == adapter)
    #expect(await other.status { _ in true }?.adapter == adapter)
    try await other.useAdapter(AdapterReference(step: nil, hash: nil))
    #expect(await ask(other).text == plain.text)
    #expect(await other.undoAdapter().contains("step 6"))

    // What is not there changes nothing.
    for missing in [
      AdapterReference(step: 6, hash: String(repeating: "a", count: 64)), AdapterReference(step: 6, hash: nil),
      AdapterReference(step: 6, hash: ""), AdapterReference(step: 6, hash: String(adapter.hash!.prefix(8))),
      AdapterReference(step: 6, hash: "../../x"),
    ] {
      await #expect(throws: EngineError.self) { try await other.useAdapter(missing) }
    }
    #expect(await ask(other).text == trained.text)
  }

  @Test func theFamilysOwnAdapterIsNamedToo() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    try await backend.startTraining(dataFile: try fixture.lesson(), steps: 3)
    _ = try #require(await backend.status { $0.phase == .finished })
    let snapshot = try TextFamily(fixture.family).adapterStore(root: fixture.data).latest()
    let own = fixture.family.appendingPathComponent(FamilyDescription.adapterName)
    try FileManager.default.moveItem(at: snapshot.file, to: own)
    let other = fixture.backend()
    #expect(try await other.load().adapterHash == snapshot.hash)
    try await other.useAdapter(AdapterReference(step: nil, hash: nil))
    // It is not in the store, but in the family.
    try await other.useAdapter(AdapterReference(step: 3, hash: snapshot.hash))
    #expect(await ask(other).stamp?.adapter == AdapterReference(step: 3, hash: snapshot.hash))
  }
}

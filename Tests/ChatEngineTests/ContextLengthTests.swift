import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Workflows

/// A model's context is what its configuration claims, as far as memory goes. Where that is more than any model was made
/// for, a chat is the same as with 4,096.
@Suite struct ContextLengthTests {
  /// A random family whose anchors claim so many positions.
  private func fixture(claiming positions: Int) throws -> EngineFixture {
    let fixture = try EngineFixture(contextLength: 4096)
    var changed = 0
    for path in try FileManager.default.subpathsOfDirectory(atPath: fixture.family.path)
    where path.hasSuffix("config.json") {
      let file = fixture.family.appendingPathComponent(path)
      let text = try String(contentsOf: file, encoding: .utf8)
      let claim = text.replacing(/("max_position_embeddings"\s*:\s*)4096/) { "\($0.1)\(positions)" }
      changed += claim == text ? 0 : 1
      try Data(claim.utf8).write(to: file)
    }
    #expect(changed == 2 || positions == 4096)
    return fixture
  }

  @Test(arguments: [1 << 24, 1 << 30]) func cachesAreNoLargerThanForFourThousand(positions: Int) throws {
    func caches(claiming positions: Int) throws -> (lengths: [Int], bytes: Int) {
      let fixture = try fixture(claiming: positions)
      let text = try TextFamily(fixture.family)
      #expect(text.family.contextLength == positions)
      let sessions = SessionCache(text, adapter: nil, backend: ProcessorBackend(pool: ComputePool(threads: 1)))
      let lengths = text.family.stitches.map { sessions.session($0).contextLength }
      return (lengths, sessions.taken)
    }
    let usual = try caches(claiming: 4096)
    let claimed = try caches(claiming: positions)
    #expect(Set(claimed.lengths) == [4096] && claimed.lengths.count == RandomFamily.stitchIDs.count)
    // Nothing was evicted either, for want of room that would never be used.
    #expect(claimed.bytes == usual.bytes && claimed.bytes > 0)
  }

  /// Some are made for a million.
  @Test(arguments: [1 << 17, 1 << 20]) func longContextsAreUsed(positions: Int) async throws {
    let fixture = try fixture(claiming: positions)
    let text = try TextFamily(fixture.family)
    let largest = try #require(text.family.stitches.last)
    let bytes = text.family.network(largest.route, adapter: nil).cacheBytes(positions: 4096) / 4096
    let fitting = Int(ProcessInfo.processInfo.physicalMemory / 4) / bytes
    #expect(text.contextLength == min(positions, max(4096, fitting)) && text.contextLength > 4096)
    var options = ReplyOptions()
    options.maxTokens = 4
    let long = String(repeating: "hello ", count: 1000)
    let reply = await CollectedReply(fixture.backend().reply(to: [.user(long)], stitch: largest.id, options: options))
    #expect(reply.stamp?.tokens == 4 && reply.failure == nil)
  }

  @Test func itCanBeTalkedTo() async throws {
    let fixture = try fixture(claiming: 1 << 30)
    let backend = fixture.backend()
    #expect(try await backend.load().contextLength == 4096)
    var options = ReplyOptions()
    options.maxTokens = 8
    for stitch in RandomFamily.stitchIDs {
      let reply = await CollectedReply(backend.reply(to: [.user("hello")], stitch: stitch, options: options))
      #expect(reply.stamp?.tokens == 8 && reply.failure == nil)
    }
    let tooLong = await CollectedReply(
      backend.reply(to: [.user(String(repeating: "hello ", count: 9000))], stitch: "small", options: options))
    guard case .promptTooLong(_, contextLength: 4096)? = tooLong.failure else {
      Issue.record("\(String(describing: tooLong.failure))")
      return
    }
  }

  @Test func measurementsGoByItToo() throws {
    let fixture = try fixture(claiming: 1 << 30)
    let text = try TextFamily(fixture.family)
    let questions = try QuestionFile(
      fixture.file("q.jsonl", #"{"messages": [{"role": "user", "content": "hello"}], "answer": "hello"}"#))
    var job = FrontierJob(family: text, questions: questions.questions, data: "x", threads: 1, stopsOnly: true)
    (job.speedSeconds, job.longestReply) = (0, 4)
    let frontier = try job.run { _ in }
    #expect(frontier.contextLength == 4096)
    for stitch in frontier.stitches {
      let network = text.family.network(try text.family.stitch(stitch.id).route, adapter: nil)
      #expect(stitch.cacheBytesPerToken == network.cacheBytes(positions: 4096))
    }
  }
}

import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Testing
import Tokenizer

/// In a chat with the default family it makes no difference to a text what was computed before, by which stop, or ahead of time.
@Suite struct PrefetchTests {
  private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "weights/tiny")
  private static var isThere: Bool {
    FileManager.default.fileExists(atPath: directory.appending(path: "family.json").path)
  }

  private struct Line: Decodable {
    var messages: [Message]
    struct Message: Decodable {
      var role: String
      var content: String
    }
  }

  /// Questions of the family's own conversations.
  private static func questions(_ count: Int) throws -> [String] {
    let lines = try String(contentsOf: directory.appending(path: "rehearsal.jsonl"), encoding: .utf8).split(
      separator: "\n")
    return try lines.prefix(count).map { line in
      let messages = try JSONDecoder().decode(Line.self, from: Data(line.utf8)).messages
      return try #require(messages.last { $0.role == "user" }).content
    }
  }

  /// One stop's reply as the network alone makes it: everything prefilled anew, nothing shared, nothing drafted.
  private final class Plain {
    let text: TextFamily
    private let sessions: [String: InferenceSession]

    init(_ text: TextFamily) throws {
      self.text = text
      let adapter = try text.family.ownAdapter()
      sessions = Dictionary(
        uniqueKeysWithValues: text.family.stops.map {
          (
            $0.id,
            InferenceSession(network: text.family.network($0.route, adapter: adapter), pool: ComputePool(threads: 1))
          )
        })
    }

    func reply(_ messages: [ChatMessage], stitch: String, options: ReplyOptions) throws -> String {
      let session = try #require(sessions[stitch])
      session.truncate(to: 0)
      let prompt = try text.template.encode(
        messages.map { .init(role: .init(rawValue: $0.role.rawValue)!, content: $0.content) }, tokenizer: text.tokenizer
      )
      let result = try session.generate(
        prompt: prompt,
        options: GenerationOptions(
          maxTokens: options.maxTokens, stopTokens: text.stopTokens, sampling: options.sampling)
      ) { _ in .goOn }
      return try text.tokenizer.decode(result.tokens)
    }
  }

  /// A thousand prompts over every stop, the slider moving before each, in conversations that grow. Some follow at once,
  /// some in the midst of prefetching, some when the neighbours have everything cached.
  @Test(.enabled(if: isThere, "weights/tiny is not there")) func aThousandPromptsOverEveryStop() async throws {
    let plain = try Plain(TextFamily(Self.directory))
    let stops = plain.text.family.stops.map(\.id)
    var backendOptions = FamilyBackend.Options(family: Self.directory)
    backendOptions.threads = 2
    backendOptions.prefetches = true
    backendOptions.keepsSnapshots = false
    let backend = FamilyBackend(backendOptions)
    var options = ReplyOptions()
    options.maxTokens = 12
    var random = SeededGenerator(seed: 11)
    var conversation: [ChatMessage] = []
    var stop = 0
    var (asked, promptTokens, prefillTokens, warmed) = ([String: Int](), 0, 0, 0)
    for question in try Self.questions(1000) {
      conversation.append(.user(question))
      // Greedy, and drawn.
      options.temperature = random.index(below: 3) == 0 ? 0.8 : 0
      options.seed = UInt64(random.index(below: 1000))
      let reply = await CollectedReply(backend.reply(to: conversation, stitch: stops[stop], options: options))
      let stamp = try #require(reply.stamp, "\(reply.failure?.description ?? "no reply")")
      #expect(stamp.droppedMessages == 0)
      #expect(
        reply.text == (try plain.reply(conversation, stitch: stops[stop], options: options)),
        "\(stops[stop]): \(question)")
      asked[stops[stop], default: 0] += 1
      promptTokens += stamp.contextTokens - stamp.tokens
      prefillTokens += stamp.prefillTokens

      conversation.append(.assistant(reply.text))
      if stamp.contextTokens > plain.text.contextLength / 2 { conversation = [] }
      let neighbours = [stop - 1, stop + 1].filter(stops.indices.contains)
      switch random.index(below: 4) {
      case 0:
        try await Task.sleep(for: .milliseconds(random.index(below: 8)))
        stop = random.index(below: stops.count)
      case 1, 2:
        for await status in backend.cacheStatus()
        where neighbours.allSatisfy({ status.tokens[stops[$0], default: 0] >= stamp.contextTokens - 2 }) { break }
        stop = neighbours[random.index(below: neighbours.count)]
        warmed += 1
      default:
        stop = random.index(below: stops.count)
      }
    }
    #expect(asked.count == stops.count && asked.values.allSatisfy { $0 > 40 }, "\(asked)")
    #expect(warmed > 300 && prefillTokens < promptTokens / 2, "\(warmed) \(prefillTokens) of \(promptTokens)")
  }
}

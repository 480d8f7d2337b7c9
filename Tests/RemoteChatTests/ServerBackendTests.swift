import ChatEngine
import Foundation
import RemoteChat
import Support
import Synchronization
import Testing
import WebServer

private func events(
  _ backend: ServerBackend, _ messages: [ChatMessage] = [.init(role: .user, content: "hello")],
  stitch: String = "alpha", options: ReplyOptions = ReplyOptions()
) async -> [ReplyEvent] {
  var events: [ReplyEvent] = []
  for await event in backend.reply(to: messages, stitch: stitch, options: options) { events.append(event) }
  return events
}

extension ServerBackend {
  /// Waits for servers of this process however busy the others of its tests keep it.
  fileprivate convenience init(patient server: ServerAddress) {
    self.init(server, listPatience: 1200)
  }
}

extension [ReplyEvent] {
  fileprivate var text: String {
    reduce(into: "") { text, event in if case .text(let piece) = event { text += piece } }
  }
  fileprivate var stamp: ReplyStamp? { if case .finished(let stamp)? = last { stamp } else { nil } }
  fileprivate var failure: String? { if case .failed(let failure)? = last { "\(failure)" } else { nil } }
}

@Suite struct ServerBackendTests {
  @Test func anotherServersModelsAreStops() async throws {
    let server = try ForeignServer()
    let backend = ServerBackend(patient: try server.address)
    let summary = try await backend.load()
    #expect(summary.stops.map(\.id) == ["alpha", "beta"] && summary.name == "127.0.0.1:\(server.port)")
    #expect(summary.server == summary.name && !summary.learns && summary.contextLength == 0)

    var options = ReplyOptions()
    (options.topP, options.seed, options.maxTokens) = (0.5, 7, 20)
    options.stopStrings = ["", "end"]
    let events = await events(
      backend, [.init(role: .system, content: "be brief"), .init(role: .user, content: "a\"b")],
      stitch: "beta", options: options)
    #expect(events.first == .started(stitch: "alpha", adapterStep: nil))
    #expect(events.text == "one two three ")
    let stamp = try #require(events.stamp)
    // As the server counts.
    #expect(stamp.tokens == 5 && stamp.promptTokens == 7 && stamp.contextTokens == 12 && stamp.finish == .stop)
    #expect(stamp.tokensPerSecond > 0)
    let asked = try #require(server.chats.first?.object)
    #expect(
      asked["model"] == "beta" && asked["stream"] == .bool(true) && asked["seed"] == .integer(7)
        && asked["max_tokens"] == .integer(20))
    #expect(asked["top_p"] == .number(0.5) && asked["top_k"] == nil && asked["stop"] == .array(["end"]))
    #expect(asked["messages"]?.array?.compactMap { $0.object?["content"]?.string } == ["be brief", "a\"b"])
  }

  @Test func withoutAnEngineHereThereIsNothingToTeach() async throws {
    let backend = ServerBackend(try ServerAddress("127.0.0.1:1"))
    await #expect(throws: EngineError.needsLocalModel) {
      try await backend.startTraining(dataFile: "x", steps: 1, distills: false)
    }
    await #expect(throws: EngineError.needsLocalModel) { _ = try await backend.adapters() }
    #expect(await backend.lessons().isEmpty)
  }

  @Test func aConversationWithTheServersAdapterGoesOn() async throws {
    let server = try ForeignServer(
      models: #"{"data": [{"id": "t/small", "stitch": {"id": "small", "adapter_step": 40}}]}"#)
    let backend = ServerBackend(patient: try server.address)
    try await backend.useAdapter(AdapterReference(step: 40, hash: nil))
    for step in [nil, 41] {
      await #expect(throws: EngineError.needsLocalModel) {
        try await backend.useAdapter(AdapterReference(step: step, hash: nil))
      }
    }
  }

  @Test func nobodyThere() async throws {
    let backend = ServerBackend(try ServerAddress("127.0.0.1:1"))
    await #expect { _ = try await backend.load() } throws: {
      "\($0)".hasPrefix("cannot reach http://127.0.0.1:1/v1: ")
        && "\($0)".hasSuffix("; check that the server runs, and its address")
    }
    let failure = await events(backend).failure
    #expect(failure?.hasPrefix("cannot reach http://127.0.0.1:1/v1") == true)
  }

  @Test func keys() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID())")
    try Data("# mine\n\n sesame-open \n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let server = try ForeignServer(key: "sesame-open")
    await #expect { _ = try await ServerBackend(patient: try server.address).load() } throws: {
      "\($0)"
        == "http://127.0.0.1:\(server.port)/v1 wants a key, or another one: no such key; give it with --key-file FILE"
    }
    let address = try ServerAddress("127.0.0.1:\(server.port)", keyFile: file.path)
    #expect(try await ServerBackend(patient: address).load().stops.count == 2)
  }

  @Test func whatIsNoServerOfModels() async throws {
    for models in ["[]", "{\"data\": []}", "<html>", "{\"data\": [{\"name\": \"x\"}]}"] {
      let server = try ForeignServer(models: models)
      await #expect { _ = try await ServerBackend(patient: try server.address).load() } throws: {
        "\($0)".contains("/v1/models answers with what is no list of models")
      }
    }
    let server = try ForeignServer()
    let other = try ServerAddress("127.0.0.1:\(server.port)/elsewhere")
    await #expect { _ = try await ServerBackend(patient: other).load() } throws: {
      "\($0)".contains("/elsewhere answers 404: nothing here")
    }
  }

  @Test func aBusyServerIsWaitedFor() async throws {
    let left = Atomic(2)
    let server = try ForeignServer { _, _ in
      if left.subtract(1, ordering: .relaxed).newValue >= 0 {
        return .json(
          #"{"error": {"message": "3 texts wait already"}}"#, status: 429, fields: [("Retry-After", "0.05")])
      }
      return .words("at", "last")
    }
    let events = await events(ServerBackend(patient: try server.address))
    #expect(
      events.prefix(2) == [
        .waiting("the server is busy; asking again in 1 s"), .waiting("the server is busy; asking again in 1 s"),
      ])
    #expect(events.text == "at last " && server.chats.count == 3)
    // Not for ever.
    let never = try ForeignServer { _, _ in
      .json(#"{"error": {"message": "too many"}}"#, status: 429, fields: [("Retry-After", "3600")])
    }
    let failure = await ServerBackendTests.failure(of: try never.address)
    #expect(failure?.hasSuffix("takes no more now (429): too many") == true)
  }

  private static func failure(of address: ServerAddress) async -> String? {
    await events(ServerBackend(patient: address)).failure
  }

  @Test func whatCameBeforeTheEndIsKept() async throws {
    struct Gone: Error {}
    let server = try ForeignServer { _, _ in
      .stream { writer in
        try await writer.event(.word("half"))
        try await writer.event(.word(" of"))
        throw Gone()
      }
    }
    let events = await events(ServerBackend(patient: try server.address))
    #expect(events.text == "half of")
    #expect(events.failure?.hasPrefix("the reply was cut off: 127.0.0.1:") == true, "\(events)")
    // An end without an end of the reply is none.
    let other = try ForeignServer { _, _ in .stream { try await $0.event(.word("half")) } }
    let failure = await ServerBackendTests.failure(of: try other.address)
    #expect(failure == "the reply was cut off: 127.0.0.1:\(other.port) has closed the connection before its end")
    // What the server says in the middle.
    let failing = try ForeignServer { _, _ in
      .stream { writer in
        try await writer.event(.word("half"))
        try await writer.event(#"{"error": {"message": "out of\nmemory"}}"#)
      }
    }
    #expect(await ServerBackendTests.failure(of: try failing.address) == "127.0.0.1:\(failing.port): out of?memory")
  }

  @Test func aCancelledReplyEndsTheRequest() async throws {
    let (gone, hasGone) = AsyncStream<Void>.makeStream()
    let server = try ForeignServer { _, _ in
      .stream { writer in
        do {
          while true {
            try await writer.event(.word("on"))
            try await Task.sleep(for: .milliseconds(5))
          }
        } catch {
          hasGone.yield()
          throw error
        }
      }
    }
    let backend = ServerBackend(patient: try server.address)
    var events: [ReplyEvent] = []
    for await event in backend.reply(to: [.init(role: .user, content: "x")], stitch: "alpha", options: ReplyOptions()) {
      events.append(event)
      if events.text.count == 6 { await backend.cancelReply() }
    }
    #expect(events.stamp?.finishReason == .cancelled && events.text.hasPrefix("ononon"))
    // The server sees the client go.
    for await _ in gone { break }
  }

  @Test func whileItWaitsItCanBeCancelled() async throws {
    let server = try ForeignServer { _, _ in .json("{}", status: 429, fields: [("Retry-After", "60")]) }
    let backend = ServerBackend(patient: try server.address)
    var events: [ReplyEvent] = []
    for await event in backend.reply(to: [.init(role: .user, content: "x")], stitch: "alpha", options: ReplyOptions()) {
      events.append(event)
      if case .waiting = event { await backend.cancelReply() }
    }
    #expect(events.stamp?.finishReason == .cancelled)
  }

  @Test func oldMessagesGoWhereTheContextIsFull() async throws {
    let server = try ForeignServer { body, _ in
      let size = body.object?["messages"]?.array?.reduce(0) { $0 + ($1.object?["content"]?.string?.count ?? 0) } ?? 0
      if size > 100 {
        return .json(
          #"{"error": {"message": "This model's maximum context length is 100 tokens. However, your prompt has \#(size) tokens, and more.", "code": "context_length_exceeded"}}"#,
          status: 400)
      }
      return .words("fits")
    }
    let backend = ServerBackend(patient: try server.address)
    var messages = [ChatMessage(role: .system, content: "brief")]
    for _ in 0..<5 {
      messages.append(.init(role: .user, content: String(repeating: "q", count: 20)))
      messages.append(.init(role: .assistant, content: String(repeating: "a", count: 20)))
    }
    messages.append(.init(role: .user, content: "last"))
    let events = await events(backend, messages)
    let dropped = try #require(events.stamp?.droppedMessages)
    #expect(events.contains(.trimmed(droppedMessages: dropped)) && dropped == 6, "\(dropped)")
    let sent = server.chats.last?.object?["messages"]?.array
    #expect(sent?.first?.object?["content"] == "brief" && sent?.count == 12 - dropped)
    var options = ReplyOptions()
    options.overflow = .refuse
    let asked = await ServerBackendTests.refusal(backend, messages, options)
    #expect(asked == .conversationTooLong(messagesToDrop: 6))
    let long = await ServerBackendTests.refusal(
      backend, [.init(role: .user, content: String(repeating: "x", count: 300))], ReplyOptions())
    #expect(long == .promptTooLong(tokens: 300, contextLength: 100))
  }

  private static func refusal(
    _ backend: ServerBackend, _ messages: [ChatMessage], _ options: ReplyOptions
  ) async -> ReplyFailure? {
    if case .failed(let failure)? = await events(backend, messages, options: options).last { failure } else { nil }
  }

  @Test func aServerThatDoesNotStream() async throws {
    let server = try ForeignServer { _, _ in
      .json(
        #"{"model": "beta", "choices": [{"message": {"content": "whole"}, "finish_reason": "length"}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}"#
      )
    }
    let backend = ServerBackend(patient: try server.address)
    _ = try await backend.load()
    let events = await events(backend)
    #expect(
      events.first == .started(stitch: "alpha", adapterStep: nil)
        || events.first == .started(stitch: "beta", adapterStep: nil))
    #expect(events.text == "whole" && events.stamp?.finish == .length && events.stamp?.contextTokens == 4)
  }

  @Test func hostileAnswers() async throws {
    for answer in [
      "data: {\n\n", "data: []\n\n", "data: {\"choices\": 7}\n\ndata: [DONE]\n\n", "\u{0}\u{1}", ": only\n\n",
    ] {
      let server = try ForeignServer { _, _ in .stream { try await $0.write(Array(answer.utf8)) } }
      let events = await events(ServerBackend(patient: try server.address))
      #expect(events.text.isEmpty && events.last?.isOver == true, "\(answer)")
    }
  }
}

extension ReplyEvent {
  fileprivate var isOver: Bool {
    switch self {
    case .finished, .failed: true
    default: false
    }
  }
}

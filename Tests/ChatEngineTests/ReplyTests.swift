import ChatEngine
import FamilyFixture
import Foundation
import LLaMAStitch
import Testing
import Tokenizer

@Suite struct ReplyTests {
  private func options(_ maxTokens: Int, temperature: Double = 0.8) -> ReplyOptions {
    var options = ReplyOptions()
    options.maxTokens = maxTokens
    options.temperature = temperature
    options.seed = 3
    return options
  }

  @Test func loadDescribesTheFamily() async throws {
    let fixture = try EngineFixture()
    try Data(
      #"""
      {"data": "x", "questions": 2, "stitches": [{"id": "small", "route": "small[0..<2]", "parameters": 1,
      "flopsPerToken": 2, "weightBytes": 3, "exactMatch": 0.5, "loss": 1.25, "tokensPerSecond": 900, "byKind": {},
      "isStop": true}]}
      """#.utf8
    ).write(to: fixture.family.appendingPathComponent("frontier.json"))
    let summary = try await fixture.backend().load()
    #expect(summary.name == "random" && summary.contextLength == 128 && summary.adapterStep == nil)
    #expect(summary.stops.map(\.id) == RandomFamily.stitchIDs && summary.notes.isEmpty)
    let small = summary.stops[0]
    #expect(small.quality == 0.5 && small.loss == 1.25 && small.tokensPerSecond == 900 && small.route == "small[0..<2]")
    #expect(summary.stops.last?.loss == nil)
    #expect(zip(summary.stops, summary.stops.dropFirst()).allSatisfy { $0.flopsPerToken <= $1.flopsPerToken })
  }

  @Test func aMalformedFrontierIsANote() async throws {
    let fixture = try EngineFixture()
    try Data("[1, 2".utf8).write(to: fixture.family.appendingPathComponent("frontier.json"))
    let summary = try await fixture.backend().load()
    #expect(summary.notes.count == 1 && summary.notes[0].contains("frontier.json is not a list"))
  }

  @Test(arguments: RandomFamily.stitchIDs) func streamedReplyIsTheDirectOne(stitch: String) async throws {
    let fixture = try EngineFixture()
    let text = try TextFamily(fixture.family)
    let messages: [ChatMessage] = [
      .system("be kind"), .user("hello"), .assistant("hello there"), .user("who are you?"),
    ]
    let backend = fixture.backend()
    let options = options(40)
    // What went before in the session must not show.
    _ = await CollectedReply(backend.reply(to: [.user("hello")], stitch: stitch, options: options))
    let reply = await CollectedReply(backend.reply(to: messages, stitch: stitch, options: options))

    let prompt = try text.template.encode(
      messages.map { .init(role: .init(rawValue: $0.role.rawValue)!, content: $0.content) }, tokenizer: text.tokenizer)
    let session = InferenceSession(
      network: text.family.network(try text.family.stitch(stitch).route, adapter: nil), pool: ComputePool(threads: 1))
    let direct = try session.generate(
      prompt: prompt,
      options: GenerationOptions(maxTokens: 40, stopTokens: text.stopTokens, sampling: options.sampling)
    ) { _ in .goOn }
    #expect(reply.text == (try text.tokenizer.decode(direct.tokens)) && reply.failure == nil)
    #expect(reply.started?.stitch == stitch && reply.started?.adapterStep == nil)
    #expect(reply.stamp?.tokens == direct.tokens.count && reply.stamp?.stitch == stitch)
    #expect(reply.stamp?.contextTokens == prompt.count + direct.tokens.count && reply.stamp?.droppedMessages == 0)
  }

  @Test func continuesAnOpenReply() async throws {
    let fixture = try EngineFixture()
    let text = try TextFamily(fixture.family)
    let reply = await CollectedReply(
      fixture.backend().reply(to: [.user("hi"), .assistant("one two")], stitch: "large", options: options(8)))
    let prompt = try text.template.encode(
      [.init(role: .user, content: "hi"), .init(role: .assistant, content: "one two")], tokenizer: text.tokenizer,
      continueFinalMessage: true)
    #expect(reply.stamp?.contextTokens == prompt.count + (reply.stamp?.tokens ?? 0))
  }

  @Test func stopKeepsThePartialText() async throws {
    let fixture = try EngineFixture(contextLength: 4096)
    let gate = Gate(after: 3)
    let backend = fixture.backend(gate: gate)
    let reply = await CollectedReply(
      backend.reply(to: [.user("hello")], stitch: "large", options: options(4000))
    ) { pieces in
      if pieces == 3 {
        await backend.cancelReply()
        gate.open()
      }
    }
    let stamp = try #require(reply.stamp)
    #expect(stamp.finish == .cancelled && stamp.tokens < 100 && !reply.text.isEmpty)
    // The next one is not affected.
    let next = await CollectedReply(backend.reply(to: [.user("hello")], stitch: "large", options: options(4)))
    #expect(next.stamp?.finish != .cancelled && next.failure == nil)
  }

  @Test func aCancelledConsumerStopsTheReply() async throws {
    let fixture = try EngineFixture(contextLength: 4096)
    let gate = Gate(after: 3)
    let backend = fixture.backend(gate: gate)
    let long = options(4000)
    let consumer = Task {
      await CollectedReply(backend.reply(to: [.user("hello")], stitch: "large", options: long)) { _ in
        withUnsafeCurrentTask { $0?.cancel() }
      }
    }
    #expect(await consumer.value.stamp == nil)
    // Were the first one still wanted, this one would wait for it, and it for the gate's second piece.
    gate.open()
    let next = await CollectedReply(backend.reply(to: [.user("hi")], stitch: "small", options: options(2)))
    #expect(next.stamp != nil)
  }

  @Test func theOldestTurnsGoWhereTheContextIsFull() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    var messages: [ChatMessage] = [.system("be kind")]
    for index in 0..<12 { messages += [.user("what is number \(index)?"), .assistant("it is number \(index)")] }
    messages.append(.user("who are you?"))
    let reply = await CollectedReply(backend.reply(to: messages, stitch: "small", options: options(100)))
    let dropped = try #require(reply.stamp?.droppedMessages)
    #expect(dropped > 0 && dropped % 2 == 0 && dropped < 24 && reply.trimmed == dropped)
    #expect(reply.stamp!.contextTokens <= 128)
    // The same as if the conversation had begun later.
    let shorter = [messages[0]] + messages[(1 + dropped)...]
    let same = await CollectedReply(backend.reply(to: shorter, stitch: "small", options: options(100)))
    #expect(same.text == reply.text && same.stamp?.droppedMessages == 0 && same.trimmed == nil)
  }

  @Test func nothingIsLeftOutWhereThatIsRefused() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    var messages: [ChatMessage] = []
    for index in 0..<12 { messages += [.user("what is number \(index)?"), .assistant("it is number \(index)")] }
    messages.append(.user("who are you?"))
    var options = options(100)
    options.overflow = .refuse
    let reply = await CollectedReply(backend.reply(to: messages, stitch: "small", options: options))
    guard case .conversationTooLong(let tooLong)? = reply.failure else {
      Issue.record("\(String(describing: reply.failure))")
      return
    }
    #expect(reply.text.isEmpty && reply.started == nil && reply.stamp == nil)
    // Without so many it fits, and with one more pair it does not.
    let fits = await CollectedReply(
      backend.reply(to: Array(messages.dropFirst(tooLong)), stitch: "small", options: options))
    #expect(fits.stamp != nil && fits.failure == nil)
    let stillNot = await CollectedReply(
      backend.reply(to: Array(messages.dropFirst(tooLong - 2)), stitch: "small", options: options))
    #expect(stillNot.failure == .conversationTooLong(messagesToDrop: 2))
  }

  @Test func failuresAreOneLine() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let long = await CollectedReply(
      backend.reply(to: [.user(String(repeating: "hello ", count: 200))], stitch: "small", options: options(4)))
    guard case .promptTooLong(let tokens, contextLength: 128)? = long.failure else {
      Issue.record("\(String(describing: long.failure))")
      return
    }
    #expect(tokens > 128 && long.failure?.description.contains("the context 128") == true && long.stamp == nil)
    let unknown = await CollectedReply(backend.reply(to: [.user("hi")], stitch: "smal", options: options(4)))
    guard case .unknownStitch("smal", let message)? = unknown.failure else {
      Issue.record("\(String(describing: unknown.failure))")
      return
    }
    #expect(message.contains("no stitch “smal”; did you mean small?"))
    var wrong = options(4)
    wrong.topP = 7
    let sampling = await CollectedReply(backend.reply(to: [.user("hi")], stitch: "small", options: wrong))
    guard case .badSampling(let setting)? = sampling.failure else {
      Issue.record("\(String(describing: sampling.failure))")
      return
    }
    #expect(setting.contains("top-p"))
    let nowhere = FamilyBackend(.init(family: URL(fileURLWithPath: "/no/such/family")))
    let unloaded = await CollectedReply(nowhere.reply(to: [.user("hi")], stitch: "small", options: options(4)))
    guard case .cannotLoad(let cause)? = unloaded.failure else {
      Issue.record("\(String(describing: unloaded.failure))")
      return
    }
    #expect(cause.contains("/no/such/family"))
    for failure in [long, unknown, sampling, unloaded] {
      #expect(failure.failure?.description.contains("\n") == false)
    }
  }

  /// A damaged adapter: what the network computes is no number.
  @Test func anOutputThatIsNoNumberIsAFailureOfItsOwn() async throws {
    let fixture = try EngineFixture()
    let text = try TextFamily(fixture.family)
    var tensors: [String: MatrixView] = [:]
    for declaration in text.family.layout(AdapterOptions(rank: 2)).declarations {
      let count = declaration.shape.reduce(1, *)
      let columns = declaration.shape.last!
      tensors[declaration.name] = FloatBuffer([Float](repeating: .nan, count: count))
        .matrix(rows: count / columns, columns: columns)
    }
    try Adapter(options: AdapterOptions(rank: 2), step: 1, family: text.family, importance: [:], tensors: tensors)
      .write(to: fixture.family.appendingPathComponent(FamilyDescription.adapterName))
    let reply = await CollectedReply(
      fixture.backend().reply(to: [.user("hi")], stitch: "large", options: options(4)))
    #expect(reply.failure == .notANumber(message: "\(InferenceError.notANumber)"))
  }

  @Test func aStampSaysWhatAReplyTook() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let messages: [ChatMessage] = [.system("be kind"), .user("hello")]
    let first = try #require(
      await CollectedReply(backend.reply(to: messages, stitch: "large", options: options(12))).stamp)
    #expect(first.promptTokens > 8 && first.cachedPromptTokens == 0 && first.prefillTokens == first.promptTokens)
    #expect(first.prefillSeconds > 0 && first.tokens == 12 && first.finishReason == .length && first.finish == .length)
    #expect(first.contextTokens == first.promptTokens + first.tokens && first.acceptedTokens <= first.draftedTokens)
    let longer = messages + [.assistant("x"), .user("say hello")]
    let second = try #require(
      await CollectedReply(backend.reply(to: longer, stitch: "large", options: options(12))).stamp)
    #expect(second.cachedPromptTokens > 0 && second.cachedPromptTokens <= first.promptTokens)
    #expect(second.cachedPromptTokens + second.prefillTokens == second.promptTokens)
    // The context ends before the tokens that were asked for.
    let full = try #require(
      await CollectedReply(backend.reply(to: messages, stitch: "small", options: options(4000))).stamp)
    #expect(full.finishReason == .context && full.finish == .length && full.contextTokens == 128)
  }

  @Test func aCancelledPromptIsNotCountedAsComputed() async throws {
    let fixture = try EngineFixture(contextLength: 2048)
    let text = try TextFamily(fixture.family)
    let maker = ReplyMaker(text, threads: 1)
    let cancellation = CancellationFlag()
    cancellation.cancel()
    let stamp = try maker.make(
      [.user(String(repeating: "hello ", count: 300))], stitch: "small", options: options(4), adapter: .init(),
      cancellation: cancellation
    ) { _ in }
    #expect(stamp.finishReason == .cancelled && stamp.promptTokens > 300)
    #expect(stamp.tokens == 0 && stamp.prefillTokens == 0 && stamp.cachedPromptTokens == 0)
  }

  @Test func repliesAreSerialAndComplete() async throws {
    let fixture = try EngineFixture()
    let backend = fixture.backend()
    let options = options(20)
    let ids = RandomFamily.stitchIDs + RandomFamily.stitchIDs
    let stamps = await withTaskGroup(of: ReplyStamp?.self) { group in
      for id in ids {
        group.addTask { await CollectedReply(backend.reply(to: [.user("hello")], stitch: id, options: options)).stamp }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(stamps.compactMap { $0?.stitch }.sorted() == ids.sorted())
  }
}

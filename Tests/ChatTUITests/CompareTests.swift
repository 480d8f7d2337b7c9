import ChatEngine
import ChatTUI
import Testing

@Suite struct CompareTests {
  private func asked(width: Int = 120) -> AppState {
    var state = readyState(width: width, height: 30)
    state.exchange("what is 12+7?", "It is 19.")
    return state
  }

  private func started(_ effects: [Effect]) -> (id: Int, stitch: String, messages: [ChatMessage], seed: UInt64)? {
    guard effects.count == 1, case .startReply(let id, let messages, let stitch, let options) = effects[0] else {
      return nil
    }
    return (id, stitch, messages, options.seed)
  }

  @Test func sameQuestionOneAfterTheOther() throws {
    var state = asked()
    let question = [ChatMessage(role: .user, content: "what is 12+7?")]
    let first = try #require(started(state.press(.function(6))))
    #expect(first.stitch == "small" && first.messages == question)
    state.apply(.reply(id: first.id, .started(stitch: "small", adapterStep: 400)), .reply(id: first.id, .text("21?")))
    // The next begins with the end of this one, with the same seed.
    let stamp = ReplyStamp(
      stitch: "small", adapterStep: 400, tokens: 5, tokensPerSecond: 900, finish: .stop, contextTokens: 30)
    let second = try #require(started(state.apply(.reply(id: first.id, .finished(stamp)))))
    #expect(second.stitch == "small-large@4" && second.messages == question && second.seed == first.seed)
    #expect(state.apply(.replyEnded(id: first.id)) == [])
    state.answer("20")
    #expect(state.conversation.reply(state.activeReply!)?.stitch == "large")
    state.answer("19")
    #expect(state.comparing == nil && state.activeReply == nil)
    // The others do not reach the model, nor does the reply it took the place of.
    #expect(state.conversation.messages == question + [ChatMessage(role: .assistant, content: "19")])
    #expect(state.speeds["small"] == 900)
  }

  @Test func keepingOne() {
    var state = asked()
    state.apply(.submit("/compare 1 9"))
    state.answer("small one")
    state.answer("large one")
    #expect(state.screen().contains { $0.contains("1 2 keeps that reply") })
    state.type("1")
    #expect(state.editor.isEmpty && state.conversation.messages.last?.content == "small one")
    // It was chosen: digits are text again.
    state.type("2")
    #expect(state.editor.text == "2" && state.conversation.messages.last?.content == "small one")
    state.apply(.submit("/keep 2"))
    #expect(state.conversation.messages.last?.content == "large one")
    state.apply(.submit("/keep 3"))
    #expect(state.hint?.text == "the comparison has 2 replies")
    state.apply(.submit("and now?"))
    state.answer("fine")
    state.apply(.submit("/keep 1"))
    #expect(state.conversation.messages.map(\.content) == ["what is 12+7?", "large one", "and now?", "fine"])
  }

  @Test func goingOnKeepsTheLargest() {
    var state = asked()
    state.apply(.submit("/compare small large"))
    state.answer("a")
    state.answer("b")
    #expect(state.conversation.openChoice != nil)
    state.press(.enter)
    #expect(state.conversation.openChoice == nil && state.conversation.messages.last?.content == "b")
    state.apply(.submit("/compare 1 2 -- who are you?"))
    #expect(state.conversation.messages.map(\.content) == ["what is 12+7?", "b", "who are you?"])
  }

  @Test func escapeStopsAll() {
    var state = asked()
    state.press(.function(6))
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "small", adapterStep: 400)), .reply(id: id, .text("par")))
    #expect(state.press(.escape) == [.cancelReply])
    #expect(state.apply(.replyEnded(id: id)) == [])
    #expect(state.comparing == nil && state.activeReply == nil)
    #expect(state.conversation.messages.last?.content == "par")
    // Nothing at all was said: the reply before stays.
    state.apply(.submit("/compare 1 2"))
    state.press(.escape)
    state.apply(.replyEnded(id: state.activeReply!))
    #expect(state.conversation.messages.last?.content == "par")
    #expect(state.conversation.messages.filter { $0.role == .assistant }.count == 1)
  }

  @Test func theDraftIsTheQuestion() {
    var state = readyState()
    #expect(state.press(.function(6)) == [] && state.hint != nil)
    state.type("who are you?")
    #expect(started(state.press(.function(6)))?.messages.last?.content == "who are you?")
    #expect(state.editor.isEmpty)
    // Not while a reply runs; the draft stays.
    state.type("more")
    #expect(state.press(.function(6)) == [] && state.editor.text == "more")
  }

  @Test func whatCannotBeCompared() throws {
    var state = asked()
    state.apply(.submit("/compare 1 77"))
    #expect(state.lastNotice?.contains("No stitch 77") == true)
    #expect(state.apply(.submit("/compare 1 small")) == [] && state.hint?.text.contains("one size") == true)
    for line in ["/compare 1", "/compare 1 2 3 4", "/compare 1 2 --"] {
      #expect(throws: CommandError.self) { try Command.parse(line) }
    }
    #expect(try Command.parse("/compare -- a -- b") == .compare(stops: [], text: "a -- b"))
  }

  @Test func regenTakesThePlaceOfAll() {
    var state = asked()
    state.press(.function(6))
    for text in ["a", "b", "c"] { state.answer(text) }
    let effects = state.apply(.submit("/regen"))
    #expect(started(effects)?.messages.map(\.content) == ["what is 12+7?"])
  }

  @Test func continuingGoesOnWithTheReplyInUse() throws {
    var state = asked()
    state.apply(.submit("/compare 1 9"))
    state.answer("small one")
    state.answer("large one")
    let entries = state.conversation.entries.count
    let first = try #require(started(state.apply(.submit("/continue"))))
    #expect(first.messages.map(\.content) == ["what is 12+7?", "large one"] && first.stitch == "large")
    // It goes on alone; meanwhile no other can be chosen.
    state.apply(.reply(id: first.id, .started(stitch: "large", adapterStep: 400)), .reply(id: first.id, .text(", and")))
    state.apply(.submit("/keep 1"))
    #expect(state.comparing == nil && state.hint?.text.contains("a reply is running") == true)
    state.press(.escape)
    state.apply(.reply(id: first.id, .text(" never seen")), .replyEnded(id: first.id))
    #expect(state.activity == .idle && state.conversation.entries.count == entries)
    #expect(state.conversation.messages.last?.content == "large one, and")
    // The chosen one, at the size chosen now.
    state.apply(.submit("/keep 1"), .submit("/stitch 2"))
    let second = try #require(started(state.apply(.submit("/continue"))))
    #expect(second.messages.last?.content == "small one" && second.stitch == "small-large@7")
    state.answer(" more")
    #expect(state.conversation.messages.map(\.content) == ["what is 12+7?", "small one more"])
    #expect(state.conversation.reply(second.id)?.stitch == "small-large@7" && state.contextTokens == 61)
    state.apply(.submit("/keep 2"), .submit("and now?"))
    #expect(state.conversation.messages.map(\.content) == ["what is 12+7?", "large one, and", "and now?"])
  }

  /// Where the family is gone, no reply of the comparison is waited for.
  @Test func withoutTheFamilyItEnds() {
    var state = asked()
    state.press(.function(6))
    state.apply(.loadFailed("gone"))
    #expect(state.activity == .idle && !state.isAwaitingAnswer)
  }

  @Test func columnsOrRows() {
    for (width, isBeside) in [(200, true), (120, true), (80, false), (40, false)] {
      var state = asked(width: width)
      state.press(.function(6))
      for text in ["It is 21, says the small one.", "漢字 and 20.", "**19**."] { state.answer(text) }
      let screen = state.screen()
      #expect(screen.contains { $0.contains("1 small") && $0.contains("3 large") } == isBeside, "\(width)")
      #expect(screen.allSatisfy { Glyphs.width(of: $0) <= width })
      #expect(screen.contains { $0.contains("● 3 large") })
    }
  }
}

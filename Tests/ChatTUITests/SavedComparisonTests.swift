import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Foundation
import Testing

/// Comparisons in saved conversations.
@Suite struct SavedComparisonTests {
  /// A question, compared at two sizes.
  private func compared(_ desk: Desk) throws {
    try desk.apply(.submit("/compare 1 9 -- who are you?"))
    try desk.finish("a small one")
    try desk.finish("a large one", hash: "ff")
  }

  @Test func everyReplyIsSavedAsItComes() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("/compare 1 9 -- who are you?"))
    try desk.finish("a small one")
    // Killed here, the first is there whole and the second as far as it came.
    let id = desk.state.activeReply!
    try desk.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("a la")))
    #expect(try desk.turns(desk.saved()) == ["u:who are you?", "small:a small one | *large:a la"])
    let killed = try Desk(beside: desk)
    try killed.apply(.conversationOpened(desk.saved(), obstacle: nil))
    #expect(killed.state.conversation.messages.map(\.content) == ["who are you?", "a la"])

    try desk.apply(.reply(id: id, .text("rge one")), .replyEnded(id: id))
    #expect(try desk.turns(desk.saved()) == ["u:who are you?", "small:a small one | *large:a large one"])
    // One seed for all, the next one for what follows; one line of settings is enough for that.
    let saved = try desk.saved()
    guard case .comparison(let comparison)? = saved.items.last else {
      Issue.record("no comparison")
      return
    }
    #expect(comparison.replies.map { $0.options?.seed } == [0, 0] && comparison.kept == nil)
    #expect(saved.settings.nextSeed == 1 && saved.problems.isEmpty)
    #expect(desk.recorded.count { if case .settings = $0 { true } else { false } } == 1)
  }

  @Test func aChoiceIsOneLine() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try compared(desk)
    let count = desk.recorded.count
    try desk.apply(.submit("/keep 1"))
    #expect(Array(desk.recorded[count...]) == [.keep(1)])
    try desk.apply(.submit("/keep 2"), .submit("/keep 1"))
    try desk.exchange("and now?", "the same")
    #expect(
      try desk.turns(desk.saved()) == [
        "u:who are you?", "*small:a small one | large:a large one", "u:and now?", "large:the same",
      ])
  }

  @Test func reopenedItIsShownAndCanBeChosenFrom() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try compared(desk)
    try desk.apply(.submit("/keep 1"))
    let saved = try desk.saved()
    try desk.apply(.submit("/clear"))
    let other = try Desk(beside: desk)
    try other.apply(
      .resize(width: 120, height: 30), .submit("/open \(saved.id)"),
      .adapterRestored(AdapterReference(step: 400, hash: "ff"), failure: nil))
    #expect(other.recorded.isEmpty)
    let screen = other.state.screen().joined(separator: "\n")
    #expect(screen.contains("● 1 small") && screen.contains("a small one") && screen.contains("a large one"))
    #expect(other.state.conversation.messages.map(\.content) == ["who are you?", "a small one"])
    try other.apply(.submit("/keep 2"))
    #expect(other.recorded == [.keep(2)])
    try other.apply(.submit("/regen"))
    try other.finish("another")
    #expect(try other.turns(other.saved()) == ["u:who are you?", "large:another"])
  }

  @Test func stoppedEarlyTheRestIsNotMadeUp() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one", hash: "ff")
    try desk.apply(.submit("/compare 1 2 9"))
    let id = desk.state.activeReply!
    try desk.apply(
      .reply(id: id, .started(stitch: "small", adapterStep: 400, adapterHash: "ff")), .reply(id: id, .text("par")))
    try desk.apply(.key(KeyPress(.escape)), .replyEnded(id: id))
    let saved = try desk.saved()
    #expect(desk.turns(saved) == ["u:a", "large:one", "*small:par"])
    // What never began says nothing of the adapter in use.
    #expect(saved.settings.adapter == AdapterReference(step: 400, hash: "ff") && saved.turns == 3)
    try desk.exchange("b", "two", hash: "ff")
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "*small:par", "u:b", "large:two"])
    let other = try Desk(beside: desk)
    try other.apply(.conversationOpened(saved, obstacle: nil))
    #expect(other.state.conversation.messages.map(\.content) == ["a", "par"])
  }

  @Test func whatGoesOnIsOneReply() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try compared(desk)
    try desk.apply(.submit("/keep 1"), .submit("/stitch 2"))
    let count = desk.recorded.count
    try desk.apply(.submit("/continue"))
    try desk.finish(", and more", hash: "ff")
    guard
      case .reply(let start)? = desk.recorded[count...].first(where: { if case .reply = $0 { true } else { false } })
    else {
      Issue.record("no reply: \(desk.recorded[count...])")
      return
    }
    #expect(start.continues && start.stitch == "small-large@7")
    #expect(!desk.recorded[count...].contains { if case .drop = $0 { true } else { false } })
    let saved = try desk.saved()
    let turns = ["u:who are you?", "*small-large@7:a small one, and more | large:a large one"]
    #expect(desk.turns(saved) == turns && saved.problems.isEmpty)
    guard case .comparison(let comparison)? = saved.items.last, case .finished? = comparison.replies[0].end else {
      Issue.record("not ended: \(saved.items)")
      return
    }
    // Asked of these, as it is in memory.
    #expect(comparison.stitches == ["small", "large"])
    guard case .export(let exported, _)? = try desk.apply(.submit("/export x.md")).first else {
      Issue.record("no export")
      return
    }
    #expect(exported.items == saved.items)
    // Opened elsewhere it is there, and goes on.
    try desk.apply(.submit("/clear"))
    let other = try Desk(beside: desk)
    try other.apply(
      .submit("/open \(saved.id)"), .adapterRestored(AdapterReference(step: 400, hash: "ff"), failure: nil),
      .submit("/continue"))
    try other.finish("!", hash: "ff")
    #expect(
      try other.turns(other.saved()) == [
        "u:who are you?", "*small-large@7:a small one, and more! | large:a large one",
      ])
    #expect(other.state.conversation.messages.map(\.content) == ["who are you?", "a small one, and more!"])
  }

  /// The one in use is chosen by going on with it; killed meanwhile, all that came is there.
  @Test func goingOnIsAChoiceAndIsSavedAsItComes() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try compared(desk)
    try desk.apply(.submit("/keep 1"))
    try desk.apply(.submit("/continue"))
    let id = desk.state.activeReply!
    try desk.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text(", and")))
    let saved = try desk.saved()
    #expect(desk.turns(saved) == ["u:who are you?", "*large:a small one, and | large:a large one"])
    let killed = try Desk(beside: desk)
    try killed.apply(.conversationOpened(saved, obstacle: nil))
    #expect(killed.state.conversation.messages.map(\.content) == ["who are you?", "a small one, and"])
    #expect(killed.state.activity == .idle)

    let default_ = try Desk()
    defer { default_.cleanUp() }
    try compared(default_)
    try default_.apply(.submit("/continue"))
    try default_.finish(" still")
    #expect(default_.recorded.contains(.keep(2)))
    #expect(try default_.turns(default_.saved()) == ["u:who are you?", "small:a small one | *large:a large one still"])
  }

  @Test func allRepliesAreExportedAndFound() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try compared(desk)
    let saved = try desk.saved()
    let markdown = ConversationExport.markdown(saved)
    #expect(markdown.contains("## Assistant, at 2 sizes\n\n### 1: small\n\na small one\n\n*small · step 400 · "))
    #expect(
      markdown.contains(
        "### 2: large, which the conversation goes on with\n\na large one\n\n*large · step 400 · adapter ff"))
    let document = try #require(JSONSerialization.jsonObject(with: ConversationExport.json(saved)) as? [String: Any])
    let messages = try #require(document["messages"] as? [[String: Any]])
    #expect(messages.map { $0["content"] as? String } == ["who are you?", "a large one"])
    let alternatives = try #require(messages[1]["alternatives"] as? [[String: Any]])
    #expect(
      alternatives.map { $0["stitch"] as? String } == ["small"]
        && alternatives[0]["content"] as? String == "a small one")
    // From memory it is the same as from the file.
    guard case .export(let exported, _)? = try desk.apply(.submit("/export x.md")).first else {
      Issue.record("no export")
      return
    }
    #expect(exported.items == saved.items)
    let found = try ConversationLibrary(store: desk.store).find("small one").conversations
    #expect(found.first?.matches == [.init(turn: 2, role: .assistant, line: "a small one")])
  }

  @Test func replayedItIsTheReplyThatCounts() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("who are you?", "first")
    try desk.apply(.submit("/compare 1 9"))
    try desk.finish("a small one")
    try desk.finish("a large one")
    try desk.apply(.submit("/keep 1"))
    let script = try Script(contentsOf: desk.store.file(desk.saved().id))
    #expect(script.stitch == "small" && script.steps.count == 1)
    #expect(script.steps[0].expectation?.equals == "a small one")
    #expect(script.settings.contains { $0.name == .seed })
  }
}

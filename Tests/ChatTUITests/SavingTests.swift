import ChatEngine
import ChatTUI
import Conversations
import Foundation
import Testing

@Suite struct SavingTests {
  @Test func nothingIsSavedBeforeTheFirstQuestion() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("/set temperature 0.5"), .submit("/system be kind"), .submit("/title mine"))
    try desk.apply(.key(KeyPress(.left, .alt)))
    #expect(desk.recorded.isEmpty && !FileManager.default.fileExists(atPath: desk.root.path))
    try desk.apply(.submit("hi"))
    let saved = try desk.saved()
    #expect(saved.items == [.user("hi")] && saved.title == "mine" && saved.settings.system == "be kind")
    #expect(saved.settings.sampling.temperature == 0.5 && saved.settings.stitch == "small-large@1")
    #expect(saved.family == desk.state.familyReference)
  }

  @Test func everyPieceIsSavedAsItComes() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("hi"))
    let id = desk.state.activeReply!
    try desk.apply(.reply(id: id, .started(stitch: "large", adapterStep: 3, adapterHash: "ff")))
    for piece in ["one", " two", "\u{301}", " 漢"] {
      try desk.apply(.reply(id: id, .text(piece)))
      guard case .reply(let reply)? = try desk.saved().items.last else {
        Issue.record("no reply")
        return
      }
      #expect(reply.text == desk.state.conversation.reply(id)?.text && reply.end == nil)
    }
    #expect(desk.recorded.suffix(4) == [.text("one"), .text(" two"), .text("\u{301}"), .text(" 漢")])
    try desk.apply(.key(KeyPress(.escape)), .replyEnded(id: id))
    #expect(desk.recorded.last == .end(.stopped))
    // Only what happened is said: one line of settings, none for the reply that follows from them.
    #expect(desk.recorded.count { if case .settings = $0 { true } else { false } } == 1)
  }

  @Test func whatChangesIsSavedWhateverChangedIt() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one")
    try desk.exchange("b", "two")
    try desk.apply(.submit("/stitch small"), .submit("/set seed 5"))
    #expect(try desk.saved().settings.stitch == "small" && desk.saved().settings.nextSeed == 5)
    try desk.apply(.submit("/regen"))
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "u:b"])
    try desk.finish("three")
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "u:b", "small:three"])
    var status = desk.state.training
    status.phase = .running
    try desk.apply(.training(status))
    status.phase = .idle
    status.step = 9
    status.adapter = AdapterReference(step: 409, hash: "aa")
    try desk.apply(.training(status))
    #expect(try desk.turns(desk.saved()).last == "n:Training sto")
    #expect(try desk.saved().settings.adapter == status.adapter)
    #expect(try desk.saved().settings == desk.state.conversationSettings)
    // The list of stops and the like is nobody's conversation.
    let count = desk.recorded.count
    try desk.apply(.submit("/stitch"), .submit("/set"), .key(KeyPress(.pageUp)), .resize(width: 90, height: 30))
    #expect(desk.recorded.count == count)
    // Sent again with the same seed: the seed goes back.
    try desk.apply(.submit("/set seed 5"))
    #expect(try desk.saved().settings.nextSeed == 5)
  }

  @Test func clearingBeginsAnotherFile() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one")
    let first = try desk.saved()
    try desk.apply(.submit("/clear"))
    #expect(desk.state.journal.id == nil && desk.state.conversation.entries.isEmpty)
    try desk.exchange("b", "two")
    #expect(try desk.saved().id != first.id && desk.saved().turns == 2)
    #expect(try desk.store.read(first.id) == first)
  }

  @Test func withoutSavingNothingIsWritten() throws {
    let desk = try Desk(saves: false)
    defer { desk.cleanUp() }
    try desk.exchange("a", "one")
    try desk.apply(.submit("/branch 1"))
    #expect(desk.recorded.isEmpty && !FileManager.default.fileExists(atPath: desk.root.path))
    #expect(desk.state.conversation.entries.count == 2 && desk.state.hint?.isWarning == true)
  }

  @Test func aFailureIsSaidOnceAndTheChatGoesOn() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try FileManager.default.createDirectory(at: desk.root, withIntermediateDirectories: true)
    try Data().write(to: desk.store.directory)
    try desk.exchange("a", "one")
    try desk.exchange("b", "two")
    func warnings() -> [String] {
      desk.state.conversation.entries.compactMap { if case .notice(let text, true) = $0.kind { text } else { nil } }
    }
    #expect(warnings().count == 1 && warnings()[0].contains("not saved for now"))
    try FileManager.default.removeItem(at: desk.store.directory)
    try desk.exchange("c", "three")
    #expect(desk.state.lastNotice?.contains("saved again") == true && warnings().count == 1)
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "u:b", "large:two", "u:c", "large:three"])
  }
}

@Suite struct ResumeTests {
  /// The effect that a question has.
  private func request(_ desk: Desk, _ question: String) throws -> [Effect] {
    try desk.apply(.submit(question)).map { effect in
      // Entries are numbered anew.
      if case .startReply(_, let messages, let stitch, let options) = effect {
        .startReply(id: 0, messages: messages, stitch: stitch, options: options)
      } else {
        effect
      }
    }
  }

  @Test func theNextReplyIsAskedForAsItWouldHaveBeen() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(
      .submit("/set temperature 0.7"), .submit("/set top_p 0.9"), .submit("/set seed 11"), .submit("/system be kind"))
    try desk.exchange("a", "one", hash: "ff")
    try desk.apply(.submit("/regen"))
    try desk.finish("another one", hash: "ff")
    try desk.apply(.submit("/stitch 3"), .submit("/set max_tokens 40"), .submit("/title Mine"))

    let other = try Desk(beside: desk)
    let id = try #require(desk.state.journal.id)
    // The first one still has it.
    try other.apply(.submit("/open \(id.prefix(18))"))
    #expect(other.state.lastNotice?.contains("open in another program") == true)
    try desk.apply(.submit("/clear"))
    let third = try Desk(beside: desk)
    let effects = try third.apply(.submit("/open \(id)"))
    #expect(effects.isEmpty && third.state.opening == .adapter)
    // Quality and importance are of the adapter in use now.
    #expect(try third.apply(.adapterRestored(AdapterReference(step: 400, hash: "ff"), failure: nil)) == [.describe])
    #expect(third.state.journal.id == id && third.state.conversation.title == "Mine" && third.state.contextTokens == 31)
    #expect(third.state.currentStop?.id == desk.state.stops[2].id)
    #expect(third.recorded.isEmpty)

    try desk.apply(.submit("/open \(id)"), .adapterRestored(AdapterReference(step: 400, hash: "ff"), failure: nil))
    // Each of the two asks what the one program would have asked.
    let expected = Effect.startReply(
      id: 0,
      messages: [
        ChatMessage(role: .system, content: "be kind"), ChatMessage(role: .user, content: "a"),
        ChatMessage(role: .assistant, content: "another one"), ChatMessage(role: .user, content: "b"),
      ], stitch: desk.state.stops[2].id,
      options: {
        var options = ReplyOptions()
        options.temperature = 0.7
        options.topP = 0.9
        options.maxTokens = 40
        options.seed = 13
        return options
      }())
    #expect(try request(third, "b") == [expected])
    #expect(try request(desk, "b") == [expected])
    try third.finish("two", hash: "ff")
    #expect(try third.turns(third.saved()) == ["u:a", "large:another one", "u:b", "\(third.state.stops[2].id):two"])
    #expect(try third.saved().id == id)
  }

  @Test func aKilledReplyCanBeReadAndAskedForAgain() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("a"))
    let reply = desk.state.activeReply!
    try desk.apply(.reply(id: reply, .started(stitch: "large", adapterStep: nil)), .reply(id: reply, .text("hal")))
    let id = try #require(desk.state.journal.id)
    let handle = try FileHandle(forWritingTo: desk.store.file(id))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(#"{"type":"text","text":"f to"#.utf8))
    try handle.close()
    try desk.apply(.submit("/clear"))

    let other = try Desk(beside: desk)
    try other.apply(.submit("/open \(id)"), .adapterRestored(AdapterReference(step: nil, hash: nil), failure: nil))
    guard case .reply(let restored)? = other.state.conversation.entries.last?.kind else {
      Issue.record("no reply")
      return
    }
    #expect(restored.text == "hal" && restored.state == .cancelled && restored.stitch == "large")
    try other.apply(.submit("/regen"))
    try other.finish("whole")
    #expect(try other.turns(other.saved()) == ["u:a", "large:whole"])
    #expect(try other.saved().problems.isEmpty)
  }

  @Test func aConversationInUseIsBranchedByGoingOn() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one")
    let id = try #require(desk.state.journal.id)
    let other = try Desk(beside: desk)
    try other.apply(.submit("/open \(id)"), .adapterRestored(AdapterReference(step: 400, hash: nil), failure: nil))
    #expect(other.state.journal.id == nil)
    // Looking at it makes no file; going on does.
    try other.apply(.key(KeyPress(.left, .alt)))
    #expect(try desk.store.ids() == [id])
    try other.exchange("b", "two")
    let branch = try other.saved()
    #expect(branch.id != id && branch.parent == ConversationParent(id: id, turns: 2))
    #expect(other.turns(branch) == ["u:a", "large:one", "u:b", "small-large@1:two"])
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one"])
    // The same conversation is not opened twice by one program.
    try desk.apply(.submit("/open \(id)"))
    #expect(desk.state.hint?.text.contains("is open") == true)
  }

  @Test func whatIsMissingIsSaidAndItOpensAllTheSame() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one", step: 9, hash: "ff")
    let id = try #require(desk.state.journal.id)
    try desk.apply(.submit("/stitch small"), .submit("/clear"))
    let other = try Desk(beside: desk)
    other.state.familyReference = FamilyReference(name: "big", identity: "def", directory: "/families/big")
    var summary = ScriptedBackend.summary
    summary.stops.removeFirst()
    try other.apply(.loaded(summary))
    try other.apply(.submit("/open \(id)"))
    // Nothing begins before it is known what it is made with.
    #expect(try other.apply(.submit("b")) == [])
    let effects = try other.apply(.adapterRestored(AdapterReference(step: 9, hash: "ff"), failure: "no snapshot"))
    guard case .startReply(_, _, "large", _)? = effects.first else {
      Issue.record("\(effects)")
      return
    }
    let notices = other.state.conversation.entries.compactMap {
      if case .notice(let text, true) = $0.kind { text } else { nil }
    }
    #expect(notices.count == 3)
    #expect(notices[0].contains("The stitch small of this conversation is not among the stops"))
    #expect(notices[1].contains("the family tiny (/families/tiny)") && notices[1].contains("come from big"))
    #expect(notices[2].contains("The adapter of step 9") && notices[2].contains("no snapshot"))
    try other.finish("two")
    // What really made the reply is what is saved.
    #expect(try other.turns(other.saved()) == ["u:a", "large:one", "u:b", "large:two"])
    #expect(try other.saved().settings.stitch == "large")
  }

  @Test func branchesKeepTheFirstMessages() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("/branch"))
    #expect(desk.state.hint?.text.contains("nothing to branch from") == true)
    try desk.exchange("a", "one")
    try desk.exchange("b", "two")
    let first = try desk.saved()
    try desk.apply(.submit("/branch 9"))
    #expect(desk.state.hint?.text.contains("from 1 to 4") == true)
    try desk.apply(.submit("/branch 2"))
    let branch = try desk.saved()
    #expect(branch.id != first.id && branch.parent == ConversationParent(id: first.id, turns: 2))
    #expect(desk.turns(branch) == ["u:a", "large:one"])
    try desk.exchange("c", "three")
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "u:c", "large:three"])
    #expect(try desk.store.read(first.id) == first)
    try desk.apply(.submit("/branch"))
    #expect(try desk.saved().parent == ConversationParent(id: branch.id, turns: 4))
    #expect(try desk.store.ids().count == 3)
  }

  @Test func editsForgettingAndAutoComeBack() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.exchange("a", "one")
    try desk.exchange("b", "two")
    try desk.apply(.submit("/edit better"))
    try desk.finish("three")
    #expect(try desk.turns(desk.saved()) == ["u:a", "large:one", "u:better", "large:three"])
    let lines = try desk.store.read(desk.saved().id).items.count
    try desk.apply(.submit("/drop 2"))
    try desk.apply(.submit("/auto 77"))
    let saved = try desk.saved()
    #expect(saved.items.count == lines && saved.settings.forgotten == 2 && saved.settings.auto == 77)
    var state = AppState()
    state.apply(.loaded(ScriptedBackend.summary))
    state.apply(.conversationOpened(saved, obstacle: nil))
    #expect(state.conversation.messages.map(\.content) == ["better", "three"])
    #expect(state.slider.auto?.target == 77)
  }

  @Test func startOptionsHoldAgainstTheFile() throws {
    let desk = try Desk()
    defer { desk.cleanUp() }
    try desk.apply(.submit("/set temperature 0.7"), .submit("/set seed 3"), .submit("/system be kind"))
    try desk.exchange("a", "one")
    let saved = try desk.saved()
    var options = ChatUIOptions()
    options.resume = saved.id
    options.system = "be brief"
    options.stitch = "small"
    options.sampling.temperature = 0.1
    options.keepsAdapter = true
    var state = AppState(options)
    #expect(state.opening == .reading)
    state.apply(.loaded(ScriptedBackend.summary))
    #expect(state.apply(.conversationOpened(saved, obstacle: nil)) == [])
    #expect(state.opening == .done && state.currentStop?.id == "small" && state.conversation.system == "be brief")
    #expect(state.sampling.temperature == 0.1 && state.sampling.seed == 3)
    #expect(state.conversationSettings.nextSeed == 4)
  }
}

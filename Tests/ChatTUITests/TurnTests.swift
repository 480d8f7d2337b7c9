import ChatEngine
import ChatTUI
import ChatTerminal
import Testing

@Suite struct CopyTests {
  @Test func repliesMessagesAndCode() {
    var state = readyState()
    #expect(state.apply(.submit("/copy")) == [])
    #expect(state.hint?.isWarning == true)
    state.exchange("one", "Code:\n```py\nprint(1)\n```\nand\n```\nlast\n```\n")
    state.exchange("two", "plain \u{1B}[31m\u{202E}text\u{9B}\twith\r\ncontrols")
    #expect(state.apply(.key(.alt("c"))) == [.copy("plain [31mtext\twith\ncontrols")])
    #expect(state.hint?.text.contains("copied the last reply") == true)
    #expect(state.apply(.submit("/copy 2")) == [.copy("two")])
    #expect(state.apply(.submit("/copy 4")) == [.copy("one")])
    #expect(state.apply(.submit("/copy 5")) == [])
    #expect(state.apply(.key(.alt("k"))) == [.copy("last")])
    #expect(state.apply(.submit("/copy code 2")) == [.copy("print(1)")])
    #expect(state.apply(.submit("/copy code 3")) == [])
    #expect(state.apply(.submit("/copy x")) == [] && state.hint?.text.contains("/copy takes") == true)
  }

  @Test func tooLongIsSaid() {
    var state = readyState()
    state.exchange("one", String(repeating: "long ", count: 20_000))
    #expect(state.apply(.key(.alt("c"))) == [])
    #expect(state.hint?.text.contains("not copied") == true && state.hint?.isWarning == true)
  }

  @Test func sequencesHoldNothingButBase64() {
    let text = "a\u{1B}]52;c;evil\u{07}b\n漢"
    let plain = Clipboard.sequences(for: text, environment: [:])
    #expect(plain == ["\u{1B}]52;c;YRtdNTI7YztldmlsB2IK5ryi\u{07}"])
    let tmux = Clipboard.sequences(for: text, environment: ["TMUX": "/tmp/x"])
    #expect(tmux[0] == plain[0] && tmux[1] == "\u{1B}Ptmux;\u{1B}\(plain[0])\u{1B}\\" && tmux.count == 2)
    let screen = Clipboard.sequences(for: String(repeating: "x", count: 3000), environment: ["STY": "1"])
    #expect(screen.allSatisfy { $0.utf8.count <= 520 && $0.hasPrefix("\u{1B}P") && $0.hasSuffix("\u{1B}\\") })
  }
}

@Suite struct EditTests {
  @Test func replacesTheTurnAndWhatFollows() {
    var state = readyState()
    state.exchange("first", "a")
    state.exchange("secnd", "b")
    state.exchange("third", "c")
    state.apply(.submit("/edit 2"))
    #expect(state.editor.text == "secnd" && state.editing != nil)
    #expect(state.screen().contains { $0.contains("Instead of what was sent") })
    state.press(.backspace)
    state.press(.backspace)
    state.type("ond")
    guard case .startReply(_, let messages, _, _)? = state.press(.enter).first else {
      Issue.record("nothing was sent")
      return
    }
    #expect(messages.map(\.content) == ["first", "a", "second"])
    #expect(state.lastNotice?.hasPrefix("4 messages replaced") == true)
    // It can be undone, and redone.
    state.apply(.submit("/edit undo"))
    #expect(state.conversation.messages.last?.content == "second")
    state.press(.escape)
    state.apply(.replyEnded(id: state.activeReply!), .submit("/edit undo"))
    #expect(state.conversation.messages.map(\.content) == ["first", "a", "secnd", "b", "third", "c"])
    state.apply(.submit("/edit undo"))
    #expect(state.conversation.messages.map(\.content) == ["first", "a", "second"])
  }

  @Test func withText() {
    var state = readyState()
    state.exchange("q", "a")
    guard case .startReply(_, let messages, _, _)? = state.apply(.submit("/edit better q")).first else {
      Issue.record("nothing was sent")
      return
    }
    #expect(messages == [ChatMessage(role: .user, content: "better q")])
  }

  @Test func escapeLeavesEverything() {
    var state = readyState()
    state.exchange("//slash", "a")
    let before = state.conversation
    state.apply(.submit("/edit"))
    #expect(state.editor.text == "//slash")
    state.press(.escape)
    #expect(state.editing == nil && state.editor.isEmpty && state.conversation == before)
    state.apply(.submit("/edit 7"))
    #expect(state.editing == nil && state.hint?.isWarning == true)
  }

  @Test func anEditorChangesTheDraft() {
    var state = readyState()
    state.type("draft")
    #expect(state.apply(.key(.control("g"))) == [.editDraft("draft")])
    state.apply(.draftEdited("longer\r\ndraft \u{1B}[2J\n"))
    #expect(state.editor.text == "longer\ndraft ␛[2J" && state.activeReply == nil)
    state.apply(.editorFailed("no editor"))
    #expect(state.editor.text == "longer\ndraft ␛[2J" && state.hint?.text == "no editor")
  }
}

@Suite struct ContinueTests {
  @Test func goesOnInTheSameReply() {
    var state = readyState()
    state.apply(.submit("/continue"))
    #expect(state.hint?.isWarning == true)
    state.exchange("q", "one two", finish: .length)
    state.press(.left, .alt)
    let effects = state.apply(.submit("/continue"))
    guard case .startReply(2, let messages, "small-large@1", _)? = effects.first else {
      Issue.record("nothing was asked: \(effects)")
      return
    }
    #expect(messages == [ChatMessage(role: .user, content: "q"), ChatMessage(role: .assistant, content: "one two")])
    let stamp = ReplyStamp(
      stitch: "small-large@1", adapterStep: 7, tokens: 2, tokensPerSecond: 9, finish: .stop, contextTokens: 70)
    state.apply(
      .reply(id: 2, .started(stitch: "small-large@1", adapterStep: 7)), .reply(id: 2, .text(" three")),
      .reply(id: 2, .finished(stamp)), .replyEnded(id: 2))
    #expect(state.conversation.reply(2)?.text == "one two three")
    #expect(state.conversation.reply(2)?.state == .finished(stamp))
    #expect(state.conversation.entries.count == 2)
    state.apply(.submit("/set seed 1"))
    #expect(!state.apply(.submit("/continue")).isEmpty)
  }
}

@Suite struct ContextTests {
  private func full() -> AppState {
    var state = readyState(height: 60)
    state.sampling.overflow = .refuse
    for number in 1...3 { state.exchange("question \(number)", "answer \(number)") }
    state.type("large")
    state.press(.enter)
    return state
  }

  @Test func warnsOnceBeforeAnythingGoes() {
    var state = readyState()
    func reply(_ tokens: Int) {
      state.type("q")
      state.press(.enter)
      let id = state.activeReply!
      let stamp = ReplyStamp(
        stitch: "large", adapterStep: nil, tokens: 9, tokensPerSecond: 9, finish: .stop, contextTokens: tokens)
      state.apply(.reply(id: id, .text("a")), .reply(id: id, .finished(stamp)), .replyEnded(id: id))
    }
    func warnings() -> Int {
      state.conversation.entries.count {
        if case .notice(let text, true) = $0.kind { text.contains("context is used") } else { false }
      }
    }
    reply(300)
    #expect(warnings() == 0)
    reply(420)
    reply(440)
    #expect(warnings() == 1)
    state.apply(.submit("/drop 2"))
    #expect(state.contextUse! < 0.8)
    reply(430)
    #expect(warnings() == 2)
  }

  @Test func whatDoesNotFitStaysAndEnterMakesRoom() {
    var state = full()
    let id = state.activeReply!
    #expect(state.apply(.reply(id: id, .failed(.conversationTooLong(messagesToDrop: 2))), .replyEnded(id: id)) == [])
    #expect(state.editor.text == "large" && state.activeReply == nil && state.held?.messagesToDrop == 2)
    #expect(state.conversation.messages.count == 6)
    #expect(state.lastNotice?.contains("/drop N") == true)
    guard case .startReply(_, let messages, _, _)? = state.press(.enter).first else {
      Issue.record("not sent")
      return
    }
    #expect(messages.map(\.content) == ["question 2", "answer 2", "question 3", "answer 3", "large"])
    #expect(state.screen().contains { $0.contains("forgotten · large") })
  }

  @Test func aCommandMakesRoomAndTheMessageComesBack() {
    var state = full()
    let id = state.activeReply!
    state.type("new draft")
    state.apply(.reply(id: id, .failed(.conversationTooLong(messagesToDrop: 2))))
    #expect(state.editor.text == "large\nnew draft")
    state.apply(.key(.control("c")))
    state.apply(.submit("/drop 3"))
    #expect(state.editor.text == "large" && state.conversation.messages.count == 2)
    var other = full()
    other.apply(
      .reply(id: other.activeReply!, .failed(.conversationTooLong(messagesToDrop: 2))), .key(.control("c")),
      .submit("/drop oldest"))
    #expect(other.sampling.overflow == .dropOldest && other.editor.text == "large")
    #expect(other.conversation.messages.count == 6)
  }

  @Test func settings() {
    var state = readyState()
    state.apply(.submit("/set overflow ask"))
    #expect(state.sampling.overflow == .refuse)
    state.apply(.submit("/set overflow never"))
    #expect(state.sampling.overflow == .refuse && state.lastNotice?.contains("oldest") == true)
    state.apply(.submit("/drop"))
    #expect(state.hint?.text.contains("/drop takes") == true)
  }
}

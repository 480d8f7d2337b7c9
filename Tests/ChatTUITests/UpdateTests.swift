import ChatEngine
import ChatTUI
import Conversations
import Testing

@Suite struct ReplyTests {
  @Test func sendingAsksTheChosenStop() {
    var state = readyState()
    state.press(.left, .alt)
    state.type("hi")
    let effects = state.press(.enter)
    #expect(
      effects == [
        .startReply(
          id: 2, messages: [ChatMessage(role: .user, content: "hi")], stitch: "small-large@1",
          options: ReplyOptions())
      ])
    #expect(state.editor.isEmpty && state.activeReply == 2)
  }

  @Test func sizeMovesWhileAReplyStreamsAndKeepsTheDraft() {
    var state = readyState()
    state.type("hi")
    state.press(.enter)
    state.apply(.reply(id: 2, .started(stitch: "large", adapterStep: 3)), .reply(id: 2, .text("a")))
    state.type("draft")
    #expect(state.press(.left, .alt) == [])
    #expect(state.apply(.key(.alt("b"))) == [])
    #expect(state.slider.stop == 6 && state.editor.text == "draft")
    #expect(state.otherRunningStitch == "large")
    // Sending waits; the text stays.
    #expect(state.press(.enter) == [])
    #expect(state.editor.text == "draft" && state.hint != nil)
  }

  @Test func escapeKeepsThePartialText() {
    var state = readyState()
    state.type("hi")
    state.press(.enter)
    state.apply(.reply(id: 2, .started(stitch: "large", adapterStep: nil)), .reply(id: 2, .text("partial")))
    #expect(state.press(.escape) == [.cancelReply])
    #expect(state.press(.escape) == [])
    state.apply(.reply(id: 2, .text(" more")), .replyEnded(id: 2))
    #expect(state.conversation.reply(2)?.text == "partial")
    #expect(state.conversation.reply(2)?.state == .cancelled)
    #expect(state.activeReply == nil)
    #expect(state.conversation.messages.last == ChatMessage(role: .assistant, content: "partial"))
  }

  @Test func writtenWhileLoadingIsAskedOnceLoaded() {
    var state = AppState()
    state.slider.wanted = "2"
    state.type("early")
    #expect(state.press(.enter) == [])
    #expect(state.activeReply == 2)
    guard case .startReply(2, _, "small-large@7", _)? = state.apply(.loaded(ScriptedBackend.summary)).first else {
      Issue.record("no reply was started")
      return
    }
  }

  @Test func aModelGetsASlider() {
    var one = ScriptedBackend.summary
    one.stops = [ScriptedBackend.summary.stops[ScriptedBackend.summary.stops.count - 1]]
    var state = AppState()
    state.apply(.resize(width: 100, height: 30), .loaded(one))
    state.apply(.growth(.progress("3 of 9\u{1b}[31m layers")))
    #expect(state.screen()[0].contains("slider: 3 of 9") && !state.screen()[0].contains("\u{1b}"))
    #expect(state.apply(.growth(.grown)) == [.describe])
    #expect(!state.screen()[0].contains("slider:"))
    state.apply(.described(ScriptedBackend.summary))
    #expect(state.stops.count == ScriptedBackend.summary.stops.count && state.currentStop?.id == one.stops[0].id)
    #expect(state.screen().joined().contains("\(state.stops.count) sizes now"))
    // What the search measured is shown where nothing else was.
    var searched = ScriptedBackend.summary
    for index in searched.stops.indices {
      (searched.stops[index].quality, searched.stops[index].agreement) = (nil, 0.5)
    }
    searched.measuredStep = searched.adapterStep
    var other = state
    other.apply(.described(searched))
    #expect(other.screen().joined().contains("agreement 50%") && other.screen().joined().contains("Agreement by cost"))
    // An adapter that changes later is no news of this kind.
    let entries = state.conversation.entries.count
    state.apply(.described(ScriptedBackend.summary))
    #expect(state.conversation.entries.count == entries)

    state = AppState()
    state.apply(.resize(width: 100, height: 30), .loaded(one), .growth(.failed("no room")))
    #expect(state.screen().joined().contains("could not be made: no room"))
  }

  @Test func regenAsksAgainAtTheNewSize() {
    var state = readyState()
    state.exchange("q", "a")
    state.press(.function(7))
    state.type("/regen")
    guard case .startReply(_, let messages, "small-large@1", let options)? = state.press(.enter).first else {
      Issue.record("no reply was started")
      return
    }
    #expect(messages == [ChatMessage(role: .user, content: "q")])
    #expect(options.seed == 1)
  }

  @Test func failureIsShownAndTheChatGoesOn() {
    var state = readyState()
    state.type("hi")
    state.press(.enter)
    state.apply(.reply(id: 2, .failed(.other(message: "out of memory; choose a smaller stitch"))))
    #expect(state.activeReply == nil)
    #expect(state.screen().contains { $0.contains("! failed: out of memory") })
  }

  @Test func speedsAreRemembered() {
    var state = readyState()
    state.exchange("q", "a")
    #expect(state.speed(of: state.currentStop!) == 52.125)
  }
}

@Suite struct CommandTests {
  @Test func parsing() throws {
    #expect(try Command.parse("/train my file.jsonl 50") == .train(file: "my file.jsonl", steps: 50))
    #expect(try Command.parse("/train \"a 5\"") == .train(file: "a 5", steps: nil))
    #expect(try Command.parse("/stitch small-large@3") == .stitch("small-large@3"))
    #expect(try Command.parse("/system Be brief.") == .system("Be brief."))
    #expect(throws: CommandError.self) { try Command.parse("/train \"\"") }
    #expect(throws: CommandError.self) { try Command.parse("/set temperature") }
    #expect(!Command.isCommand("//x") && !Command.isCommand("1/2") && Command.isCommand("/x"))
  }

  @Test func unknownNamesTheNearestAndKeepsTheLine() {
    var state = readyState()
    state.type("/trian x")
    state.press(.enter)
    #expect(state.hint?.text.contains("/train") == true)
    #expect(state.editor.text == "/trian x")
    state.apply(.submit("/set temprature 1"))
    #expect(state.lastNotice?.contains("temperature") == true)
  }

  @Test func whatIsFarFromAllNamesHasNoNearest() {
    var state = readyState()
    state.apply(.submit("/foo"))
    #expect(state.hint?.text == "no command /foo; /help lists them (a message may begin with //)")
  }

  @Test func theTitleStandsInTheFirstLine() {
    for width in [40, 56, 80] {
      var state = readyState(width: width, height: 24)
      let before = state.screen()[0]
      state.apply(.submit("/title holiday plans\u{1B}[2J"))
      let line = state.screen()[0]
      #expect(
        line.hasPrefix(" stitch ") && line.contains("sizes · holi") && HostileTextTests.isHarmless(line), "\(line)")
      // It takes nothing away.
      #expect(before.contains("adapter") == line.contains("adapter") && Glyphs.width(of: line) <= width, "\(line)")
    }
  }

  @Test func everyUsageParses() throws {
    let arguments = ["train": " x", "distill": " x", "set": " seed 1", "drop": " 2", "export": " x.md", "keep": " 1"]
    for usage in Command.usages { _ = try Command.parse("/\(usage.name)\(arguments[usage.name] ?? "")") }
  }

  @Test func settings() {
    var state = readyState()
    state.apply(
      .submit("/set temperature 0.7"), .submit("/set top_p 0.9"), .submit("/set seed 7"), .submit("/set top_k 40"))
    #expect(
      state.sampling.temperature == 0.7 && state.sampling.topP == 0.9 && state.sampling.seed == 7
        && state.sampling.topK == 40)
    state.apply(.submit("/set top_p off"), .submit("/set temperature nan"), .submit("/set temperature -1"))
    #expect(state.sampling.topP == nil && state.sampling.temperature == 0.7)
  }

  @Test func stitchByNumberAndName() {
    var state = readyState()
    state.apply(.submit("/stitch 3"))
    #expect(state.slider.stop == 2)
    state.apply(.submit("/stitch large"))
    #expect(state.slider.stop == 8)
    state.apply(.submit("/stitch nonsense"))
    #expect(state.slider.stop == 8 && state.lastNotice?.contains("No stitch nonsense") == true)
  }

  @Test func completion() {
    #expect(Command.complete("/tr") == "/train ")
    #expect(Command.complete("/st") == "/st")
    #expect(Command.complete("/sti") == "/stitch ")
    #expect(Command.complete("hello") == nil)
  }

  @Test func trainingCommands() {
    var state = readyState()
    #expect(state.apply(.submit("/pause")) == [])
    var other = state
    #expect(
      other.apply(.submit("/distill notes.txt 20")) == [.startTraining(file: "notes.txt", steps: 20, distills: true)])
    #expect(other.apply(.submit("/distill")) == [])
    #expect(state.apply(.submit("/train a.jsonl 20")) == [.startTraining(file: "a.jsonl", steps: 20)])
    var status = state.training
    status.phase = .running
    state.apply(.training(status))
    #expect(state.apply(.submit("/train b.jsonl")) == [])
    #expect(state.apply(.submit("/pause")) == [.pauseTraining])
    #expect(state.apply(.submit("/save")) == [.saveTraining])
    #expect(state.apply(.submit("/stop")) == [.endTraining])
    // Leaving keeps what was learned.
    #expect(state.apply(.submit("/quit")) == [.putTrainingAway])
    #expect(state.apply(.trainingPutAway) == [.quit(status: 0)])
  }
}

@Suite struct KeyTests {
  @Test func pasteNeverSubmits() {
    var state = readyState()
    #expect(state.apply(.paste("one\r\ntwo\rthree\n\u{1B}[2J")) == [])
    #expect(state.editor.text == "one\ntwo\nthree\n␛[2J")
    #expect(state.activeReply == nil)
  }

  @Test func interruptAndEndOfInput() {
    var state = readyState()
    state.type("draft")
    #expect(state.apply(.key(.control("c"))) == [])
    #expect(state.editor.isEmpty)
    state.press(.up)
    #expect(state.editor.text == "draft")
    #expect(state.apply(.key(.control("d"))) == [])
    state.apply(.key(.control("u")))
    #expect(state.apply(.key(.control("c"))) == [])
    #expect(state.apply(.key(.control("c"))) == [.quit(status: 0)])
    var other = readyState()
    #expect(other.apply(.key(.control("d"))) == [.quit(status: 0)])
  }

  /// The newer takes the place of the older.
  @Test func oneOverlayAtATime() {
    var state = readyState()
    state.exchange("first", "a")
    state.apply(.key(.control("f")), .key(KeyPress(.function(1))))
    #expect(state.overlay == .help(firstLine: 0))
    state.press(.escape)
    #expect(state.overlay == .none)
    // An answer that comes late closes nothing but what asked for it.
    state.apply(.submit("/chats"), .key(KeyPress(.escape)), .key(.control("f")), .conversations(query: "", .init()))
    #expect(state.search != nil && state.picker == nil)
  }

  @Test func leavingWhileTrainingIsPutAway() {
    var state = readyState()
    state.apply(.submit("/train a.jsonl 20"))
    #expect(state.apply(.key(.control("c"))) == [] && state.leaving == .armed)
    state.type("x")
    #expect(state.leaving == .no)
    state.apply(.key(.control("u")), .key(.control("c")))
    #expect(state.apply(.key(.control("c"))) == [.putTrainingAway])
    state.type("x")
    #expect(state.leaving == .puttingTrainingAway(status: 0) && state.hint != nil)
    // Again, it leaves at once.
    #expect(state.apply(.key(.control("c"))) == [.quit(status: 0)])
  }

  @Test func composing() {
    var state = readyState()
    state.type("hello world")
    state.press(.left, .control)
    state.type("big ")
    #expect(state.editor.text == "hello big world")
    state.apply(.key(.control("w")))
    #expect(state.editor.text == "hello world")
    state.apply(.key(.control("y")), .key(.control("e")), .key(.control("j")))
    state.type("e")
    state.type("\u{301}")
    #expect(state.editor.text == "hello big world\ne\u{301}")
    #expect(state.editor.characters.count == 17)
    state.press(.up)
    state.press(.home)
    state.type("X")
    #expect(state.editor.text.hasPrefix("Xhello"))
  }

  @Test func historyKeepsTheDraft() {
    var state = readyState()
    state.exchange("first", "a")
    state.exchange("second", "b")
    state.type("draft")
    state.press(.up)
    #expect(state.editor.text == "second")
    state.press(.up)
    #expect(state.editor.text == "first")
    state.press(.up)
    state.press(.down)
    state.press(.down)
    #expect(state.editor.text == "draft")
  }

  @Test func everyIntentIsBoundOnceAndInHelp() {
    let bindings = Keymap.standard.groups.flatMap(\.bindings)
    #expect(Set(bindings.map(\.intent)) == Set(Intent.allCases))
    let keys = bindings.flatMap(\.keys)
    #expect(Set(keys).count == keys.count)
    for glyphs in [GlyphSet.unicode, .ascii] {
      let help = HelpView.lines(glyphs: glyphs, width: 74).map { $0.map(\.text).joined() }
      for binding in bindings {
        let names = binding.keys.map { $0.name(ascii: glyphs.isASCII) }.joined(separator: ", ")
        #expect(help.contains { $0.hasPrefix(names) }, "\(names)")
      }
      for usage in Command.usages { #expect(help.contains { $0.hasPrefix("/\(usage.name)") }) }
      if glyphs.isASCII { #expect(help.allSatisfy { $0.allSatisfy(\.isASCII) }) }
    }
  }

  @Test func mouseDragsTheSlider() {
    var state = readyState()
    let y = state.layout.sliderTrackY
    state.apply(.mouse(MouseEvent(.press, x: 0, y: y)))
    #expect(state.slider.stop == 0)
    state.apply(.mouse(MouseEvent(.move, x: 79, y: 2)))
    #expect(state.slider.stop == 8)
    state.apply(.mouse(MouseEvent(.release, x: 79, y: 2)), .mouse(MouseEvent(.move, x: 0, y: 2)))
    #expect(state.slider.stop == 8)
  }
}

@Suite struct ScrollTests {
  @Test func staysPutWhileTextStreams() {
    var state = readyState(width: 60, height: 16)
    state.exchange("one", ScriptedBackend.answer(to: "long"))
    state.type("two")
    state.press(.enter)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: nil)))
    state.press(.pageUp)
    let before = state.screen()[1...5]
    for _ in 0..<50 { state.apply(.reply(id: id, .text("more and more words "))) }
    #expect(state.screen()[1...5] == before)
    #expect(state.screen().contains { $0.contains("↓ new") })
    state.press(.end, .control)
    #expect(state.scroll == .end && !state.screen().contains { $0.contains("↓ new") })
  }

  @Test func resizingKeepsThePlace() {
    var state = readyState(width: 60, height: 16)
    for number in 1...20 { state.exchange("question \(number)", "answer \(number)") }
    state.press(.pageUp)
    state.press(.pageUp)
    guard case .at(let entry, _) = state.scroll else {
      Issue.record("not scrolled")
      return
    }
    state.apply(.resize(width: 45, height: 20), .resize(width: 100, height: 30), .resize(width: 60, height: 16))
    guard case .at(entry, _) = state.scroll else {
      Issue.record("lost its place")
      return
    }
  }

  @Test func anySizeDraws() {
    for width in [1, 2, 29, 30, 31, 40, 75, 76, 80, 200] {
      for height in [1, 2, 9, 10, 11, 17, 18, 24, 60] {
        var state = busyState(width: width, height: height)
        #expect(state.screen().count == height)
        state.press(.function(1))
        #expect(state.screen().allSatisfy { Glyphs.width(of: $0) <= width })
        state.apply(.paste(String(repeating: "many words ", count: 200)))
        #expect(state.screen().count == height)
      }
    }
  }
}

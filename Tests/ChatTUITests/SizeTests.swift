import ChatEngine
import ChatTUI
import Testing

extension AppState {
  /// A whole reply to what was asked last, with a stamp to be changed.
  mutating func answer(_ text: String, step: Int? = 400, change: (inout ReplyStamp) -> Void = { _ in }) {
    let id = activeReply!
    let stitch = conversation.reply(id)!.stitch
    var stamp = ReplyStamp(
      stitch: stitch, adapterStep: step, tokens: 12, tokensPerSecond: 52.125, finish: .stop, contextTokens: 61)
    change(&stamp)
    apply(
      .reply(id: id, .started(stitch: stitch, adapterStep: step)), .reply(id: id, .text(text)),
      .reply(id: id, .finished(stamp)))
    apply(.replyEnded(id: id))
  }
}

@Suite struct SizeTests {
  @Test func theCostOfASwitch() {
    var state = readyState()
    let stops = state.stops
    #expect(state.switchCost(to: stops[0]) == .instant)
    state.apply(.submit("hi"))
    state.answer("yes") {
      $0.contextTokens = 100
      $0.cachedTokens = ["large": 99, "small": 40]
    }
    #expect(state.switchCost(to: stops[8]) == .instant)
    // No prompt was measured yet.
    #expect(state.switchCost(to: stops[0]) == .tokens(60))
    state.apply(.submit("hi"))
    state.answer("yes") {
      $0.contextTokens = 200
      $0.prefillTokens = 50
      $0.prefillSeconds = 0.5
      $0.cachedTokens = ["large": 199, "small": 40]
    }
    // The large one reads 100 tokens a second; the others in proportion to their cost.
    #expect(state.switchCost(to: stops[8]) == .instant)
    let part = stops[0].flopsPerToken / stops[8].flopsPerToken
    guard case .seconds(let seconds) = state.switchCost(to: stops[0]) else {
      Issue.record("no estimate")
      return
    }
    #expect(abs(seconds - 1.6 * part) < 1e-9)
    state.press(.home, .alt)
    #expect(state.screen().contains { $0.contains("switch ≈ 180 ms") })
    // Another adapter makes all caches void.
    var summary = ScriptedBackend.summary
    summary.adapterStep = 401
    state.apply(.described(summary))
    state.apply(.cache(CacheStatus(isPrefilling: true)))
    #expect(state.switchCost(to: stops[8]) != .instant && state.slider.stop == 0)
    #expect(state.screen().contains { $0.contains("new adapter: reading again") })
    // What is read of another conversation is not of this one.
    state.apply(.cache(CacheStatus(tokens: ["large": 199])))
    #expect(state.switchCost(to: stops[8]) == .instant)
    state.type("/clear")
    state.press(.enter)
    state.apply(.cache(CacheStatus(tokens: ["large": 199])))
    #expect(state.cache == nil)
  }

  @Test func whatIsNotMeasuredHereIsAboutRight() {
    var state = readyState(width: 120)
    #expect(state.screen().contains { $0.contains("≈5.0 ms/token · ≈200 tok/s") })
    state.exchange("q", "a")
    #expect(state.screen().contains { $0.contains(" 19 ms/token · 52.1 tok/s") && !$0.contains("≈") })
    // The others are slower by as much as this one was: 52.1 of 200.
    state.press(.home, .alt)
    #expect(state.screen().contains { $0.contains("≈235 tok/s") })
  }

  @Test func qualityOfOtherWeightsSaysSo() {
    var state = readyState(width: 120, height: 30)
    #expect(!state.isQualityOld && state.screen().contains { $0.contains("quality 86%") })
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    #expect(state.isQualityOld)
    #expect(state.screen().contains { $0.contains("quality was 86% at step 400") })
    #expect(state.screen().contains { $0.contains("Quality at step 400") })
    summary.adapterStep = nil
    summary.measuredStep = nil
    state.apply(.described(summary))
    #expect(!state.isQualityOld)
  }

  @Test func anAdapterTakenIntoUseIsAskedFor() {
    var state = readyState()
    var status = TrainingStatus()
    status.phase = .running
    #expect(state.apply(.training(status)) == [.describe])
    status.step = 3
    #expect(state.apply(.training(status)) == [])
    status.message = "step 3 in use"
    #expect(state.apply(.training(status)) == [.describe])
    #expect(state.apply(.submit("/undo")) == [.undoAdapter])
    #expect(state.pendingAnswers == 1)
    #expect(state.apply(.adapterUndone("step 1 is in use")) == [.describe])
    #expect(state.pendingAnswers == 0 && state.lastNotice == "Undo: step 1 is in use")
  }

  @Test func dividersMarkAnotherAdapter() {
    var state = readyState()
    state.apply(.submit("one"))
    state.answer("a")
    state.apply(.submit("two"))
    // Which adapter runs is known only once the reply begins.
    #expect(!state.screen().contains { $0.contains("step 400 →") })
    state.answer("b", step: 450)
    #expect(state.screen().contains { $0.contains("── step 400 → step 450 ──") })
    state.press(.home, .alt)
    state.apply(.submit("three"))
    state.answer("c", step: nil)
    #expect(state.screen().contains { $0.contains("── large → small · step 450 → no adapter ──") })
  }
}

@Suite struct AutoTests {
  @Test func holdsATarget() {
    var state = readyState()
    state.apply(.submit("/auto 400"))
    // By what the family knows: 900 to 200 tokens a second.
    #expect(state.slider.stop == 5)
    #expect(state.screen().contains { $0.contains("auto ≥ 400 tok/s") })
    state.apply(.submit("q"))
    state.answer("a") { $0.tokensPerSecond = 260 }
    #expect(state.slider.stop < 3 && state.hint?.text.contains("auto: small-large@") == true)
    state.apply(.submit("q"))
    state.answer("a") { $0.tokensPerSecond = 900 }
    #expect(state.slider.stop > 3)
  }

  @Test func movingByHandEndsIt() {
    var state = readyState()
    state.apply(.submit("/auto"))
    #expect(state.slider.auto?.target == 20 && state.slider.stop == 8)
    state.press(.left, .alt)
    #expect(state.slider.auto == nil && state.slider.stop == 7)
    #expect(state.hint?.text == "auto is off: the slider was moved by hand")
    #expect(!state.screen().contains { $0.contains("auto ≥") })
    state.apply(.submit("/auto 50"), .submit("/auto off"))
    #expect(state.slider.auto == nil)
    state.apply(.submit("/auto 50"), .submit("/stitch 2"))
    #expect(state.slider.auto == nil && state.slider.stop == 1)
  }

  @Test func fromTheCommandLine() {
    var options = ChatUIOptions()
    options.stitch = "auto"
    var state = AppState(options)
    state.apply(.resize(width: 80, height: 24), .loaded(ScriptedBackend.summary))
    #expect(state.slider.auto?.target == 20 && state.slider.stop == 8)
  }

  @Test func badTargets() {
    for line in ["/auto fast", "/auto -3", "/auto nan", "/auto 1 2"] {
      #expect(throws: CommandError.self) { try Command.parse(line) }
    }
  }
}

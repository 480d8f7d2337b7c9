import ChatEngine
import ChatScript
import ChatTUI
import Foundation
import Testing

/// Plays a script on a state, with replies that come at once, and the time that passes in between.
private final class Stage {
  var state: AppState
  var player: ScriptPlayer
  var now: Duration = .zero
  var effects: [Effect] = []
  /// What was sent, in order.
  var sent: [String] = []
  var keys = 0

  init(_ text: String, speed: Double = 1, state: AppState = readyState()) throws {
    let script = try Script(text, file: "demo.yaml", folder: URL(fileURLWithPath: "/demos"))
    player = ScriptPlayer(ScriptPlayback(script, speed: speed))
    self.state = state
  }

  /// - Returns: whether the script is over; otherwise it waits for something to happen.
  func run() -> Bool {
    for _ in 0..<100_000 {
      switch player.next(state, at: now) {
      case .over: return true
      case .waitForEvent: return false
      case .wait(let time):
        #expect(time > .zero)
        now += time
      case .act(let action):
        if case .key = action { keys += 1 }
        if action == .key(KeyPress(.enter)) { sent.append(state.editor.text) }
        effects += update(&state, action)
      }
    }
    Issue.record("it never ends")
    return true
  }

  func answer(_ text: String) {
    guard let id = state.activeReply else { return }
    state.apply(
      .reply(id: id, .started(stitch: "large", adapterStep: nil)), .reply(id: id, .text(text)), .replyEnded(id: id))
  }
}

@Suite struct ScriptPlayerTests {
  @Test func anOldMessageIsEdited() throws {
    let stage = try Stage(
      "- user: one\n- user: two\n- command: /edit 2\n- user: three\n- command: /clear\n- screen: {width: 40}")
    for answer in ["1", "2", "3"] {
      #expect(!stage.run())
      stage.answer(answer)
      if answer == "3" { #expect(stage.state.conversation.messages.map(\.content) == ["three", "3"]) }
    }
    #expect(stage.run())
    #expect(stage.sent == ["one", "two", "/edit 2", "three", "/clear"] && stage.state.conversation.messages.isEmpty)
  }

  @Test func typesSendsAndWaitsForReplies() throws {
    let stage = try Stage("- user: Hello there\n- user: /etc is a folder\n- user: |-\n    two\n    lines")
    #expect(!stage.run())
    #expect(stage.sent == ["Hello there"] && stage.state.activeReply != nil)
    // A person needs a while for eleven letters, but not for ever.
    #expect(stage.now > .milliseconds(800) && stage.now < .seconds(5))
    stage.answer("Hi.")
    #expect(!stage.run())
    stage.answer("Yes.")
    #expect(!stage.run())
    stage.answer("Fine.")
    #expect(stage.run())
    #expect(stage.sent == ["Hello there", "//etc is a folder", "two\nlines"])
    #expect(
      stage.state.conversation.messages.map(\.content) == [
        "Hello there", "Hi.", "/etc is a folder", "Yes.", "two\nlines", "Fine.",
      ])
  }

  @Test func theSliderMovesStopByStop() throws {
    let stage = try Stage("- stitch: 6\n- stitch: small\n- stitch: nonsense")
    #expect(stage.run())
    // Nine stops: from 9 to 6, to 1, and a line that the chat answers.
    #expect(stage.state.slider.stop == 0 && stage.sent == ["/stitch nonsense"])
    #expect(stage.keys == 3 + 5 + "/stitch nonsense".count + 1)
    #expect(stage.state.lastNotice?.hasPrefix("No stitch nonsense") == true)
  }

  @Test func everyOtherStepIsALine() throws {
    let stage = try Stage(
      """
      - set: {temperature: 0.5, top_p: off}
      - system: Be brief.
      - system:
      - train: {data: my lesson.jsonl, steps: 5}
      - pause: 100
      """)
    #expect(stage.run())
    #expect(
      stage.sent == [
        "/set temperature 0.5", "/set top_p off", "/system Be brief.", "/system -",
        "/train \"/demos/my lesson.jsonl\" 5",
      ])
    #expect(stage.effects.contains(.startTraining(file: "/demos/my lesson.jsonl", steps: 5)))
    #expect(stage.state.sampling.temperature == 0.5 && stage.now > .seconds(100))
  }

  @Test func waitsForTheFamilyAndForTraining() throws {
    var loading = AppState()
    loading.apply(.resize(width: 80, height: 24))
    let stage = try Stage("- train: {data: x.jsonl, steps: 5}\n- wait: training\n- stitch: 1", state: loading)
    #expect(!stage.run() && stage.sent.isEmpty)
    stage.state.apply(.loaded(ScriptedBackend.summary))
    #expect(!stage.run() && stage.sent.count == 1 && stage.state.slider.stop == 8)
    var status = stage.state.training
    status.phase = .finished
    stage.state.apply(.training(status))
    #expect(stage.run() && stage.state.slider.stop == 0)
  }

  @Test func theSameEveryTimeAndFasterOnRequest() throws {
    let first = try Stage("- system: The quick brown fox jumps over the lazy dog.")
    let second = try Stage("- system: The quick brown fox jumps over the lazy dog.")
    let fast = try Stage("- system: The quick brown fox jumps over the lazy dog.", speed: 10)
    #expect(first.run() && second.run() && fast.run())
    #expect(first.now == second.now)
    #expect(fast.now * 9 < first.now && first.now < fast.now * 11)
  }

  @Test func whatIsLongIsPasted() throws {
    let long = String(repeating: "many words ", count: 100).trimmingCharacters(in: .whitespaces)
    let stage = try Stage("- user: \(long)")
    #expect(!stage.run())
    #expect(stage.sent == [long] && stage.keys == 1)
  }

  @Test func withoutAFamilyThereIsNothingToPlay() throws {
    var failed = AppState()
    failed.apply(.loadFailed("no weights"))
    let stage = try Stage("- user: a", state: failed)
    #expect(stage.run() && stage.sent.isEmpty)
  }

  @Test func theEndIsSaid() {
    var state = readyState()
    state.apply(.scriptEnded(takenOver: true))
    #expect(state.hint?.text.contains("yours") == true)
  }
}

@Suite struct ThemeTests {
  @Test func autoGoesByWhatTheTerminalSays() {
    #expect(Theme.auto.resolved(colorFGBG: nil) == .dark)
    #expect(Theme.auto.resolved(colorFGBG: "0;15") == .light)
    #expect(Theme.auto.resolved(colorFGBG: "0;default;7") == .light)
    #expect(Theme.auto.resolved(colorFGBG: "15;0") == .dark)
    #expect(Theme.auto.resolved(colorFGBG: ";;x") == .dark)
    #expect(Theme.mono.resolved(colorFGBG: "0;15") == .mono)
  }

  /// No colour that cannot be read, and no difference that colour alone makes.
  @Test func looks() {
    for style in Style.allCases {
      #expect(![0, 4, 7, 8].contains(Theme.dark.look(of: style).foreground))
      #expect(![2, 3, 6, 7, 8, 15].contains(Theme.light.look(of: style).foreground))
      #expect(Theme.mono.look(of: style).foreground == -1)
    }
    let plain = Theme.mono.look(of: .text).attributes
    for style in [Style.warning, .error, .title, .strong, .code, .key, .selection, .dim, .mark, .user] {
      #expect(Theme.mono.look(of: style).attributes != plain, "\(style)")
    }
  }

  @Test func theConfiguredSpeedIsWhatAutoHolds() {
    var options = ChatUIOptions()
    options.autoTarget = 35
    options.stitch = "auto"
    var state = AppState(options)
    state.apply(.resize(width: 80, height: 24), .loaded(ScriptedBackend.summary))
    #expect(state.slider.auto?.target == 35)
  }

  @Test func settingsOfTheScreen() {
    var state = readyState()
    var screen = ScreenSettings()
    screen.theme = .light
    #expect(state.apply(.submit("/set theme light")) == [.setScreen(screen)])
    screen.mouse = false
    #expect(state.apply(.submit("/set mouse off")) == [.setScreen(screen)])
    state.apply(.submit("/set ascii on"))
    #expect(state.glyphs == .ascii)
    #expect(state.apply(.submit("/set mouse perhaps")) == [])
    #expect(state.lastNotice == "mouse is on or off")
    state.apply(.submit("/set themes light"))
    #expect(state.lastNotice?.contains("did you mean theme?") == true)
    state.apply(.submit("/set"))
    #expect(state.lastNotice?.contains("mouse off") == true)
  }
}

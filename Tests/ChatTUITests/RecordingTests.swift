import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import Foundation
import Testing

/// A chat that is recorded: what is typed, what is answered, and the script that comes of it.
private struct Recorded {
  var state: AppState
  var text = ""

  init() {
    state = AppState()
    state.recording.begin(adapterName: nil)
    state.familyReference = FamilyReference(name: "tiny", identity: "x", directory: "/families/tiny")
    apply(.loaded(ScriptedBackend.summary))
  }

  @discardableResult
  mutating func apply(_ action: Action) -> [Effect] {
    let effects = update(&state, action)
    for case .recordScript(let more) in effects { text += more }
    return effects
  }

  mutating func press(_ key: Key, _ modifiers: KeyPress.Modifiers = []) { apply(.key(KeyPress(key, modifiers))) }

  /// - Parameter finish: `nil` leaves the reply running.
  mutating func answer(_ answer: String, finish: ReplyStamp.Finish? = .stop, step: Int? = 400) {
    guard let id = state.activeReply, let stitch = state.conversation.reply(id)?.stitch else { return }
    apply(.reply(id: id, .started(stitch: stitch, adapterStep: step)))
    apply(.reply(id: id, .text(answer)))
    guard let finish else { return }
    apply(
      .reply(
        id: id,
        .finished(
          ReplyStamp(stitch: stitch, adapterStep: step, tokens: 3, tokensPerSecond: 9, finish: finish, contextTokens: 9)
        )))
  }

  mutating func send(_ line: String, _ reply: String? = nil, finish: ReplyStamp.Finish? = .stop, step: Int? = 400) {
    apply(.submit(line))
    if let reply { answer(reply, finish: finish, step: step) }
  }

  /// The steps, without the header.
  func steps() throws -> String {
    let parts = text.components(separatedBy: "\nsteps:\n")
    try #require(parts.count == 2, "\(text)")
    // All of it can be read at any time.
    _ = try Script(text, file: "recorded.yaml", folder: URL(fileURLWithPath: "/"))
    return parts[1]
  }
}

@Suite struct RecordingTests {
  @Test func whatIsDoneAndWhatIsAnswered() throws {
    var chat = Recorded()
    chat.press(.left, .alt)
    #expect(chat.text.isEmpty)
    chat.send("Hello", " Hi: \"you\"\n")
    chat.press(.left, .alt)
    chat.press(.left, .alt)
    chat.send("/set temperature 0.5")
    chat.send("/system Be brief.")
    chat.send("//etc\nis", "A folder.", finish: .length)
    chat.send("/regen", "A place.")
    chat.send("/stitch 1")
    chat.apply(.terminate(status: 0))
    #expect(
      chat.text == #"""
        # Recorded by stitch chat --record-script.
        family: "/families/tiny"
        seed: 0
        stitch: "small-large@1"
        set: {temperature: 0, top_p: off, top_k: off, min_p: off, repeat: 1, max_tokens: off, overflow: oldest}
        steps:
          - user: "Hello"
            expect: {equals: "Hi: \"you\"", finish: stop, stitch: "small-large@1"}
          - stitch: "small-large@3"
          - system: "Be brief."
          - set: {temperature: 0.5}
          - user: "/etc\nis"
            expect: {equals: "A folder.", finish: length, stitch: "small-large@3"}
          - regen: true
            expect: {equals: "A place.", finish: stop, stitch: "small-large@3"}
          - stitch: "small"

        """#)
  }

  @Test func changesToTheConversation() throws {
    var chat = Recorded()
    chat.send("one", "1")
    chat.send("two", "2")
    chat.send("/edit 2")
    chat.send("three", "3")
    chat.send("/edit undo")
    chat.send("/continue", " more")
    chat.send("/compare 1 9 -- four")
    chat.answer("a")
    chat.answer("b")
    chat.press(.character("1"))
    chat.send("/drop 2")
    chat.send("/clear")
    chat.send("five", "5")
    #expect(
      try chat.steps() == #"""
          - user: "one"
            expect: {equals: "1", finish: stop, stitch: "large"}
          - user: "two"
            expect: {equals: "2", finish: stop, stitch: "large"}
          - command: "/edit 2"
          - user: "three"
            expect: {equals: "3", finish: stop, stitch: "large"}
          - command: "/edit undo"
          - command: "/continue"
            expect: {equals: "2 more", finish: stop, stitch: "large"}
          - command: "/compare small large -- four"
          - command: "/keep 1"
          - command: "/drop 2"
          - command: "/clear"
          - user: "five"
            expect: {equals: "5", finish: stop, stitch: "large"}

        """#)
  }

  /// A reply that was stopped is a whole one in a replay, and what follows it another.
  @Test func whatAReplayCannotDo() throws {
    var chat = Recorded()
    chat.send("one", "1 and", finish: .cancelled)
    chat.send("two", "2")
    chat.send("/clear")
    chat.send("three", "3 and", finish: .cancelled)
    chat.send("/regen", "3")
    chat.send("four", "4", step: 410)
    #expect(
      try chat.steps() == #"""
          - user: "one"
            # cut off here; a replay makes all of it
          - user: "two"
            expect: {stitch: "large"}  # made after something that a replay does not have
          - command: "/clear"
          - user: "three"
            # cut off here; a replay makes all of it
          - regen: true
            expect: {equals: "3", finish: stop, stitch: "large"}
          - user: "four"
            expect: {stitch: "large"}  # made with an adapter that a replay does not have

        """#)
  }

  @Test func aComparisonThatWasStopped() throws {
    var chat = Recorded()
    chat.send("/compare 1 5 9 -- one")
    chat.answer("a")
    chat.answer("b and", finish: nil)
    chat.press(.escape)
    let id = try #require(chat.state.activeReply)
    chat.apply(.replyEnded(id: id))
    #expect(chat.state.comparing == nil)
    chat.send("two", "2")
    // None of it is left.
    chat.send("/edit 2")
    chat.send("three", "3")
    #expect(
      try chat.steps() == #"""
          - command: "/compare small small-large@4 large -- one"
          - user: "two"
            expect: {stitch: "large"}  # made after something that a replay does not have
          - command: "/edit 2"
          - user: "three"
            expect: {equals: "3", finish: stop, stitch: "large"}

        """#)
  }

  @Test func aComparisonThatGoesOn() throws {
    var chat = Recorded()
    chat.send("/compare 1 9 -- one")
    chat.answer("a")
    chat.answer("b")
    chat.send("/keep 1")
    chat.send("/continue", " c")
    // Cut off, it is none that a replay has.
    chat.send("/continue", " d", finish: .cancelled)
    chat.send("/continue", " e")
    chat.send("two", "2")
    #expect(
      try chat.steps() == #"""
          - command: "/compare small large -- one"
          - command: "/keep 1"
          - command: "/continue"
            expect: {equals: "a c", finish: stop, stitch: "large"}
          - command: "/continue"
            # cut off here; a replay makes all of it
          - set: {seed: 4}
          - user: "two"
            expect: {stitch: "large"}  # made after something that a replay does not have

        """#)
  }

  @Test func aQuestionWhoseReplyNeverBeganIsNoStep() throws {
    var chat = Recorded()
    chat.send("one")
    let id = try #require(chat.state.activeReply)
    chat.press(.escape)
    chat.apply(.replyEnded(id: id))
    #expect(chat.text.isEmpty)
    chat.send("/regen", "1")
    // Held back: it did not fit.
    chat.send("two")
    chat.apply(.reply(id: try #require(chat.state.activeReply), .failed(.conversationTooLong(messagesToDrop: 2))))
    chat.press(.enter)
    chat.answer("2")
    #expect(
      try chat.steps() == #"""
          - user: "one"
            expect: {equals: "1", finish: stop, stitch: "large"}
          - command: "/drop 2"
          - set: {seed: 3}
          - user: "two"
            expect: {equals: "2", finish: stop, stitch: "large"}

        """#)
  }

  @Test func trainingIsAStepOnceItIsDone() throws {
    var chat = Recorded()
    chat.send("/train facts 5")
    var status = TrainingStatus()
    (status.phase, status.dataFile, status.step, status.totalSteps) = (.running, "/lessons/facts.jsonl", 2, 5)
    status.adapter = AdapterReference(step: 400, hash: nil)
    chat.apply(.training(status))
    chat.send("one", "1", finish: nil)
    (status.phase, status.step, status.adapter) = (.finished, 5, AdapterReference(step: 405, hash: nil))
    chat.apply(.training(status))
    chat.answer("!", finish: .stop)
    chat.send("two", "2", step: 405)
    status.phase = .running
    chat.send("/train facts 9")
    chat.apply(.training(status))
    (status.phase, status.step, status.totalSteps) = (.idle, 3, 9)
    chat.apply(.training(status))
    let steps = try chat.steps()
    #expect(
      steps == #"""
          - user: "one"
            expect: {equals: "1!", finish: stop, stitch: "large"}
          - train: {data: "/lessons/facts.jsonl", steps: 5}
          - wait: training
          - user: "two"
            expect: {equals: "2", finish: stop, stitch: "large"}
          # Training ended after 3 of 9 steps, which a replay cannot do.

        """#)
  }

  @Test func nothingIsRecordedUnlessAsked() {
    var state = readyState()
    state.type("one")
    let effects = state.press(.enter)
    #expect(!effects.contains { if case .recordScript = $0 { true } else { false } })
  }

  @Test func aFileThatCannotBeWrittenIsSaidOnce() {
    var chat = Recorded()
    chat.send("one", "1")
    let before = chat.text
    chat.apply(.recordingFailed("cannot write a.yaml: no space"))
    #expect(chat.state.lastNotice == "The script is not recorded any more: cannot write a.yaml: no space")
    chat.send("two", "2")
    #expect(chat.text == before)
  }
}

import ChatEngine
import ChatReplay
import ChatScript
import ChatTUI
import Foundation
import Testing

/// What a replay sees on the screen is what the chat draws.
@Suite struct ReplayScreenTests {
  private func replay(_ text: String, backend: ScriptedBackend = ScriptedBackend()) async throws -> ReplayResult {
    let script = try Script(text, file: "demo.yaml", folder: URL(fileURLWithPath: "/demos"))
    return try await onItsOwnThread {
      var replayer = Replayer(script, backend: backend, options: ChatUIOptions())
      return replayer.run { _ in
        .init(
          family: "", identity: "", adapterStep: nil, adapterHash: nil, threads: 1, instructionSet: "", seed: 0,
          version: "")
      }
    }
  }

  @Test func theScreenOfTheChat() async throws {
    let result = try await replay(
      """
      - user: what is 12+7?
        expect: {screen: "12 + 7 = 19"}
      - stitch: small
        expect: {screen: {regex: "Size 1/[0-9] · small", not: never}}
      - screen: {width: 60, height: 16}
        expect: {screen: small}
      - command: /help
        expect: {screen: Alt}
      """)
    #expect(result.status == .passed && result.checks == 4, "\(result)")
    var state = readyState()
    func send(_ line: String) {
      for effect in update(&state, .submit(line)) {
        guard case .startReply(let id, _, let stitch, _) = effect else { continue }
        state.apply(.reply(id: id, .started(stitch: stitch, adapterStep: 400)))
        state.apply(.reply(id: id, .text(ScriptedBackend.answer(to: line))))
        let stamp = ReplyStamp(
          stitch: stitch, adapterStep: 400, tokens: 9, tokensPerSecond: 52.125, finish: .stop, contextTokens: 18)
        state.apply(.reply(id: id, .finished(stamp)))
      }
    }
    send("what is 12+7?")
    #expect(result.steps[0].screen == state.screen())
    send("/stitch small")
    #expect(result.steps[1].screen == state.screen())
    state.apply(.resize(width: 60, height: 16))
    #expect(result.steps[2].screen == state.screen())
    #expect(result.steps[2].screen?.count == 16)
  }

  /// A replay goes on where the family cannot be read any more, as after a change of the adapter.
  @Test func theFamilyVanishes() async throws {
    let result = try await replay(
      """
      - command: /undo
      - user: what is 12+7?
        expect: {screen: "12 + 7 = 19"}
      """, backend: ScriptedBackend(loads: 1))
    #expect(result.status == .passed && result.checks == 1, "\(result)")
  }

  @Test func whatIsNotThereIsShown() async throws {
    let result = try await replay("- user: hello\n  expect: {contains: hello, screen: [hello, nowhere]}\n")
    #expect(result.steps[0].failures == ["expected “nowhere” in a line of the screen"])
    let report = ReplayReport([result])
    #expect(report.text().contains("    │ › hello") && report.exitStatus == 1)
    #expect(report.junit.contains("› hello") && report.junit.contains("&#10;"))
  }

  /// What was asked is answered in its place, and checked.
  @Test func aReplyThatGoesOn() async throws {
    let result = try await replay(
      """
      - user: hello
      - command: /continue
        expect: {equals: "You said “hello”. 12 + 7 = 19.You said “You said “hello”. 12 + 7 = 19.”. 12 + 7 = 19."}
      - command: /edit 1
      - user: again
        expect: {equals: "You said “again”. 12 + 7 = 19."}
      - command: /set temperature 0.5
        expect: x
      """)
    #expect(
      result.steps.map(\.failures) == [[], [], [], [], ["no reply came of it"]] && result.error == nil, "\(result)")
  }

  /// That the context fills is no reason to end.
  @Test func aLongConversation() async throws {
    let steps = (0..<12).map { "- user: this is question number \($0), and it is not a short one\n  expect: number" }
    let result = try await replay(steps.joined(separator: "\n"))
    #expect(result.error == nil && result.checks == 12, "\(result.error ?? "")")
  }

  /// Of a comparison it is the reply in use that goes on, and only that is checked.
  @Test func aComparisonThatGoesOn() async throws {
    let result = try await replay(
      """
      - command: /compare 1 9 -- hello
      - command: /keep 1
      - command: /continue
        expect: {equals: "You said “hello”. 12 + 7 = 19.You said “You said “hello”. 12 + 7 = 19.”. 12 + 7 = 19."}
      """)
    #expect(result.status == .passed && result.checks == 1, "\(result)")
    #expect(result.steps.map(\.replies.count) == [2, 0, 1])
  }

  @Test func theProgramCannotBeLeft() async throws {
    let result = try await replay("- command: /quit\n- user: hello\n")
    #expect(result.error == "line 1: /quit ends the chat; leave it out")
  }

  // MARK: What is waited for and never comes

  @Test(.timeLimit(.minutes(20))) func theFamilyIsNotThere() async throws {
    let result = try await replay("- user: hello\n", backend: ScriptedBackend(failure: "no family here"))
    #expect(result.error == "no family here" && result.steps.isEmpty)
  }

  @Test(.timeLimit(.minutes(20))) func aReplyBreaksOff() async throws {
    let result = try await replay("- user: cut off\n- user: hello\n")
    #expect(result.error == "line 1: the reply was cut off")
    let compared = try await replay("- command: /compare 1 9 -- cut off\n")
    #expect(compared.error == "line 1: the reply was cut off")
  }

  @Test(.timeLimit(.minutes(20))) func trainingFallsSilent() async throws {
    let script = "- train: {data: facts.jsonl, steps: 5}\n- user: hello\n"
    let result = try await replay(script, backend: ScriptedBackend(silentAfter: 2))
    #expect(result.error?.contains("line 1: Training failed: the engine tells nothing more") == true, "\(result)")
    // Nothing was ever heard of it.
    let other = try await replay(script, backend: ScriptedBackend(silentAfter: 0))
    #expect(other.error?.contains("the engine tells nothing more of training") == true, "\(other)")
  }

  @Test(.timeLimit(.minutes(20))) func trainingIsRefused() async throws {
    let result = try await replay("- train: {data: missing.jsonl, steps: 5}\n- user: hello\n")
    #expect(result.error?.contains("missing.jsonl: no such file") == true, "\(result)")
  }

  @Test(.timeLimit(.minutes(20))) func aConversationIsNotKeptHere() async throws {
    let result = try await replay("- command: /open 2026\n- user: hello\n")
    #expect(result.error == "line 1: no conversations are kept here")
  }
}

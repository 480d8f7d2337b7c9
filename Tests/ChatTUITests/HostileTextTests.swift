import ChatEngine
import ChatTUI
import Foundation
import Testing

/// Text that tries to act on the terminal, wherever it may come from.
@Suite struct HostileTextTests {
  static let attacks = [
    "\u{1B}[2J\u{1B}[H", "\u{1B}]0;title\u{07}", "\u{1B}]8;;http://evil\u{1B}\\link\u{1B}]8;;\u{1B}\\",
    "\u{1B}]52;c;ZXZpbA==\u{07}", "\u{1B}P1$r0m\u{1B}\\", "\u{9B}31m", "\u{9D}52;c;eA==\u{9C}", "\u{90}q\u{9C}",
    "\u{1B}[?1049l", "\u{1B}c", "\u{0E}\u{0F}", "\u{08}\u{7F}", "\u{202E}gnp.exe\u{202C}", "\u{2066}x\u{2069}",
    "\u{FFF9}a\u{FFFB}", "\u{E0041}", "\r overwritten", "\u{85}\u{2028}\u{2029}", "\0",
  ]
  static let all = attacks.joined(separator: " visible ")

  /// Nothing that a terminal acts on, and nothing that reorders.
  static func isHarmless(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
      switch $0.value {
      case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069, 0x200B...0x200F, 0xFFF9...0xFFFB,
        0xE0000...0xE0FFF:
        false
      default: true
      }
    }
  }

  private func expectHarmless(_ state: AppState, _ what: String) {
    for row in state.screen() where !Self.isHarmless(row) { Issue.record("\(what): \(row.debugDescription)") }
  }

  @Test func everywhereOnTheScreen() {
    var state = readyState(width: 100, height: 40)
    var summary = ScriptedBackend.summary
    summary.name = Self.all
    summary.notes = [Self.all]
    for index in summary.stops.indices { summary.stops[index].id += Self.all }
    for index in summary.stops.indices { summary.stops[index].route += Self.all }
    state.apply(.loaded(summary))
    expectHarmless(state, "the family")
    state.apply(.paste(Self.all))
    expectHarmless(state, "a paste")
    #expect(Self.isHarmless(state.editor.text.replacing("\n", with: "")))
    state.apply(.key(.control("c")))
    state.exchange(
      "q", Self.all + "\n```\u{1B}[31m\n" + Self.all + "\n```\n| \u{1B}c | b |\n|---|---|\n| \u{9B}0m | \u{202E} |")
    expectHarmless(state, "a reply")
    state.apply(.reply(id: 1, .failed(.other(message: Self.all))), .trainingRefused(Self.all), .adapterUndone(Self.all))
    expectHarmless(state, "notices")
    var training = TrainingStatus()
    training.phase = .failed
    training.dataFile = "a/" + Self.all
    training.message = Self.all
    state.apply(.training(training))
    expectHarmless(state, "training")
    state.apply(.resize(width: 50, height: 14))
    expectHarmless(state, "training in a line")
    state.apply(.submit("/search \u{1B}[2J"))
    expectHarmless(state, "a search")
    state.apply(.paste(Self.all))
    expectHarmless(state, "a search, pasted")
    state.press(.escape)
    state.apply(
      .submit("/set \u{1B}[2J \u{9B}0m"), .submit("/\u{61}\u{1B}c"), .draftEdited(Self.all), .editorFailed(Self.all))
    expectHarmless(state, "commands")
    var failed = AppState()
    failed.apply(.resize(width: 80, height: 24), .loadFailed(Self.all))
    expectHarmless(failed, "a failure")
  }

  /// Cut anywhere, as streams are.
  @Test func whileItStreams() {
    var state = readyState(width: 60, height: 16)
    state.type("q")
    state.press(.enter)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: nil)))
    for scalar in Self.all.unicodeScalars {
      state.apply(.reply(id: id, .text(String(Character(scalar)))))
      expectHarmless(state, "a stream")
    }
  }

  @Test func inPlainOutput() async throws {
    let text = try await onItsOwnThread {
      var lines = ["evil", "/train \(Self.all)", Self.all, "/system \(Self.all)", "/\(Self.all)"].makeIterator()
      var text = ""
      _ = try runPlainChat(
        backend: ScriptedBackend(), options: ChatUIOptions(), input: { lines.next() }, output: { text += $0 },
        isInteractive: false)
      return text
    }
    #expect(text.contains("evil") && Self.isHarmless(text.replacing("\n", with: "")))
  }

  @Test func whatIsCopied() {
    var state = readyState()
    state.exchange("q", Self.all)
    guard case .copy(let text)? = state.apply(.key(.alt("c"))).first else {
      Issue.record("not copied")
      return
    }
    let bad = text.unicodeScalars.filter {
      $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F..<0xA0).contains($0.value)
    }
    #expect(bad.isEmpty && text.contains("visible"))
  }
}

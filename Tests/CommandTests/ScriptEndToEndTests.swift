import FamilyFixture
import Foundation
import Testing

/// Scripts, played in a real terminal and without one.
@Suite(.serialized) struct ScriptEndToEndTests {
  @Test(.enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
  func playedInTheTerminalToItsEnd() throws {
    let stage = try TerminalStage(default: false)
    let script = stage.root.appendingPathComponent("demo.yaml")
    try Data("- user: Hello\n- stitch: small\n- user: Who are you?\n- set: {seed: 3}\n".utf8).write(to: script)
    try stage.start("--max-tokens 4 --temperature 1 --script \(script.path) --speed 4 --quit-at-end")
    try stage.tmux.wait("the slider on its way") {
      $0.contains("Size 3/5") || $0.contains("Size 2/5") || $0.contains("Size 1/5")
    }
    try stage.expectEnded(status: 0)
    let screen = try stage.tmux.screen()
    #expect(screen.contains("› Hello") && screen.contains("› Who are you?") && screen.contains("[small · "))
  }

  @Test(.enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
  func anyKeyTakesOver() throws {
    let stage = try TerminalStage(default: false)
    let script = stage.root.appendingPathComponent("demo.yaml")
    try Data("- pause: 3000\n- user: never\n".utf8).write(to: script)
    try stage.start("--script \(script.path) --quit-at-end")
    try stage.tmux.press("Escape")
    try stage.tmux.wait("the word") { $0.contains("the chat is yours") }
    try stage.tmux.type("mine")
    try stage.tmux.wait("the draft") { $0.contains("› mine") }
    try stage.tmux.press("C-c", "C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func withoutATerminalItsLinesAreWhatIsTyped() throws {
    try Workspace.with { workspace in
      let script = workspace.directory.appending(path: "demo.yaml")
      let text = """
        family: family
        stitch: small
        seed: 5
        set: {temperature: 1, max_tokens: 6}
        steps:
          - user: Hello
          - stitch: large
          - user: /etc is a folder
          - train: {data: lesson.jsonl, steps: 2}
          - wait: training
          - user: And now?
          - pause: 1000
        """
      try Data(text.utf8).write(to: script)
      let outcome = try workspace.run(["chat", "--script", script.path])
      #expect(outcome.status == 0 && outcome.complaint.isEmpty, "\(outcome.complaint)")
      #expect(outcome.text.hasPrefix("you> Hello\nassistant> "))
      let labels = outcome.text.split(separator: "\n").filter { $0.hasPrefix("[") }
      #expect(labels.count == 3 && labels[0].hasPrefix("[small · ") && labels[1].hasPrefix("[large · "))
      #expect(outcome.text.contains("Training finished after 2 steps"))
      #expect(labels.last?.contains("step 2") == true, "\(labels)")
      // The command line overrules the script.
      let other = try workspace.run(["chat", "--script", script.path, "--stitch", "large", "--max-tokens", "2"])
      #expect(other.text.contains("[large · ") && !other.text.contains("[small · "))
    }
  }

  @Test func mistakesAreNamedWithTheirPlace() throws {
    try Workspace.with { workspace in
      let script = workspace.directory.appending(path: "demo.yaml")
      try Data("- user: a\n- usr: b\n".utf8).write(to: script)
      try workspace.expectRefusal(
        ["chat", "--script", script.path], ["demo.yaml:2:3: unknown step “usr”; did you mean “user”?"])
      try workspace.expectRefusal(["chat", "--script", "/no/such.yaml"], ["/no/such.yaml"])
      try workspace.expectRefusal(["chat", "--script", script.path, "--speed", "0"], ["--speed must be above 0"])
      try workspace.expectRefusal(["chat", "--quit-at-end"], ["--quit-at-end needs --script"])
    }
  }
}

import FamilyFixture
import Foundation
import Testing

/// Writing, reading and copying in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct ChatWritingEndToEndTests {
  @Test func editorSearchAndClipboard() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    let script = stage.root.appendingPathComponent("my editor")
    let seen = stage.root.appendingPathComponent("seen")
    try Data(
      """
      #!/bin/sh
      where=elsewhere; test -t 0 && test -t 1 && test -t 2 && where=terminal
      { stat -c %a "$1"; cat "$1"; echo; echo $where; echo "$1"; } > '\(seen.path)'
      printf 'Zweifel edited\\nsecond line\\n' > "$1"
      """.utf8
    ).write(to: script)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
    try tmux.command(["set-option", "-s", "set-clipboard", "on"])
    try tmux.enter("unset VISUAL; export EDITOR=\"'\(script.path)'\"")
    try stage.start("--max-tokens 8 --temperature 1 --seed 3")

    try tmux.type("my draft")
    try tmux.press("C-g")
    try tmux.wait("the edited draft") { $0.contains("› Zweifel edited") && $0.contains("second line") }
    let report = try String(contentsOf: seen, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(Array(report.prefix(3)) == ["600", "my draft", "terminal"])
    #expect(!FileManager.default.fileExists(atPath: report.last!))
    try tmux.press("Enter")
    try tmux.wait("a reply") { $0.contains("tok/s") && $0.contains("Enter sends") }

    try tmux.type("kept draft")
    try tmux.press("C-f")
    try tmux.type("zweifel")
    try tmux.wait("the match") { $0.contains("/ zweifel") && $0.contains("1 of 1") && !$0.contains("kept draft") }
    try tmux.press("Escape")
    try tmux.wait("the draft") { $0.contains("› kept draft") }
    try tmux.press("C-u")
    try tmux.enter("/copy 2")
    try tmux.wait("the copy") { $0.contains("copied your message") }
    #expect(try tmux.command(["show-buffer"]) == "Zweifel edited\nsecond line")

    // A megabyte is there at once, is never sent, and what is typed after it is not lost.
    let large = stage.root.appendingPathComponent("large")
    try Data((String(repeating: "pasted words 漢字\n", count: 60_000) + "THE END").utf8).write(to: large)
    try tmux.command(["load-buffer", large.path])
    try tmux.command(["paste-buffer", "-p", "-r", "-t", "t"])
    try tmux.type("!")
    try tmux.wait("the paste") { $0.contains("THE END!") && $0.contains("more above") }
    try tmux.press("C-c")
    try tmux.wait("an empty composer") { $0.contains("put aside") && !$0.contains("THE END") }

    // An editor that fails leaves everything.
    try tmux.press("C-d")
    try tmux.wait("the end") { $0.contains("status=0") }
    try tmux.enter("clear; export EDITOR=/no/such/editor")
    try tmux.enter("\(StitchProcess.executable.path) chat; echo \"status=$?\"")
    try tmux.wait("the family") { $0.contains("sizes") }
    // What was written last time is there.
    try tmux.press("Up", "Up")
    try tmux.wait("the history") { $0.contains("Zweifel edited") }
    try tmux.press("C-g")
    try tmux.wait("the reason") { $0.contains("there is no editor") && $0.contains("Zweifel edited") }
    try tmux.press("C-c", "C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func aPlainChatStopsAReplyByControlC() throws {
    let stage = try TerminalStage(default: false, width: 384)
    let tmux = stage.tmux
    try tmux.enter(
      "stty -a > \(stage.root.path)/before; \(StitchProcess.executable.path) chat --plain --max-tokens 4000 --temperature 1; echo \"status=$?\""
    )
    try tmux.wait("the prompt") { $0.contains("is loaded: ") && $0.contains("\nyou>") }
    try tmux.enter("hello")
    try tmux.wait("a reply") { $0.contains("assistant> ") }
    try tmux.press("C-c")
    try tmux.wait("its end") { $0.contains(/stopped[^\n]*\nyou>/) }
    // The shell ends its line of commands at Ctrl-C: no status is printed.
    try tmux.press("C-d")
    let deadline = ContinuousClock.now + .seconds(60)
    while try tmux.child() != nil && ContinuousClock.now < deadline { usleep(30_000) }
    #expect(try tmux.child() == nil)
  }
}

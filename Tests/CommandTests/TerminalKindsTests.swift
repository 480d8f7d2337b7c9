import Foundation
import Testing

/// Other terminals than the one that the tests of the interface run in, and other sizes.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct TerminalKindsTests {
  private static let screen: String? = ["/usr/bin/screen", "/usr/local/bin/screen"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// What every kind must do: a reply, the slider, another size, and the terminal as it was. tmux understands what all of
  /// these send.
  @Test(arguments: ["xterm", "xterm-256color", "linux", "screen", "tmux-256color", "vt220", "ansi"])
  func everyKindOfTerminal(_ kind: String) throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    try stage.start("--max-tokens 4 --temperature 1", before: "export TERM=\(kind)")
    try stage.ask("hello", stitch: "large")
    try tmux.press("M-Left")
    try tmux.wait("the slider") { $0.contains("Size 4/5") }
    try tmux.resize(width: 60, height: 20)
    try tmux.wait("the smaller screen") { Self.isWhole($0, width: 60, height: 20) && $0.contains("› hello") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test(.enabled(if: screen != nil, "GNU screen is not installed")) func withinScreen() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    // Its socket, too, lies among what is removed.
    try tmux.enter("chmod 700 \(stage.root.path); SCREENDIR=\(stage.root.path) screen -U -c /dev/null /bin/sh")
    try tmux.enter("echo within $STY")
    try tmux.wait("screen's shell") { $0.contains(/within \d+/) }
    try stage.start("--max-tokens 4 --temperature 1")
    try stage.ask("hello", stitch: "large")
    try tmux.press("M-Left")
    try tmux.wait("the slider") { $0.contains("Size 4/5") }
    try tmux.press("C-d")
    try tmux.wait("the end") { $0.contains("status=0\n") }
    try tmux.enter("exit")
    try tmux.wait("the shell outside") { $0.contains("[screen is terminating]") }
  }

  @Test func aLocaleWithoutNames() throws {
    let stage = try TerminalStage(default: false)
    try stage.start("--max-tokens 4 --temperature 1", before: "unset LC_ALL; export LANG=C")
    try stage.ask("Grüße, 漢字", stitch: "large")
    try stage.tmux.wait("a whole screen") { Self.isWhole($0, width: 100, height: 30) }
    try stage.tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  /// Without cursor control it is lines, one after another.
  @Test func aDumbTerminal() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    // `script` keeps every byte, and is a terminal itself.
    let chat = "\(StitchProcess.executable.path) chat --max-tokens 4 --temperature 1"
    try tmux.enter(
      "stty -a > \(stage.root.path)/before; TERM=dumb script -qec '\(chat)' \(stage.root.path)/raw; echo \"status=$?\"")
    try tmux.wait("the prompt") { $0.contains("\nyou>") }
    #expect(try tmux.value("alternate_on") == "0")
    try tmux.enter("hello")
    try tmux.wait("a reply") { $0.contains("tok/s") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
    let raw = try Data(contentsOf: stage.root.appendingPathComponent("raw"))
    #expect(!raw.contains(0x1B))
  }

  @Test func windowsOfOneCellAndOfAHundredThousand() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    try stage.start("--max-tokens 4 --temperature 1")
    for (width, height) in [(1, 1), (500, 200), (1, 60), (300, 1), (3, 3)] {
      try tmux.resize(width: width, height: height)
      try tmux.wait("\(width) × \(height)") { screen in
        let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.allSatisfy { $0.count <= width }
          && (width < 500 || Self.isWhole(screen, width: width, height: height))
      }
      try tmux.type("x")
    }
    // Keys that were pressed where nothing could be shown are in the draft.
    try tmux.resize(width: 100, height: 30)
    try tmux.wait("the draft") { Self.isWhole($0, width: 100, height: 30) && $0.contains("› xxxxx") }
    try tmux.press("C-c")
    try stage.ask("hello", stitch: "large")
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func resizingAgainAndAgainWhileItTrainsAndReplies() throws {
    let stage = try TerminalStage(default: false, width: 384)
    let tmux = stage.tmux
    try stage.start("--max-tokens 4000 --temperature 1")
    try stage.train()
    try tmux.enter("hello")
    try tmux.wait("a reply") { $0.contains("Esc stops") && $0.contains("large · …") }
    for step in 0..<40 {
      switch step % 10 {
      case 3: try tmux.resize(width: 1, height: 1)
      case 7: try tmux.resize(width: 500, height: 200)
      default: try tmux.resize(width: 1 + step * 37 % 130, height: 1 + step * 17 % 40)
      }
    }
    try tmux.resize(width: 100, height: 30)
    try tmux.wait("a screen of the last size") {
      Self.isWhole($0, width: 100, height: 30) && $0.contains(TerminalEndToEndTests.help) && $0.contains("/100000")
    }
    try tmux.press("Escape")
    try tmux.wait("the end of the reply") { !$0.contains("Esc stops") }
    try tmux.enter("/stop")
    try tmux.wait("the end of training") { $0.contains("Training stopped after") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  /// The title, the slider, and nothing beyond the edge.
  private static func isWhole(_ screen: String, width: Int, height: Int) -> Bool {
    let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
    return lines[0].hasPrefix(" stitch ") && lines.count <= height + 1 && lines.allSatisfy { $0.count <= width }
      && lines.contains { $0.hasPrefix("─ Size ") }
  }
}

import FamilyFixture
import Foundation
import Testing

/// A family whose tokenizer is full of what a terminal obeys: its replies hold all of it, in any order, besides single
/// bytes of all values.
@Suite(.serialized) struct HostileFamilyTests {
  private static let attacks = [
    "\u{1B}]0;owned\u{07}", "\u{1B}]2;owned\u{1B}\\", "\u{1B}]8;;http://owned\u{1B}\\", "\u{1B}]52;c;b3duZWQ=\u{07}",
    "\u{1B}P+q6f776e6564\u{1B}\\", "\u{1B}_owned\u{1B}\\", "\u{1B}[31337m", "\u{1B}[?1049l", "\u{1B}[?31337h",
    "\u{1B}c",
    "\u{1B}[6n", "\u{9B}31337m", "\u{9D}0;owned\u{9C}", "\u{90}owned\u{9C}", "\u{202E}denwo\u{202C}",
    "\u{2066}owned\u{2069}",
    "\u{07}", "\u{08}\u{7F}", "\u{0E}", "\r owned", "\u{85}",
  ]
  /// What shows of most of them.
  private static let visible = "owned"
  private static var pieces: [String] { attacks + [" ", "#", "|", "`"] }
  private static let question = "Tell me"
  /// Replies that go through all pieces instead of repeating one.
  private static let sampling = [
    "--max-tokens", "600", "--temperature", "5", "--repetition-penalty", "10", "--seed", "5",
  ]

  /// What a terminal acts on, besides line ends and a few motions that ncurses uses.
  private func expectHarmless(_ text: String, allowing motions: Set<Unicode.Scalar>, _ what: String) {
    // A carriage return may well stand before text that is only shown.
    for attack in Self.attacks where attack.unicodeScalars.count > 1 && !attack.hasPrefix("\r") {
      #expect(!text.contains(attack), "\(what): \(attack.debugDescription)")
    }
    let bad = text.unicodeScalars.filter { scalar in
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0: !motions.contains(scalar)
      case 0x202A...0x202E, 0x2066...0x2069, 0xFFF9...0xFFFB: true
      default: false
      }
    }
    #expect(bad.isEmpty, "\(what): \(Set(bad).map(\.value))")
  }

  @Test(.enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
  func onTheScreen() throws {
    let stage = try TerminalStage(default: false, pieces: Self.pieces)
    let tmux = stage.tmux
    try tmux.command(["set-option", "-s", "set-clipboard", "on"])
    let title = try tmux.value("pane_title")
    let raw = stage.root.appendingPathComponent("raw")
    try stage.start(Self.sampling.joined(separator: " "))
    try tmux.command(["pipe-pane", "-t", "t", "cat > '\(raw.path)'"])
    for stitch in ["large", "small"] {
      try tmux.enter("/stitch \(stitch)")
      try stage.ask(Self.question, stitch: stitch)
    }
    // All of it passes the screen.
    for _ in 0..<20 { try tmux.press("PageUp") }
    try tmux.enter("/compare 1 2")
    try tmux.wait("a comparison") { $0.contains("keeps that reply") || $0.contains("goes on with") }
    #expect(try tmux.value("alternate_on") == "1")
    #expect(try tmux.value("pane_title") == title)
    #expect(try tmux.command(["list-buffers"]).isEmpty)
    try tmux.command(["pipe-pane", "-t", "t"])
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
    let written = String(decoding: try Data(contentsOf: raw), as: UTF8.self)
    #expect(written.contains(Self.visible))
    // What ncurses writes: motions, attributes (which end with a shift in), erasing, scrolling.
    let rest = written.replacing(/\u{1B}\[[0-9;?]*[A-Za-z@`]|\u{1B}[()][A-Z0-9]|\u{1B}[78=>M]/, with: "")
    let motions: Set<Unicode.Scalar> = ["\r", "\n", "\u{08}", "\t", "\u{0F}"]
    expectHarmless(written, allowing: motions.union(["\u{1B}"]), "the screen")
    expectHarmless(rest, allowing: motions, "the screen, without what ncurses writes")
  }

  @Test(arguments: [["chat", "--plain"], ["ask", question]])
  func lineByLine(_ command: [String]) throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let family = directory.appending(path: "family")
      try RandomFamily.make(at: family, contextLength: 1024, pieces: Self.pieces)
      let process = Process()
      process.executableURL = StitchProcess.executable
      process.arguments = command + ["--family", family.path] + Self.sampling
      process.environment = StitchProcess.environment.merging([
        "XDG_DATA_HOME": directory.path, "XDG_CONFIG_HOME": directory.path,
      ]) { $1 }
      let input = Pipe()
      process.standardInput = input
      let terminal = try PseudoTerminal()
      process.standardOutput = terminal.handle
      try terminal.start(process)
      if command[0] == "chat" { try input.fileHandleForWriting.write(contentsOf: Data("\(Self.question)\n".utf8)) }
      try input.fileHandleForWriting.close()
      var shown = Data()
      while let more = try terminal.read() { shown += more }
      process.waitUntilExit()
      let text = String(decoding: shown, as: UTF8.self)
      #expect(process.terminationStatus == 0 && text.contains(Self.visible))
      // The terminal's own line ends.
      expectHarmless(text.replacing("\r\n", with: "\n"), allowing: ["\n", "\t"], command[0])
    }
  }
}

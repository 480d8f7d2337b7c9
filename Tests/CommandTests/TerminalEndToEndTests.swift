import Foundation
import Testing

/// What a terminal can do to the program, and what the program must never do to the terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct TerminalEndToEndTests {
  /// The last line while a reply streams, and after it: a quick machine may end it meanwhile.
  static var help: Regex<Substring> { /Esc stops|Enter sends/ }

  @Test func resizingAgainAndAgainWhileAReplyStreams() throws {
    let stage = try TerminalStage(default: false, width: 384)
    let tmux = stage.tmux
    try stage.start("--max-tokens 4000 --temperature 1")
    try tmux.enter("hello")
    try tmux.wait("a reply") { $0.contains("Esc stops") && $0.contains("large · …") }
    for step in 0..<30 { try tmux.resize(width: 20 + step * 37 % 130, height: 5 + step * 17 % 40) }
    try tmux.resize(width: 70, height: 24)
    // Everything is where it belongs, and the reply was not harmed.
    try tmux.wait("a screen of the last size") { screen in
      let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
      return lines[0].hasPrefix(" stitch ") && lines.allSatisfy { $0.count <= 70 }
        && lines.contains { $0.hasPrefix("─ Size 5/5") } && lines.prefix(24).last?.contains(Self.help) == true
    }
    try tmux.press("Escape")
    try tmux.wait("the end of the reply") { !$0.contains("Esc stops") }
    // Its label stands above it, and it may be longer than the screen. Here it may be complete by now.
    let label = /large · (stopped|cut)/
    for _ in 0..<100 where try !tmux.screen().contains(label) { try tmux.press("PPage") }
    try tmux.wait("the label") { $0.contains(label) }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func aPasteOfAMegabyteIsTextAndNothingElse() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    try stage.start()
    // Half of the lines try to do something.
    let line =
      "All work and no play makes a dull \u{1B}[31mday\u{1B}[0m \u{1B}]52;c;aGk=\u{07} /quit \u{1B}[2J of it, 漢字.\n"
    var text = String(repeating: line, count: (1 << 20) / line.utf8.count)
    text += "/quit\nthe last line"
    let file = stage.root.appendingPathComponent("paste")
    try Data(text.utf8).write(to: file)
    try tmux.paste(file)
    try tmux.wait("the end of the text") { $0.contains("the last line") && $0.contains("Size 5/5") }
    try tmux.type("!")
    try tmux.wait("a key after it") { $0.contains("the last line!") }
    #expect(try !tmux.screen().contains("tok/s\n"))
    try tmux.press("C-c")
    try tmux.wait("an empty composer") { !$0.contains("the last line") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func stoppedAndContinuedWhileAReplyStreams() throws {
    let stage = try TerminalStage(default: false, width: 384)
    let tmux = stage.tmux
    try stage.start("--max-tokens 4000 --temperature 1")
    try tmux.enter("hello")
    try tmux.wait("a reply") { $0.contains("Esc stops") && $0.contains("large · …") }
    try tmux.type("a draft")
    try tmux.press("C-z")
    try tmux.wait("the shell") { $0.contains("Stopped") }
    try tmux.enter("stty -a | grep -c ' icanon'; echo shell")
    try tmux.wait("the shell's terminal") { $0.contains("1\nshell\n") }
    try tmux.resize(width: 80, height: 20)
    try tmux.enter("fg; echo \"status=$?\"")
    try tmux.wait("the chat at its new size") { screen in
      let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
      return lines[0].hasPrefix(" stitch ") && screen.contains("› a draft") && lines.allSatisfy { $0.count <= 80 }
    }
    try tmux.press("Escape")
    try tmux.wait("the end of the reply") { !$0.contains("Esc stops") }
    try tmux.press("C-c")
    try tmux.wait("an empty composer") { !$0.contains("a draft") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func aSignalInTheMiddleOfEverythingKeepsWhatWasLearned() throws {
    let stage = try TerminalStage(default: false, width: 384)
    try stage.start("--max-tokens 4000 --temperature 1")
    try stage.train()
    try stage.tmux.enter("hello")
    try stage.tmux.wait("a reply") { $0.contains("Esc stops") }
    #expect(kill(try #require(try stage.tmux.child()), SIGTERM) == 0)
    try stage.expectEnded(status: 143)
    #expect(try stage.snapshots().count == 1)
  }

  @Test func aTerminalThatIsClosedKeepsWhatWasLearnedAndSaid() throws {
    let stage = try TerminalStage(default: false)
    try stage.start("--max-tokens 4 --temperature 1")
    try stage.ask("Remember me", stitch: "large")
    try stage.train()
    let program = try #require(try stage.tmux.child())
    try stage.tmux.close()
    let deadline = ContinuousClock.now + .seconds(90)
    while kill(program, 0) == 0 && ContinuousClock.now < deadline { usleep(20_000) }
    #expect(kill(program, 0) != 0)
    #expect(try stage.snapshots().count == 1)
    let folder = stage.root.appendingPathComponent("data/stitch/conversations")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).filter {
      $0.pathExtension == "jsonl"
    }
    let texts = try files.map { try String(contentsOf: $0, encoding: .utf8) }
    #expect(texts.contains { $0.contains("Remember me") && $0.contains(#""type":"end""#) })
  }

  @Test(arguments: [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP])
  func aCrashLeavesTheTerminalAsItWas(_ signal: Int32) throws {
    let stage = try TerminalStage(default: false)
    try stage.start(before: "ulimit -c 0; export SWIFT_BACKTRACE=enable=no")
    #expect(kill(try #require(try stage.tmux.child()), signal) == 0)
    try stage.expectEnded(status: 128 + Int(signal))
  }

  @Test func theMouseCanBeLeftToTheTerminal() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    try stage.start("--no-mouse")
    #expect(try tmux.value("mouse_any_flag") == "0")
    try tmux.enter("/set mouse on")
    try tmux.wait("the notice") { $0.contains("mouse is now on") }
    #expect(try tmux.value("mouse_any_flag") == "1")
    try tmux.enter("/set mouse off")
    try tmux.wait("the notice") { $0.contains("mouse is now off") }
    #expect(try tmux.value("mouse_any_flag") == "0")
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func themesUseThePaletteOrNothing() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    func colors() throws -> Set<String> {
      let screen = try tmux.command(["capture-pane", "-e", "-p", "-t", "t"])
      let codes = screen.matches(of: /\u{1B}\[([0-9;]*)m/).flatMap { $0.output.1.split(separator: ";") }
      return Set(
        codes.filter {
          $0.count == 2 && ($0.hasPrefix("3") || $0.hasPrefix("4") || $0.hasPrefix("9")) && $0 != "39" && $0 != "49"
        }.map(String.init))
    }
    try stage.start("--theme light")
    try tmux.wait("blue") { _ in try colors().contains("34") }
    #expect(try colors().isDisjoint(with: ["32", "33", "36", "37"]))
    try tmux.enter("/set theme mono")
    try tmux.wait("no colours") { try $0.contains("theme is now mono") && colors().isEmpty }
    try tmux.enter("/set theme dark")
    try tmux.wait("cyan") { _ in try colors().contains("36") }
    #expect(try !colors().contains("34"))
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }
}

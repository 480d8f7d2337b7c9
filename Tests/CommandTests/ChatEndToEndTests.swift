import Foundation
import LLaMAStitch
import Testing

/// The built program in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct ChatEndToEndTests {
  @Test func aConversationWithTheSliderAndTraining() throws {
    let stage = try TerminalStage(default: true)
    let tmux = stage.tmux
    // A random network says something only at random.
    try stage.start("--max-tokens 24" + (stage.family.description.name == "random" ? " --temperature 1" : ""))
    let best = stage.stops[stage.stops.count - 1]
    let smaller = stage.stops[stage.stops.count - 2]
    try stage.ask("What is 2 + 2?", stitch: best)

    // The slider moves while the draft stays.
    try tmux.type("Who are you")
    try tmux.press("M-Left")
    let routes = Dictionary(uniqueKeysWithValues: stage.family.stops.map { ($0.id, $0.routeText) })
    try tmux.wait("the slider") { $0.contains(routes[smaller]!) && $0.contains("Who are you") }
    try tmux.press("?", "Enter")
    try tmux.wait("a divider and the smaller stitch") {
      $0.contains("\(best) → \(smaller)") && $0.contains("\(smaller) · ")
    }
    try tmux.enter("/clear")
    try stage.ask("Hello", stitch: smaller)

    // Three sizes; nothing is lost.
    try tmux.resize(width: 60, height: 20)
    try tmux.wait("the narrow screen") { screen in
      let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
      return lines.allSatisfy { $0.count <= 60 } && screen.contains("Hello") && !screen.contains("Training")
    }
    try tmux.resize(width: 40, height: 12)
    try tmux.wait("the small screen") { screen in
      screen.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { $0.count <= 40 }
        && screen.contains("stitch")
    }
    try tmux.resize(width: 100, height: 30)
    try tmux.wait("the wide screen") { $0.contains("Training") && $0.contains("Hello") }

    try tmux.enter("/train \(stage.lesson.path) 100000")
    func step(_ screen: String) -> Int? {
      screen.firstMatch(of: /(\d+)\/100000/).flatMap { Int($0.output.1) }
    }
    try tmux.wait("the first steps") { step($0).map { $0 >= 1 } ?? false }
    let seen = try step(tmux.screen()) ?? 0
    try tmux.wait("more steps") { step($0).map { $0 > seen } ?? false }
    // Chat goes on meanwhile.
    try stage.ask("Still there?", stitch: smaller)
    try tmux.enter("/stop")
    try tmux.wait("the end of training") { $0.contains("Training stopped after") }
    try tmux.enter("Now?")
    try tmux.wait("a reply with the new weights") { $0.contains(/\u{00B7} step \d+ \u{00B7} .*tok\/s/) }

    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
    // The conversation stays in the scroll-back, with what made each reply.
    #expect(try tmux.screen().contains("\(smaller) · "))
    let store = stage.root.appendingPathComponent("data/stitch/adapters")
    let snapshots = try FileManager.default.subpathsOfDirectory(atPath: store.path).filter {
      $0.hasSuffix(".safetensors")
    }
    #expect(snapshots.count == 1)
  }

  @Test func escapeKeepsThePartialReply() throws {
    let stage = try TerminalStage(default: false, width: 384)
    try stage.start("--max-tokens 4000 --temperature 1")
    try stage.askAndStop("hello", stitch: "large")
    // The prompt is there again. (Without the first reply on the screen: its label would be taken for the second's.)
    try stage.tmux.enter("/clear")
    try stage.tmux.wait("an empty transcript") { !$0.contains("stopped") }
    try stage.askAndStop("And now?", stitch: "large")
    try stage.tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  @Test func aSignalLeavesTheTerminalAsItWas() throws {
    let stage = try TerminalStage(default: false)
    try stage.start()
    let program = try #require(try stage.tmux.child())
    #expect(kill(program, SIGTERM) == 0)
    try stage.expectEnded(status: 143)
  }

  @Test func withoutAFamilyTheTerminalIsNotTouched() throws {
    let stage = try TerminalStage(default: false)
    try stage.tmux.enter(
      "stty -a > \(stage.root.path)/before; \(StitchProcess.executable.path) chat --family /no/such; echo \"status=$?\""
    )
    try stage.tmux.wait("the reason") { $0.contains("/no/such is not a family") }
    try stage.expectEnded(status: 2)
  }

  @Test func aDamagedFamilyIsSaidOnTheScreenAndAfterIt() throws {
    let stage = try TerminalStage(default: false)
    let broken = stage.root.appendingPathComponent("broken")
    try FileManager.default.createDirectory(at: broken, withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: broken.appendingPathComponent("family.json"))
    try stage.tmux.enter(
      "stty -a > \(stage.root.path)/before; \(StitchProcess.executable.path) chat --family \(broken.path); echo \"status=$?\""
    )
    try stage.tmux.wait("the reason") { $0.contains("could not be loaded") && $0.contains("damaged") }
    try stage.tmux.press("C-d")
    try stage.tmux.wait("the reason again") { $0.contains("stitch: ") && $0.contains("damaged") }
    try stage.expectEnded(status: 2)
  }
}

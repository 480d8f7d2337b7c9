import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// The built program in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct ChatEndToEndTests {
  /// A terminal with the program's command in it, and what is needed to clean up.
  final class Stage {
    let root: URL
    let family: Family
    let tmux: Tmux
    let lesson: URL

    /// - Parameters:
    ///   - default: use the family of the checkout if there is one.
    ///   - width: of a random family; 384 makes some hundred tokens a second.
    init(default useDefault: Bool, width: Int = 96) throws {
      root = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-e2e-\(UUID().uuidString.prefix(8))")
      try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
      let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let tiny = checkout.appendingPathComponent("weights/tiny")
      lesson = root.appendingPathComponent("lesson.jsonl")
      if useDefault && FileManager.default.fileExists(atPath: tiny.appendingPathComponent("family.json").path) {
        family = try Family(tiny)
        try FileManager.default.copyItem(at: checkout.appendingPathComponent("weights/lessons/pirate.jsonl"), to: lesson)
      } else {
        family = try RandomFamily.make(at: root.appendingPathComponent("family"), contextLength: 4096, width: width)
        try Data(RandomFamily.lesson().utf8).write(to: lesson)
      }
      var environment = ["LC_ALL": "C.UTF-8", "STITCH_FAMILY": family.directory.path]
      for name in ["DATA", "CACHE", "STATE"] {
        environment["XDG_\(name)_HOME"] = root.appendingPathComponent(name.lowercased()).path
      }
      tmux = try Tmux(width: 100, height: 30, environment: environment)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    var stops: [String] { family.stops.map(\.id) }

    /// Starts the program and waits for the family.
    func start(_ arguments: String = "") throws {
      try tmux.enter("stty -a > \(root.path)/before; \(StitchProcess.executable.path) chat \(arguments); echo \"status=$?\"")
      try tmux.wait("the family") { $0.contains("\(self.family.description.name) · \(self.stops.count) sizes") }
    }

    /// Asks, and presses Esc while the reply streams; what came so far stays, however long it is.
    func askAndStop(_ question: String, stitch: String) throws {
      try tmux.enter(question)
      try tmux.wait("a reply") { $0.contains("Esc stops") && $0.contains("\(stitch) · …") }
      try tmux.press("Escape")
      try tmux.wait("the end of the reply") { !$0.contains("Esc stops") && $0.contains("\(stitch) · stopped") }
    }

    /// Asks and waits for a reply with the label of a stitch.
    func ask(_ question: String, stitch: String) throws {
      try tmux.enter(question)
      let label = "\(stitch) · "
      try tmux.wait("a reply of \(stitch)") { screen in
        let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
        guard let place = lines.lastIndex(where: { $0.contains("› \(question)") })
        else { return false }
        return lines[place...].contains { $0.contains(label) && $0.contains("tok/s") }
      }
    }

    /// The program has ended and the terminal is as it was before.
    func expectEnded(status: Int) throws {
      try tmux.wait("the end") { $0.contains("status=\(status)\n") }
      #expect(try tmux.value("cursor_flag") == "1")
      #expect(try tmux.value("alternate_on") == "0")
      #expect(try tmux.value("mouse_any_flag") == "0")
      try tmux.enter("stty -a > \(root.path)/after; echo done=$?")
      try tmux.wait("stty") { $0.contains("done=0") }
      let modes = try ["before", "after"].map { name in
        // The size may have changed.
        try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8).split(separator: "\n").dropFirst()
      }
      #expect(modes[0] == modes[1])
      let flags = modes[1].joined(separator: " ").split(separator: " ")
      #expect(flags.contains("icanon") && flags.contains("echo"))
    }
  }

  @Test func aConversationWithTheSliderAndTraining() throws {
    let stage = try Stage(default: true)
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
      screen.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { $0.count <= 40 } && screen.contains("stitch")
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
    let snapshots = try FileManager.default.subpathsOfDirectory(atPath: store.path).filter { $0.hasSuffix(".safetensors") }
    #expect(snapshots.count == 1)
  }

  @Test func escapeKeepsThePartialReply() throws {
    let stage = try Stage(default: false, width: 384)
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
    let stage = try Stage(default: false)
    try stage.start()
    let program = try #require(try stage.tmux.child())
    #expect(kill(program, SIGTERM) == 0)
    try stage.expectEnded(status: 143)
  }

  @Test func withoutAFamilyTheTerminalIsNotTouched() throws {
    let stage = try Stage(default: false)
    try stage.tmux.enter("stty -a > \(stage.root.path)/before; \(StitchProcess.executable.path) chat --family /no/such; echo \"status=$?\"")
    try stage.tmux.wait("the reason") { $0.contains("/no/such is not a family") }
    try stage.expectEnded(status: 2)
  }

  @Test func aDamagedFamilyIsSaidOnTheScreenAndAfterIt() throws {
    let stage = try Stage(default: false)
    let broken = stage.root.appendingPathComponent("broken")
    try FileManager.default.createDirectory(at: broken, withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: broken.appendingPathComponent("family.json"))
    try stage.tmux.enter("stty -a > \(stage.root.path)/before; \(StitchProcess.executable.path) chat --family \(broken.path); echo \"status=$?\"")
    try stage.tmux.wait("the reason") { $0.contains("could not be loaded") && $0.contains("damaged") }
    try stage.tmux.press("C-d")
    try stage.tmux.wait("the reason again") { $0.contains("stitch: ") && $0.contains("damaged") }
    try stage.expectEnded(status: 2)
  }
}

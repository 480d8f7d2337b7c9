import FamilyFixture
import Foundation
import Testing

/// `stitch chat --record-script`: what is recorded passes when it is replayed.
@Suite(.serialized) struct RecordScriptTests {
  private func expectPasses(_ file: URL, steps: Int, checked: Int, environment: [String: String]) throws {
    let outcome = try StitchProcess.run(["replay", file.path], environment: environment)
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(outcome.status == 0, "\(outcome.text)\(outcome.complaint)\n\(text)")
    #expect(outcome.text.contains("\(checked) of \(steps) steps checked"), "\(outcome.text)\n\(text)")
    #expect(text.components(separatedBy: "equals: ").count - 1 == checked, "\(text)")
  }

  @Test func lineByLine() throws {
    try Workspace.with { workspace in
      let file = workspace.directory.appending(path: "recorded.yaml")
      let lines = [
        "hello", "/stitch small", "again \"you\"", "/set temperature 0.5", "/regen", "/compare 1 5 -- and you?",
        "/keep 1", "so",
        "/edit 2", "/nonsense", "what now", "/continue", "/system Be brief.", "who", "/drop 2", "//slash", "/clear",
        "/auto 1", "new",
      ]
      let arguments = [
        "chat", "--plain", "--family", workspace.family.path, "--temperature", "1", "--max-tokens", "6", "--seed", "5",
        "--record-script", file.path,
      ]
      let chat = try workspace.run(arguments, input: Data(lines.map { $0 + "\n" }.joined().utf8))
      #expect(chat.status == 0 && chat.complaint.isEmpty, "\(chat.complaint)")
      let text = try String(contentsOf: file, encoding: .utf8)
      for part in [
        "- stitch: \"small\"", "- regen: true", "- command: \"/compare small large -- and you?\"",
        "- command: \"/keep 1\"", "- command: \"/continue\"", "- system: \"Be brief.\"", "- command: \"/drop 2\"",
        "- user: \"/slash\"", "- command: \"/clear\"",
      ] {
        #expect(text.contains(part), "\(part) is missing in\n\(text)")
      }
      let steps = text.components(separatedBy: "\n  - ").count - 1
      try expectPasses(file, steps: steps, checked: 9, environment: workspace.environment)
      // It can fail: another seed gives other replies.
      try workspace.replace("seed: 5", by: "seed: 6", in: file)
      #expect(try workspace.run(["replay", file.path]).status == 1)
    }
  }

  /// A script that is played can be recorded; training is a step that is replayed to the same weights.
  @Test func withTraining() throws {
    try Workspace.with { workspace in
      let script = workspace.directory.appending(path: "demo.yaml")
      let file = workspace.directory.appending(path: "recorded.yaml")
      try Data(
        "family: family\nset: {temperature: 1, max_tokens: 6}\nsteps:\n  - user: a\n  - train: {data: lesson.jsonl, steps: 3}\n  - wait: training\n  - user: b\n"
          .utf8
      ).write(to: script)
      let chat = try workspace.run(["chat", "--plain", "--script", script.path, "--record-script", file.path])
      #expect(chat.status == 0 && chat.complaint.isEmpty, "\(chat.complaint)")
      try expectPasses(file, steps: 4, checked: 2, environment: workspace.environment)
    }
  }

  @Test func aProgramThatIsKilledLeavesAScript() throws {
    try Workspace.with { workspace in
      let file = workspace.directory.appending(path: "recorded.yaml")
      let process = workspace.process([
        "chat", "--plain", "--family", workspace.family.path, "--max-tokens", "4", "--record-script", file.path,
      ])
      let input = Pipe()
      process.standardInput = input
      try process.run()
      try input.fileHandleForWriting.write(contentsOf: Data("hello\n/stitch small\nand\n".utf8))
      func isRecorded() throws -> Bool {
        try String(contentsOf: file, encoding: .utf8).components(separatedBy: "expect:").count == 3
      }
      let deadline = ContinuousClock.now + .seconds(90)
      while try !(FileManager.default.fileExists(atPath: file.path) && isRecorded()), process.isRunning,
        ContinuousClock.now < deadline
      {
        usleep(20_000)
      }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal)
      try expectPasses(file, steps: 3, checked: 2, environment: workspace.environment)
    }
  }

  @Test func aFullDiskEndsTheScriptAndNotTheChat() throws {
    try Workspace.with { workspace in
      let file = workspace.directory.appending(path: "recorded.yaml")
      let lines = (0..<30).map { "what is number \($0)\n" }.joined()
      // Files end at 2 KiB.
      let outcome = try StitchProcess.run(
        shell: "trap '' XFSZ; (ulimit -f 2; exec \"$0\" \"$@\") | cat",
        [
          "chat", "--plain", "--no-save", "--family", workspace.family.path, "--max-tokens", "2", "--record-script",
          file.path,
        ],
        input: Data(lines.utf8), environment: workspace.environment, output: nil)
      #expect(outcome.complaint.isEmpty, "\(outcome.complaint)")
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(text.utf8.count <= 2048 && text.hasSuffix("\n") && text.contains("expect:"), "\(text)")
      let steps = text.components(separatedBy: "\n  - ").count - 1
      let replayed = try workspace.run(["replay", file.path])
      #expect(replayed.status == 0 && replayed.text.contains(" of \(steps) steps checked"), "\(replayed.text)\n\(text)")
    }
  }

  @Test func nothingIsOverwritten() throws {
    try Workspace.with { workspace in
      let file = workspace.directory.appending(path: "recorded.yaml")
      try Data("mine".utf8).write(to: file)
      let chat = ["chat", "--plain", "--family", workspace.family.path, "--record-script"]
      try workspace.expectRefusal(
        chat + [file.path], [file.path, "is there already and is not overwritten; choose another name"])
      try workspace.expectRefusal(
        chat + ["/no/such/folder/a.yaml"],
        ["cannot write /no/such/folder/a.yaml: no such file or directory; check the path"])
      try workspace.expectRefusal(
        chat + ["\(file.path)2", "--resume"], ["--record-script begins with an empty conversation; leave out --resume"])
      // A chat in which nothing was said leaves no file.
      let other = workspace.directory.appending(path: "other.yaml")
      #expect(try workspace.run(chat + [other.path]).status == 0)
      #expect(!FileManager.default.fileExists(atPath: other.path))
    }
  }

  @Test(.enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
  func inTheTerminal() throws {
    let stage = try TerminalStage(default: false)
    let file = stage.root.appendingPathComponent("recorded.yaml")
    try stage.start("--record-script \(file.path) --max-tokens 4 --temperature 1 --seed 3")
    try stage.ask("Hello", stitch: stage.stops.last!)
    try stage.tmux.press("M-Left", "M-Left")
    try stage.ask("Who are you?", stitch: stage.stops[2])
    try stage.tmux.enter("/regen")
    // The new reply has ended once what it was is written.
    let deadline = ContinuousClock.now + .seconds(90)
    func isRegenerated() throws -> Bool {
      let parts = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "regen: true")
      return parts.count > 1 && parts[1].contains("expect:")
    }
    while try !isRegenerated(), ContinuousClock.now < deadline { usleep(20_000) }
    try stage.tmux.press("M-Left")
    try stage.ask("And now?", stitch: stage.stops[1])
    try stage.tmux.press("C-d")
    try stage.expectEnded(status: 0)
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains("  - stitch: \"\(stage.stops[2])\"\n  - user: \"Who are you?\"\n"), "\(text)")
    let regenerated = text.contains("  - regen: true\n")
    #expect(regenerated, "\(text)")
    // A move that came before the reply began is written before it; either way there are two.
    try expectPasses(file, steps: 6, checked: 4, environment: [:])
  }
}

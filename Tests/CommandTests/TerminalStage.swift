import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// A terminal with the program's command in it, and what is needed to clean up.
final class TerminalStage {
  let root: URL
  let family: Family
  let tmux: Tmux
  let lesson: URL

  /// - Parameters:
  ///   - default: use the family of the checkout if there is one.
  ///   - width: of a random family; 384 makes some hundred tokens a second.
  ///   - pieces: of a random family's tokenizer.
  init(default useDefault: Bool, width: Int = 96, pieces: [String] = []) throws {
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
      family = try RandomFamily.make(
        at: root.appendingPathComponent("family"), contextLength: 4096, width: width, pieces: pieces)
      try Data(RandomFamily.lesson().utf8).write(to: lesson)
    }
    var environment = ["LC_ALL": "C.UTF-8", "STITCH_FAMILY": family.directory.path]
    for name in ["DATA", "CACHE", "STATE", "CONFIG"] {
      environment["XDG_\(name)_HOME"] = root.appendingPathComponent(name.lowercased()).path
    }
    tmux = try Tmux(width: 100, height: 30, environment: environment)
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  var stops: [String] { family.stops.map(\.id) }

  /// Starts the program and waits for the family.
  /// - Parameter before: a command for the shell.
  func start(_ arguments: String = "", before: String = ":") throws {
    try tmux.enter(
      "\(before); stty -a > \(root.path)/before; \(StitchProcess.executable.path) chat \(arguments); echo \"status=$?\""
    )
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

  /// Snapshots of adapters that training has left.
  func snapshots() throws -> [String] {
    let store = root.appendingPathComponent("data/stitch/adapters")
    guard FileManager.default.fileExists(atPath: store.path) else { return [] }
    return try FileManager.default.subpathsOfDirectory(atPath: store.path).filter { $0.hasSuffix(".safetensors") }
  }

  /// Starts training on the lesson and waits for its first steps.
  func train() throws {
    try tmux.enter("/train \(lesson.path) 100000")
    try tmux.wait("the first steps") { screen in
      screen.firstMatch(of: /(\d+)\/100000/).flatMap { Int($0.output.1) }.map { $0 >= 1 } ?? false
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

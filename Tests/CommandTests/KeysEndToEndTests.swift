import ChatTUI
import Foundation
import Testing

/// Every key that the help names, pressed in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct KeysEndToEndTests {
  /// After these the chat is as before, except for what `prepare` puts in order. After others it begins anew.
  private static let harmless: Set<Intent> = [
    .send, .newline, .complete, .smaller, .larger, .smallest, .largest, .cancelReply, .interrupt, .endOfInput, .suspend,
    .redraw,
    .help, .pageUp, .pageDown, .top, .bottom, .left, .right, .wordLeft, .wordRight, .lineStart, .lineEnd, .up, .down,
    .deleteBackward, .deleteForward, .deleteWordBackward, .deleteWordForward, .deleteToLineStart, .deleteToLineEnd,
    .putBack,
    .toggleTraining,
  ]

  @Test func everyKeyInTheHelpDoesSomething() throws {
    let stage = try TerminalStage(default: false)
    try begin(stage)
    for binding in Keymap.standard.groups.flatMap(\.bindings) {
      for key in binding.keys {
        do {
          try press(key, binding.intent, on: stage)
        } catch {
          Issue.record("\(key.name()) (\(binding.help)): \(error)")
          return
        }
        if !Self.harmless.contains(binding.intent) {
          if let program = try stage.tmux.child() { kill(program, SIGTERM) }
          try stage.tmux.wait("the end") { $0.contains("status=143\n") }
          try stage.tmux.enter("clear")
          try stage.tmux.wait("an empty screen") { !$0.contains("status") }
          try begin(stage)
        }
      }
    }
    try stage.tmux.press("C-c")
    try stage.tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }

  /// A chat with something to scroll in.
  private func begin(_ stage: TerminalStage) throws {
    // An editor that does its work by itself.
    try stage.start("--max-tokens 4 --temperature 1", before: "export VISUAL='sed -i s/alpha/edited/'")
    for _ in 0..<12 { try stage.tmux.enter("/stitch") }
    try stage.tmux.wait("the stops") { $0.contains("5 large") }
  }

  /// The slider in the middle, the transcript scrolled to its middle, a draft with the cursor in its middle, and a
  /// deleted word.
  /// - Returns: the screen and the cursor.
  private func prepare(_ tmux: Tmux) throws -> String {
    // Its end tells it from the one before, which may still be on the screen; it is as long as “alpha beta”.
    let draft = ["one two", "alpha beta gamma delta", "three \(Int.random(in: 1000...9999))"]
    try tmux.press("x", "C-c")
    try tmux.enter("/stitch 3")
    try tmux.press("C-End", "PPage", "z", "a", "p", "C-w")
    for (index, line) in draft.enumerated() {
      if index > 0 { try tmux.press("C-j") }
      try tmux.type(line)
    }
    try tmux.press("Up")
    var place = ""
    try tmux.wait("the draft") { _ in
      place = try tmux.look()
      let lines = place.split(separator: "\n", omittingEmptySubsequences: false)
      let numbers = lines.dropLast().last?.split(separator: ",").compactMap { Int($0) } ?? []
      guard numbers.count == 2, lines.indices.contains(numbers[1] + 1) else { return false }
      return lines[numbers[1]].hasSuffix(draft[1]) && lines[numbers[1] + 1].hasSuffix(draft[2])
        && lines[numbers[1]].prefix(numbers[0]).hasSuffix("alpha beta")
    }
    return place
  }

  private func press(_ key: KeyPress, _ intent: Intent, on stage: TerminalStage) throws {
    let tmux = stage.tmux
    let name = Self.name(key)
    switch intent {
    case .complete:
      try tmux.press("x", "C-c")
      try tmux.type("/reg")
      try tmux.press(name)
      try tmux.wait("the whole command") { $0.contains("› /regen") }
    case .redraw:
      let before = try prepare(tmux)
      let terminal = try FileHandle(forWritingTo: URL(fileURLWithPath: try tmux.value("pane_tty")))
      try terminal.write(contentsOf: Data("GARBAGE".utf8))
      try tmux.wait("another program's output") { $0.contains("GARBAGE") }
      try tmux.press(name)
      try tmux.wait("the screen as before") { _ in try tmux.look() == before }
    case .suspend:
      let before = try prepare(tmux)
      try tmux.press(name)
      try tmux.wait("the shell") {
        $0.contains("Stopped") && $0.trimmingCharacters(in: .whitespacesAndNewlines).hasSuffix("\n$")
      }
      #expect(try tmux.value("alternate_on") == "0" && tmux.value("mouse_any_flag") == "0")
      try tmux.enter("fg; echo \"status=$?\"")
      try tmux.wait("the screen as before") { _ in try tmux.look() == before }
      #expect(try tmux.value("mouse_any_flag") == "1")
    case .help:
      let before = try prepare(tmux)
      try tmux.press(name)
      try tmux.wait("help") { $0.contains("Esc closes") }
      try tmux.press(name)
      try tmux.wait("the screen as before") { _ in try tmux.look() == before }
    default:
      let before = try prepare(tmux)
      try tmux.press(name)
      try tmux.wait("an effect") { _ in try tmux.look() != before }
      if intent == .send {
        try tmux.wait("the end of the reply") {
          $0.contains("tok/s") && !$0.contains("Esc stops") && !$0.contains("stopping")
        }
      }
    }
  }

  /// As tmux calls it.
  private static func name(_ key: KeyPress) -> String {
    var name = ""
    if key.modifiers.contains(.control) { name += "C-" }
    if key.modifiers.contains(.alt) { name += "M-" }
    if key.modifiers.contains(.shift) { name += "S-" }
    switch key.key {
    case .character(let character): name += String(character)
    case .enter: name += "Enter"
    case .tab: name += "Tab"
    case .backTab: name += "BTab"
    case .escape: name += "Escape"
    case .backspace: name += "BSpace"
    case .delete: name += "DC"
    case .insert: name += "IC"
    case .left: name += "Left"
    case .right: name += "Right"
    case .up: name += "Up"
    case .down: name += "Down"
    case .home: name += "Home"
    case .end: name += "End"
    case .pageUp: name += "PPage"
    case .pageDown: name += "NPage"
    case .function(let number): name += "F\(number)"
    }
    return name
  }
}

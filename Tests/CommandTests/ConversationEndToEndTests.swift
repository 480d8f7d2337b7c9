import Foundation
import Testing

/// Saved conversations in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct ConversationEndToEndTests {
  @Test func listedSearchedOpenedAndResumed() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    try stage.start("--max-tokens 8 --temperature 1")
    try stage.ask("first question", stitch: "large")
    try tmux.enter("/title Apples")
    try tmux.enter("/clear")
    try stage.ask("second question", stitch: "large")

    try tmux.enter("/chats")
    try tmux.wait("the list") { $0.contains("Apples") && $0.contains("second question") && $0.contains("1 of 2") }
    try tmux.type("FIRST QU")
    try tmux.wait("what was found") { $0.contains("1 of 1") && $0.contains("    first question") }
    try tmux.press("Enter")
    try tmux.wait("the conversation") { $0.contains("› first question") && !$0.contains("Esc closes") }
    // It goes on, in the same file.
    try stage.ask("third question", stitch: "large")
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
    let folder = stage.root.appendingPathComponent("data/stitch/conversations")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)

    // The one that was added to last.
    try stage.start("--resume")
    try tmux.wait("the conversation again") { $0.contains("› first question") && $0.contains("› third question") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)
  }
}

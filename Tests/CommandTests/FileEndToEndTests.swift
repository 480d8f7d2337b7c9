import Foundation
import LLaMAStitch
import Testing

/// Files that go with a message, in a real terminal.
@Suite(.serialized, .enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
struct FileEndToEndTests {
  @Test func mentionedAttachedCutAndSent() throws {
    let stage = try TerminalStage(default: false)
    let tmux = stage.tmux
    let folder = stage.root.appending(path: "notes")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: folder.appending(path: name))
    }
    try write("sea.txt", "\u{FEFF}the sea is wet\r\nand salty\r\n")
    try write("two words.txt", "a b c\n")
    try write("book.txt", (1...4000).map { "line \($0)\n" }.joined())
    try write("picture.png", "\u{0}PNG\u{0}")
    #expect(mkfifo(folder.appending(path: "pipe").path, 0o600) == 0)
    try stage.start("--max-tokens 8 --temperature 1 --seed 3", before: "cd '\(folder.path)'")

    // Tab completes; what it takes shows before it is sent.
    try tmux.type("read @se")
    try tmux.press("Tab")
    try tmux.wait("the file") { $0.contains("› read @sea.txt") && $0.contains("With sea.txt, 30 bytes, ") }
    try tmux.press("Enter")
    try tmux.wait("the reply") { screen in
      screen.contains("› read @sea.txt") && screen.contains("+ sea.txt, 30 bytes, ") && screen.contains("tok/s")
        && !screen.contains("With sea.txt") && !screen.contains("and salty")
    }

    // What is no text is refused at once, whatever it is.
    try tmux.enter("/file pipe picture.png . /dev/zero nowhere")
    try tmux.wait("the refusals") { screen in
      ["pipe is a pipe", "picture.png: it is", ". is a directory", "/dev/zero is a device", "cannot open nowhere"]
        .allSatisfy(screen.contains)
    }
    try tmux.enter("see @pipe")
    try tmux.wait("the refusal") { $0.contains("not sent: pipe is a pipe") && $0.contains("› see @pipe") }
    try tmux.press("C-u")

    // More than fits is asked about.
    try tmux.type("/file two")
    try tmux.press("Tab")
    try tmux.wait("the completion") { $0.contains("words.txt") }
    try tmux.press("Enter")
    try tmux.wait("the attached file") { $0.contains("With two words.txt, 6 bytes") }
    try tmux.enter("/file book.txt")
    try tmux.wait("the question") { $0.contains("! Not attached: book.txt has ") }
    try tmux.press("Enter")
    try tmux.wait("the beginning") { $0.contains("Attached to the next message: book.txt, ") }
    try tmux.enter("/file - 1")
    try tmux.wait("one less") { $0.contains("a file taken away, 1 left") && $0.contains("With book.txt") }
    try tmux.enter("sum up")
    try tmux.wait("the reply") { $0.contains("+ book.txt, the beginning of ") && !$0.contains("With book.txt") }
    try tmux.wait("its end") { !$0.contains("Esc stops") }
    try tmux.press("C-d")
    try stage.expectEnded(status: 0)

    // The conversation has what was sent, and says where it came from.
    let saved = stage.root.appendingPathComponent("data/stitch/conversations")
    let file = try #require(
      try FileManager.default.contentsOfDirectory(at: saved, includingPropertiesForKeys: nil)
        .first { $0.pathExtension == "jsonl" })
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains(#"read @sea.txt\n\nFile sea.txt:\n```\nthe sea is wet\nand salty\n```"#))
    #expect(text.contains(#""path":"sea.txt""#) && text.contains(#""is_cut":true"#))
    // It replays, from anywhere, with the files as they were.
    try FileManager.default.removeItem(at: folder.appending(path: "sea.txt"))
    let replayed = try StitchProcess.run(["replay", file.path, "--family", stage.family.directory.path])
    #expect(replayed.status == 0, "\(replayed.text)")
  }
}

import FamilyFixture
import Foundation
import LLaMAStitch
import Testing

/// Weights that go away while the program reads them.
@Suite struct MappedFileTests {
  /// Cuts the weights of all anchors short.
  private static func cut(_ family: URL) throws {
    let anchors = try FileManager.default.contentsOfDirectory(
      at: family.appending(path: "anchors"), includingPropertiesForKeys: nil)
    try #require(!anchors.isEmpty)
    for anchor in anchors { #expect(truncate(anchor.appending(path: "model.safetensors").path, 64) == 0) }
  }

  /// One line names the file, and what was said is kept.
  @Test func aFileThatIsCutShortIsNamed() throws {
    try StitchProcess.withTemporaryDirectory { directory in
      let family = directory.appending(path: "family")
      try RandomFamily.make(at: family)
      let complaint = directory.appending(path: "complaint")
      try Data().write(to: complaint)
      let process = Process()
      process.executableURL = StitchProcess.executable
      process.arguments = ["chat", "--plain", "--family", family.path, "--max-tokens", "4"]
      process.environment = StitchProcess.environment.merging(["XDG_DATA_HOME": directory.path]) { $1 }
      let (input, output) = (Pipe(), Pipe())
      (process.standardInput, process.standardOutput) = (input, output)
      process.standardError = try FileHandle(forWritingTo: complaint)
      try process.run()
      try input.fileHandleForWriting.write(contentsOf: Data("hello\n".utf8))
      var shown = ""
      while !shown.contains("\n[") {
        let more = output.fileHandleForReading.availableData
        if more.isEmpty { break }
        shown += String(decoding: more, as: UTF8.self)
      }
      #expect(shown.contains("assistant> "))
      try Self.cut(family)
      try input.fileHandleForWriting.write(contentsOf: Data("and now?\n".utf8))
      try input.fileHandleForWriting.close()
      process.waitUntilExit()
      let said = try String(contentsOf: complaint, encoding: .utf8)
      #expect(process.terminationReason == .exit && process.terminationStatus == 2, "\(said)")
      #expect(
        said.hasPrefix("stitch: \(family.path)/anchors/") && said.contains("/model.safetensors: the file was cut short")
          && said.hasSuffix("start again\n"), "\(said)")
      #expect(said.split(separator: "\n").count == 1, "\(said)")
      let kept = try StitchProcess.run(["conversations", "list"], environment: ["XDG_DATA_HOME": directory.path])
      #expect(kept.text.contains("hello"))
    }
  }

  /// The terminal is restored first, and the line stands below what it had.
  @Test(.enabled(if: Tmux.executable != nil, "tmux is not installed: the terminal UI is not driven"))
  func theTerminalIsRestored() throws {
    let stage = try TerminalStage(default: false)
    try stage.start("--max-tokens 4")
    try stage.ask("hello", stitch: try #require(stage.stops.last))
    try Self.cut(stage.family.directory)
    try stage.tmux.enter("and now?")
    try stage.expectEnded(status: 2)
    let screen = try stage.tmux.screen()
    // Wherever the line is broken.
    #expect(screen.filter { !$0.isWhitespace }.contains("thefilewascutshort"), "\(screen)")
  }
}

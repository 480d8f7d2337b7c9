import ChatTUI
import Foundation
import Testing

@Suite struct InputHistoryTests {
  private func withFile(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("stitch-history-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.appendingPathComponent("state/history.jsonl"))
  }

  @Test func comesBackAndIsPrivate() throws {
    try withFile { file in
      let history = InputHistory(file)
      #expect(history.load() == [])
      history.append("one")
      history.append("two\nlines \u{1B}[2J 漢字")
      #expect(InputHistory(file).load() == ["one", "two\nlines ␛[2J 漢字"])
      let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }

  @Test func isCappedAndForgivesDamage() throws {
    try withFile { file in
      let history = InputHistory(file)
      for number in 1...(InputHistory.mostLines + 20) { history.append("line \(number)") }
      let handle = try FileHandle(forWritingTo: file)
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("\"cut".utf8))
      try handle.close()
      let lines = history.load()
      #expect(lines.count == InputHistory.mostLines - 1 && lines.last == "line \(InputHistory.mostLines + 20)")
      // The file was shortened, and a paste is not kept.
      let count = try Data(contentsOf: file).split(separator: 0x0A).count
      #expect(count == InputHistory.mostLines)
      history.append(String(repeating: "x", count: 100_000))
      #expect(try Data(contentsOf: file).count < 100_000)
      let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }
}

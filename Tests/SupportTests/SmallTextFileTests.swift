import Foundation
import Support
import Testing

@Suite struct SmallTextFileTests {
  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "texts-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  @Test func textAsPeopleHaveIt() throws {
    try withFolder { folder in
      let file = folder.appending(path: "a.txt")
      try Data("\u{FEFF}eins\r\nzwei\rdrei\n".utf8).write(to: file)
      let read = try TextFile.read(file.path, atMost: 100)
      #expect(read.text == "eins\nzwei\ndrei\n" && read.bytes == 19)
      let link = folder.appending(path: "link")
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
      #expect(try TextFile.read(link.path, atMost: 20).text == read.text)
      // Of the kernel's files the size is not known beforehand.
      #expect(try TextFile.read("/proc/self/comm", atMost: 100).text.hasSuffix("\n"))
    }
  }

  /// Nothing is waited for: the test would not end.
  @Test func whatIsNoTextIsRefusedAtOnce() throws {
    try withFolder { folder in
      func refusal(_ path: String, atMost limit: Int = 1 << 20) -> TextFile.ReadingError? {
        do throws(TextFile.ReadingError) {
          _ = try TextFile.read(path, atMost: limit)
          return nil
        } catch { return error }
      }
      let pipe = folder.appending(path: "pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(refusal(pipe) == .notAFile(pipe, kind: "a pipe"))
      #expect(refusal("/dev/zero") == .notAFile("/dev/zero", kind: "a device"))
      #expect(refusal(folder.path) == .notAFile(folder.path, kind: "a directory"))
      let missing = refusal(folder.appending(path: "none\u{1B}[31m").path)
      #expect(missing?.isMissing == true)
      #expect("\(missing!)".contains("none?[31m: no such file or directory; check the path"))
      let file = folder.appending(path: "b").path
      for (bytes, cause) in [
        ([0x68, 0x69, 0x00, 0x0A] + [UInt8](repeating: 0x61, count: 200), "bytes that are 0"),
        ([0x68, 0xFF, 0x0A], "not UTF-8"), ([0x1F, 0x8B, 8, 0], "gzip"), ([0xFF, 0xFE, 0x61, 0], "UTF-16"),
      ] as [([UInt8], String)] {
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let error = refusal(file)
        #expect(
          error.map { "\($0)".contains(cause) && !$0.isMissing } == true, "\(cause): \(String(describing: error))")
      }
      try Data(repeating: 0x61, count: 3000).write(to: URL(fileURLWithPath: file))
      #expect(refusal(file, atMost: 2048) == .tooLarge(file, limit: 2048))
      #expect(refusal(file, atMost: 3000) == nil)
    }
  }
}

import Foundation
import Support
import Testing

/// What killed runs leave, beside what others use.
@Suite struct LeftoversTests {
  /// No process has this number.
  private static let gone = Int32.max

  private static func with(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "leftovers-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.resolvingSymlinksInPath())
  }

  @Test func onlyWhatNobodyUsesGoes() throws {
    try Self.with { directory in
      let folder = directory.appending(path: "a/b")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let left = folder.appending(path: ".out.safetensors.\(Self.gone).7.tmp")
      try Data("12345".utf8).write(to: left)
      let staging = directory.appending(path: ".family.\(Self.gone).8.tmp")
      try FileManager.default.createDirectory(at: staging, withIntermediateDirectories: true)
      try Data("123".utf8).write(to: staging.appending(path: "family.json"))
      // Somebody's who is there, names that only look so, a file with a name of its own, a beginning of a download.
      let others = [
        ".out.safetensors.\(getpid()).7.tmp", ".out.notes.tmp", ".\(Self.gone).7.tmp", "out.\(Self.gone).7.tmp",
        ".out.\(Self.gone).x.tmp", "out", "wheel.part", ".lock",
      ]
      for name in others { try Data().write(to: folder.appending(path: name)) }
      let (free, held, new) = (
        folder.appending(path: "free.lock"), folder.appending(path: "held.lock"), folder.appending(path: "new.lock")
      )
      for lock in [free, held, new] { try Data().write(to: lock) }
      let lock = try FileLock(of: folder.appending(path: "held"))
      for file in [free, held] {
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: file.path)
      }
      // However long this takes, it is new.
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: 86400)], ofItemAtPath: new.path)
      let leftovers = Leftovers(besides: [directory])
      let items = leftovers.find().filter { $0.path.hasPrefix(directory.path) }
      #expect(Set(items.map(\.path)) == [left.path, staging.path, free.path])
      #expect(items.first { $0.path == left.path }?.bytes == 5)
      #expect(items.first { $0.path == staging.path }?.bytes == 3)
      #expect(try leftovers.remove(items).count == 3)
      for name in others + ["held.lock", "new.lock"] {
        #expect(FileManager.default.fileExists(atPath: folder.appending(path: name).path), "\(name)")
      }
      #expect(leftovers.find().filter { $0.path.hasPrefix(directory.path) }.isEmpty)
      withExtendedLifetime(lock) {}
    }
  }

  /// A link that leads out of a directory is not followed.
  @Test func linksAreNotFollowed() throws {
    try Self.with { directory in
      try Self.with { other in
        let left = other.appending(path: ".x.\(Self.gone).1.tmp")
        try Data().write(to: left)
        try FileManager.default.createSymbolicLink(at: directory.appending(path: "link"), withDestinationURL: other)
        let leftovers = Leftovers(besides: [directory])
        #expect(!leftovers.find().contains { $0.path.hasPrefix(directory.path) })
        #expect(FileManager.default.fileExists(atPath: left.path))
      }
    }
  }
}

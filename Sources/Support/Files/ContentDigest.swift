import Foundation

/// The SHA-256 of large files, computed once.
///
/// What was computed is remembered in the user's cache together with what the file system says of the files (device,
/// inode, size, times of change to the nanosecond): those that were written to or replaced are read again.
package enum ContentDigest {
  /// What the file system says of a file.
  private struct State: Codable, Equatable {
    var path: String
    var device: UInt64
    var inode: UInt64
    var size: Int
    var modified: [Int]
    var changed: [Int]
  }

  /// What is remembered of a file, or of several.
  private struct Memory: Codable {
    var files: [State]
    var sha256: String
  }

  /// Bytes that are hashed between two calls of `progress`.
  private static let stride = 16 << 20

  /// - Parameters:
  ///   - cache: where digests are remembered.
  ///   - progress: hears of bytes as they are hashed; nothing where the digest is known.
  /// - Returns: 64 hexadecimal digits.
  /// - Throws: `FileError` where the file cannot be read.
  package static func sha256(
    of file: URL, cache: URL = UserDirectories.cache, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws(FileError) -> String {
    try sha256(of: [file], cache: cache, progress: progress)
  }

  /// The same of several files, as if they were one, one after another.
  package static func sha256(
    of files: [URL], cache: URL = UserDirectories.cache, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws(FileError) -> String {
    var states: [State] = []
    for file in files { states.append(try state(of: file)) }
    let name = SHA256.hexadecimal(of: Array(states.map(\.path).joined(separator: "\0").utf8)).prefix(16)
    let place = cache.appendingPathComponent("digests/\(name).json")
    if let known = read(place), known.files == states, known.sha256.count == 64 { return known.sha256 }
    let all = states.reduce(0) { $0 + $1.size }
    var hash = SHA256()
    var done = 0
    for file in files {
      let mapped = try MappedFile(file)
      for start in Swift.stride(from: 0, to: mapped.count, by: stride) {
        progress(done + start, all)
        hash.update(mapped.bytes.slice(start..<min(start + stride, mapped.count)))
      }
      done += mapped.count
    }
    progress(done, all)
    let sha256 = hash.finish()
    remember(Memory(files: states, sha256: sha256), in: place)
    return sha256
  }

  /// What is remembered of files that are gone.
  static func ofMissingFiles(cache: URL = UserDirectories.cache) -> [URL] {
    let folder = cache.appendingPathComponent("digests")
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: folder.path) } catch { return [] }
    return names.sorted().map(folder.appendingPathComponent).filter { place in
      // What cannot be read is remembered of nothing.
      guard place.pathExtension == "json" else { return false }
      return read(place).map { $0.files.contains { access($0.path, F_OK) != 0 } } ?? true
    }
  }

  private static func state(of file: URL) throws(FileError) -> State {
    let path = file.resolvingSymlinksInPath().standardizedFileURL.path
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(operation: "read", file: file.path, code: errno) }
    return State(
      path: path, device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int(status.st_size),
      modified: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec],
      changed: [status.st_ctim.tv_sec, status.st_ctim.tv_nsec])
  }

  /// `nil` where nothing usable is remembered.
  private static func read(_ place: URL) -> Memory? {
    guard let data = FileManager.default.contents(atPath: place.path) else { return nil }
    do { return try JSONDecoder().decode(Memory.self, from: data) } catch { return nil }
  }

  /// A digest that cannot be kept is computed again the next time.
  private static func remember(_ memory: Memory, in place: URL) {
    do {
      try NewDirectory.makePath(place.deletingLastPathComponent())
      try AtomicFile.write(try JSONEncoder().encode(memory), to: place)
    } catch {}
  }
}

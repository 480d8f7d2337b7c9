import Foundation

/// Writes files that are either the old version or the complete new one, whatever happens in between.
///
/// The bytes go to a temporary file in the same directory, which is flushed to disk and renamed over the
/// destination; then the directory is flushed too.
public enum AtomicFile {
  /// Replaces `url` by `data`.
  /// - Parameter permissions: of the file, before the process's own mask.
  /// - Throws: `FileError.system`; the old file is untouched then.
  public static func write(_ data: Data, to url: URL, permissions: UInt32 = 0o666) throws {
    try write(to: url, permissions: permissions) { file in
      try data.withUnsafeBytes { try file.append($0) }
    }
  }

  /// Replaces `url` by what `body` appends.
  /// - Throws: `FileError.system`, or what `body` throws; the old file is untouched then.
  package static func write(
    to url: URL, permissions: UInt32 = 0o666, _ body: (FileAppender) throws -> Void
  ) throws {
    let directory = url.deletingLastPathComponent()
    let temporary = directory.appendingPathComponent(
      ".\(url.lastPathComponent).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp")
    let descriptor = try TemporaryPaths.begin(temporary) { () throws(FileError) in
      let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
      guard descriptor >= 0 else {
        throw .system(operation: "create a file beside", file: url.path, code: errno)
      }
      return descriptor
    }
    defer { TemporaryPaths.end(temporary) }
    do {
      do {
        defer { close(descriptor) }
        let file = FileAppender(descriptor: descriptor, path: url.path)
        try body(file)
        try file.flush()
        guard fsync(descriptor) == 0 else {
          throw FileError.system(operation: "flush", file: url.path, code: errno)
        }
      }
      guard rename(temporary.path, url.path) == 0 else {
        throw FileError.system(operation: "replace", file: url.path, code: errno)
      }
    } catch {
      unlink(temporary.path)
      throw error
    }
    try flushDirectory(directory)
  }

  /// Deletes what writers of this file or directory left behind that were killed before they were done.
  package static func removeLeftovers(of url: URL) {
    let directory = url.deletingLastPathComponent()
    let names: [String]
    // What cannot be listed or deleted stays; the file itself does not suffer from it.
    do { names = try FileManager.default.contentsOfDirectory(atPath: directory.path) } catch { return }
    for name in names where isLeftover(name, of: url.lastPathComponent) {
      do { try FileManager.default.removeItem(at: directory.appendingPathComponent(name)) } catch {}  // see above
    }
  }

  /// Whether a name, `.NAME.PROCESS.NUMBER.tmp`, is that of a temporary file or directory whose writer is gone.
  /// - Parameter file: what was to be written; `nil`: anything.
  static func isLeftover(_ name: String, of file: String? = nil) -> Bool {
    guard name.hasPrefix("."), name.hasSuffix(".tmp") else { return false }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 5, file == nil || parts.dropLast(3).joined(separator: ".") == ".\(file ?? "")",
      let writer = pid_t(parts[parts.count - 3]), UInt32(parts[parts.count - 2]) != nil
    else { return false }
    return isGone(writer)
  }

  /// Whether there is no such process.
  static func isGone(_ process: pid_t) -> Bool { process > 0 && kill(process, 0) != 0 && errno == ESRCH }

  /// Makes the names in a directory durable.
  public static func flushDirectory(_ directory: URL) throws(FileError) {
    try flush(directory, flags: O_DIRECTORY)
  }

  /// Makes a file or the names in a directory durable.
  package static func flush(_ url: URL, flags: Int32) throws(FileError) {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | flags)
    guard descriptor >= 0 else {
      throw .system(operation: "open", file: url.path, code: errno)
    }
    defer { close(descriptor) }
    // Some file systems cannot flush a directory and say EINVAL; the rename itself has happened.
    if fsync(descriptor) != 0 && errno != EINVAL {
      throw .system(operation: "flush", file: url.path, code: errno)
    }
  }
}

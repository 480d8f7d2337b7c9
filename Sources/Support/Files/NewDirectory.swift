import Foundation

/// Directories that are written as a whole: what is seen under the final name is complete.
///
/// The content goes to a temporary directory beside it, is flushed to disk, and the directory is renamed.
public enum NewDirectory {
  /// Checks, and leaves nothing behind, that a directory can be written at `url`: nothing is there, and what is above
  /// it is a directory that can be written to. For asking before hours of work rather than after.
  /// - Throws: `FileError`.
  public static func check(_ url: URL) throws(FileError) {
    var status = stat()
    // A link that leads nowhere is there too.
    if lstat(url.path, &status) == 0 { throw .exists(directory: url.path) }
    guard errno == ENOENT else { throw .system(operation: "create", file: url.path, code: errno) }
    var above = url.standardizedFileURL.deletingLastPathComponent()
    while stat(above.path, &status) != 0 {
      guard errno == ENOENT, above.path != "/" else {
        throw .system(operation: "create", file: url.path, code: errno)
      }
      above.deleteLastPathComponent()
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .system(operation: "create", file: url.path, code: ENOTDIR) }
    // Only trying tells: permissions, quotas and read-only file systems have ways of their own.
    let trial = temporary(url.lastPathComponent, in: above)
    try make(trial, for: url, permissions: 0o700)
    defer { TemporaryPaths.end(trial) }
    guard rmdir(trial.path) == 0 else { throw .system(operation: "create", file: url.path, code: errno) }
  }

  /// Makes a directory and what is missing above it.
  public static func makePath(_ url: URL) throws(FileError) {
    try TemporaryPaths.make { () throws(FileError) in
      do { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) } catch {
        throw .system(operation: "create", file: url.path, code: systemCode(of: error))
      }
    }
  }

  /// Writes what `body` puts into a directory that does not exist yet. If anything fails, nothing is left behind.
  /// - Throws: `FileError`, or what `body` throws.
  public static func write(_ url: URL, _ body: (URL) throws -> Void) throws {
    try check(url)
    let parent = url.deletingLastPathComponent()
    try makePath(parent)
    AtomicFile.removeLeftovers(of: url)
    let staging = temporary(url.lastPathComponent, in: parent)
    try make(staging, for: url, permissions: 0o777)
    defer { TemporaryPaths.end(staging) }
    do {
      try body(staging)
      try flush(staging)
      guard rename(staging.path, url.path) == 0 else {
        throw FileError.system(operation: "create", file: url.path, code: errno)
      }
    } catch {
      do { try FileManager.default.removeItem(at: staging) } catch {}  // the first error matters
      throw error
    }
    try AtomicFile.flushDirectory(parent)
  }

  /// Calls `body` with an empty directory beside `url`, on the same disk, for what is only needed meanwhile. It is removed
  /// afterwards; if the program is killed before, by the next one.
  /// - Parameter note: told where it could not be removed.
  public static func withScratch<Result>(
    beside url: URL, note: (String) -> Void, _ body: (URL) throws -> Result
  ) throws -> Result {
    let parent = url.deletingLastPathComponent()
    try makePath(parent)
    AtomicFile.removeLeftovers(of: url)
    let directory = temporary(url.lastPathComponent, in: parent)
    try make(directory, for: directory, permissions: 0o700)
    defer {
      do { try FileManager.default.removeItem(at: directory) } catch { note("\(directory.path) can be deleted") }
      TemporaryPaths.end(directory)
    }
    return try body(directory)
  }

  /// Makes a directory that is removed if the process is interrupted.
  /// - Parameter url: what an error is about.
  private static func make(_ directory: URL, for url: URL, permissions: mode_t) throws(FileError) {
    try TemporaryPaths.begin(directory) { () throws(FileError) in
      guard mkdir(directory.path, permissions) == 0 else {
        throw .system(operation: "create", file: url.path, code: errno)
      }
    }
  }

  private static func temporary(_ name: String, in directory: URL) -> URL {
    directory.appendingPathComponent(".\(name).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp")
  }

  /// Copies a file or a directory; of a link, what it leads to.
  package static func copy(_ source: URL, to target: URL) throws(FileError) {
    try makePath(target.deletingLastPathComponent())
    do { try FileManager.default.copyItem(at: source.resolvingSymlinksInPath(), to: target) } catch {
      throw .system(operation: "copy", file: source.path, code: systemCode(of: error))
    }
  }

  /// A second name for a file's content, on the same disk; elsewhere a copy.
  package static func link(_ source: URL, to target: URL) throws(FileError) {
    if Foundation.link(source.resolvingSymlinksInPath().path, target.path) != 0 { try copy(source, to: target) }
  }

  /// Flushes every file and directory below `url`.
  private static func flush(_ url: URL) throws(FileError) {
    let content: [URL]
    do {
      content = try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: [.isDirectoryKey])
    } catch {
      throw .system(operation: "flush", file: url.path, code: systemCode(of: error))
    }
    for item in content {
      if item.hasDirectoryPath { try flush(item) } else { try AtomicFile.flush(item, flags: 0) }
    }
    try AtomicFile.flushDirectory(url)
  }

  /// The `errno` behind one of Foundation's errors.
  private static func systemCode(of error: any Error) -> Int32 {
    let error = error as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    if let under = error.userInfo[NSUnderlyingErrorKey] as? any Error { return systemCode(of: under) }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: return ENOENT
    case .fileWriteNoPermission, .fileReadNoPermission: return EACCES
    case .fileWriteFileExists: return EEXIST
    case .fileWriteOutOfSpace: return ENOSPC
    case .fileWriteVolumeReadOnly: return EROFS
    default: return EIO
    }
  }
}

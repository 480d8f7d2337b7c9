import Glibc

/// Whole files, read and written with the system's own reasons for failure.
package enum FileBytes {
  /// Larger files are no tokenizers; loading one by mistake (weights, say) must not fill the memory.
  static let limit = 256 << 20

  /// The bytes of a file of at most `limit` bytes.
  static func read(_ path: String) throws(TokenizerError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ENOENT || errno == ENOTDIR
        ? .missingFile(path) : .unreadable(file: path, reason: systemReason())
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw .unreadable(file: path, reason: systemReason())
      }
      guard bytes.count + count <= limit else {
        throw .notAModel(file: path, reason: "larger than \(limit >> 20) MB")
      }
      bytes += chunk[..<count]
    }
  }

  /// Symbolic links are followed.
  static func isDirectory(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  /// Replaces a file as a whole: written beside it, flushed to disk, then renamed, so that a reader sees the old file
  /// or the new one.
  package static func writeAtomically(_ bytes: [UInt8], to path: String) throws(TokenizerError) {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .unwritable(file: path, reason: systemReason()) }
    var failure = writeAll(bytes, to: descriptor)
    if failure == nil, fsync(descriptor) != 0 { failure = systemReason() }
    if close(descriptor) != 0, failure == nil { failure = systemReason() }
    if failure == nil, rename(temporary, path) != 0 { failure = systemReason() }
    guard let failure else {
      syncDirectory(of: path)
      return
    }
    unlink(temporary)
    throw .unwritable(file: path, reason: failure)
  }

  /// `nil`, or why it failed.
  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> String? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withContiguousStorageIfAvailable { write(descriptor, $0.baseAddress, $0.count) } ?? 0
      if count < 0 {
        if errno == EINTR { continue }
        return systemReason()
      }
      rest = rest.dropFirst(count)
    }
    return nil
  }

  /// Makes a rename durable. The content is already safe: a file system that cannot do this is no failure.
  private static func syncDirectory(of path: String) {
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func systemReason() -> String { String(cString: strerror(errno)) }
}

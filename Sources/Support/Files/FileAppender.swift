import Foundation

/// A new file that grows at its end.
///
/// It is written in pieces as large as a huge page, each where such a page begins: then the system can keep the file in
/// huge pages, and whoever maps it reads it faster.
package final class FileAppender {
  package let path: String
  private let descriptor: Int32
  private let piece: UnsafeMutableRawBufferPointer
  /// Bytes of `piece` that are not written yet.
  private var waiting = 0

  /// - Parameters:
  ///   - descriptor: of an empty file, which the caller closes.
  ///   - path: for messages.
  package init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
    piece = .allocate(byteCount: 2 << 20, alignment: 4096)
  }

  deinit { piece.deallocate() }

  /// Keeps the bytes, or writes them: all are in the file after `flush`.
  /// - Throws: `FileError.system`.
  package func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while rest.count > 0 {
      let count = min(rest.count, piece.count - waiting)
      UnsafeMutableRawBufferPointer(rebasing: piece[waiting...]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      waiting += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      if waiting == piece.count { try flush() }
    }
  }

  /// The same of data.
  package func append(_ data: Data) throws {
    try data.withUnsafeBytes { try append($0) }
  }

  /// Writes what waits.
  /// - Throws: `FileError.system`.
  package func flush() throws(FileError) {
    var rest = UnsafeRawBufferPointer(rebasing: piece[..<waiting])
    waiting = 0
    while rest.count > 0 {
      let written = write(descriptor, rest.baseAddress, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw .system(operation: "write", file: path, code: errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }
}

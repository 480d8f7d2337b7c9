import Glibc

import struct Foundation.Data

extension TextFile {
  /// Why a file's text cannot be had. The description is one line: cause, file, remedy.
  package enum ReadingError: Error, Equatable, CustomStringConvertible {
    case system(FileError)
    /// A directory, a device, a pipe: what it is.
    case notAFile(String, kind: String)
    case tooLarge(String, limit: Int)
    case notText(String, cause: String)

    package var description: String {
      switch self {
      case .system(let error): error.description
      case .notAFile(let file, let kind): oneLine("\(file) is \(kind); name a file of text")
      case .tooLarge(let file, let limit):
        oneLine("\(file) has more than \(limit >> 10) KiB, the most that is read of one; name a shorter one")
      case .notText(let file, let cause): oneLine("\(file): \(cause)")
      }
    }

    /// There is nothing of that name.
    package var isMissing: Bool {
      if case .system(.system(_, _, let code)) = self { [ENOENT, ENOTDIR, ENAMETOOLONG].contains(code) } else { false }
    }
  }

  /// Reads a file of text, at once or not at all: what never ends, or is not there yet (a device, a pipe) is not waited for.
  /// - Returns: the text as `text` has it, and the bytes that the file has.
  package static func read(_ path: String, atMost limit: Int) throws(ReadingError) -> (text: String, bytes: Int) {
    func failure(_ operation: String) -> ReadingError {
      .system(.system(operation: operation, file: path, code: errno))
    }
    // Before it is opened: opening alone does something to some devices.
    var status = stat()
    guard stat(path, &status) == 0 else { throw failure("open") }
    if let kind = kind(status.st_mode) { throw .notAFile(path, kind: kind) }
    if status.st_size > limit { throw .tooLarge(path, limit: limit) }
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    // It may be another one by now.
    guard fstat(descriptor, &status) == 0 else { throw failure("examine") }
    if let kind = kind(status.st_mode) { throw .notAFile(path, kind: kind) }
    var data = Data()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("read")
      }
      data.append(contentsOf: chunk[..<count])
      if data.count > limit { throw .tooLarge(path, limit: limit) }
    }
    let text: String
    do throws(NotText) { text = try self.text(data) } catch { throw .notText(path, cause: error.cause) }
    if text.utf8.contains(0) { throw .notText(path, cause: "it is no text: it has bytes that are 0") }
    return (text, data.count)
  }

  /// What a file is that is no plain one.
  private static func kind(_ mode: mode_t) -> String? {
    switch mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: "a directory"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }
}

import Glibc

/// What the file system refuses. The description is one line: cause, file, remedy.
public enum FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operating system refused: `operation` is what was tried, `code` its `errno`.
  case system(operation: String, file: String, code: Int32)
  /// A directory to be written exists already.
  case exists(directory: String)
  /// Another process works on it.
  case inUse(file: String)

  public var description: String {
    switch self {
    case .system(let operation, let file, let code):
      let reason = SystemErrorText(code: code)
      return oneLine("cannot \(operation) \(file): \(reason); \(reason.remedy)")
    case .exists(let directory):
      return oneLine("\(directory) exists already; remove it or name another directory")
    case .inUse(let file):
      return oneLine("\(file) is in use by another run; wait for its end, or name another file")
    }
  }
}

/// The text of an `errno` and what a user can do about it.
package struct SystemErrorText: CustomStringConvertible {
  package let code: Int32

  package init(code: Int32) { self.code = code }

  package var description: String { String(cString: strerror(code)).lowercased() }

  package var remedy: String {
    switch code {
    case ENOENT: "check the path"
    case EACCES, EPERM, EROFS: "check the permissions, or use another directory"
    case ENOSPC, EDQUOT: "free some space, or use another directory"
    case EISDIR: "name a file, not a directory"
    case ENOTDIR: "a part of the path is not a directory"
    case EEXIST, ENOTEMPTY: "remove it, or choose another name"
    default: "check the file and the disk it is on"
    }
  }
}

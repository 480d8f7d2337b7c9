import Glibc

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

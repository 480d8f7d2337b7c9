import Foundation

/// Keeps other processes away from a file while this one works on it: a lock on a file beside it, `NAME.lock`.
///
/// The system gives the lock back when the process ends, however it ends. The lock file goes with the lock if this
/// process made it; one that a killed process left behind stays until `remove`.
public final class FileLock {
  private let path: String
  private let descriptor: Int32
  private var removes: Bool

  /// - Throws: `StorageError.inUse` if another process has the lock, `StorageError.system`.
  public init(of url: URL) throws(StorageError) {
    path = url.path + ".lock"
    // A lock file may be removed between opening and locking it: then that lock means nothing.
    while true {
      var isNew = true
      var descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor < 0 && errno == EEXIST {
        isNew = false
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        if descriptor < 0 && errno == ENOENT { continue }
      }
      guard descriptor >= 0 else { throw .system(operation: "create", file: path, code: errno) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        close(descriptor)
        if code == EWOULDBLOCK { throw .inUse(file: url.path) }
        throw .system(operation: "lock", file: path, code: code)
      }
      var mine = stat()
      var named = stat()
      if fstat(descriptor, &mine) == 0, stat(path, &named) == 0, mine.st_ino == named.st_ino,
        mine.st_dev == named.st_dev
      {
        self.descriptor = descriptor
        removes = isNew
        return
      }
      close(descriptor)
    }
  }

  /// The work is done: the lock file goes with the lock.
  public func remove() { removes = true }

  deinit {
    if removes { unlink(path) }
    close(descriptor)
  }
}

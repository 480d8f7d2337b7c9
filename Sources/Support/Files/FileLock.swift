import Foundation

/// Keeps other processes, and other users of the same file in this one, away while work is done: a lock on a file of
/// its own.
///
/// The system gives the lock back when the process ends, however it ends.
public final class FileLock {
  /// What to do where somebody else has the lock.
  package enum Contention { case fail, wait }

  private let path: String
  private let descriptor: Int32
  private var removes: Bool

  /// Locks `url` by a file beside it, `NAME.lock`. The lock file goes with the lock if this process made it; one that a
  /// killed process left behind stays until `remove`.
  /// - Throws: `FileError.inUse` if another process has the lock, `FileError.system`.
  public init(of url: URL) throws(FileError) {
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
      do throws(FileError) { try Self.lock(descriptor, of: url.path, path, .fail) } catch {
        close(descriptor)
        throw error
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

  /// Locks the file `url` itself, which is made where it is missing and stays.
  /// - Parameter isInherited: the processes that this one starts hold the lock, too, as long as they run.
  /// - Throws: `FileError.inUse` if somebody else has the lock and it is not to be waited for, `FileError.system`.
  package init(on url: URL, contention: Contention, isInherited: Bool = false) throws(FileError) {
    path = url.path
    removes = false
    descriptor = open(path, O_RDWR | O_CREAT | (isInherited ? 0 : O_CLOEXEC), 0o666)
    guard descriptor >= 0 else { throw .system(operation: "create", file: path, code: errno) }
    // After a failure `deinit` closes it.
    try Self.lock(descriptor, of: path, path, contention)
  }

  private static func lock(
    _ descriptor: Int32, of file: String, _ path: String, _ contention: Contention
  ) throws(FileError) {
    while flock(descriptor, contention == .fail ? LOCK_EX | LOCK_NB : LOCK_EX) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: throw .inUse(file: file)
      default: throw .system(operation: "lock", file: path, code: errno)
      }
    }
  }

  /// The work is done: the lock file goes with the lock.
  public func remove() { removes = true }

  deinit {
    if descriptor < 0 { return }
    if removes { unlink(path) }
    close(descriptor)
  }
}

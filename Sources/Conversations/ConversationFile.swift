import ChatEngine
import Foundation
import Support

/// The open file of a conversation: no other program appends to it meanwhile.
///
/// `@unchecked Sendable`: it is made whole, and afterwards `ConversationRecorder` uses it under its lock only; the
/// descriptor, which the flushing thread gets too, never changes.
final class ConversationFile: @unchecked Sendable {
  let id: String
  let path: String
  let descriptor: Int32
  private let lock: FileLock
  private let flusher: WorkerThread

  /// Makes the file of a new conversation, empty, readable by the user alone.
  /// - Throws: `ConversationError.unwritable`, `ConversationError.inUse`.
  init(new id: String, in store: ConversationStore, flusher: WorkerThread) throws(ConversationError) {
    try store.makeDirectory()
    self.id = id
    let file = store.file(id)
    path = file.path
    self.flusher = flusher
    lock = try Self.lock(file, id)
    descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw .unwritable(path, code: errno) }
  }

  /// Opens a saved one and reads it. A torn line at its end, which a killed program left, is cut off.
  /// - Throws: `ConversationError`.
  static func open(
    _ id: String, in store: ConversationStore, flusher: WorkerThread
  ) throws(ConversationError) -> (ConversationFile, SavedConversation) {
    let file = try ConversationFile(existing: id, in: store, flusher: flusher)
    // Read with the lock held, so that nothing is missed.
    let contents = try ConversationReader.read(URL(fileURLWithPath: file.path))
    if contents.tornBytes > 0, ftruncate(file.descriptor, off_t(contents.wholeBytes)) != 0 {
      throw .unwritable(file.path, code: errno)
    }
    return (file, contents.conversation)
  }

  private init(existing id: String, in store: ConversationStore, flusher: WorkerThread) throws(ConversationError) {
    self.id = id
    let file = store.file(id)
    path = file.path
    self.flusher = flusher
    lock = try Self.lock(file, id)
    descriptor = Foundation.open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    if descriptor < 0 { throw .unwritable(path, code: errno) }
  }

  static func lock(_ file: URL, _ id: String) throws(ConversationError) -> FileLock {
    do throws(FileError) {
      let lock = try FileLock(of: file)
      // A lock file that a killed program left behind goes too.
      lock.remove()
      return lock
    } catch .inUse {
      throw .inUse(id: id)
    } catch .system(_, let file, let code) {
      throw .unwritable(file, code: code)
    } catch {
      throw .unwritable(file: file.path, cause: "\(error)", remedy: "check the folder")
    }
  }

  deinit {
    if descriptor < 0 { return }
    // After the flushes that were asked for.
    flusher.perform { [descriptor] in _ = close(descriptor) }
  }

  /// Appends in one call to the system; what was written is removed from `bytes`.
  /// - Throws: `ConversationError.unwritable`; `bytes` then begin where the next attempt has to go on.
  func append(_ bytes: inout [UInt8]) throws(ConversationError) {
    while !bytes.isEmpty {
      let count = write(descriptor, bytes, bytes.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw .unwritable(path, code: errno)
      }
      bytes.removeFirst(count)
    }
  }
}

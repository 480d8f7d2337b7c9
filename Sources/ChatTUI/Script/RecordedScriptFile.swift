import Foundation
import Support
import Synchronization

/// The new file that a script is recorded in. What is given to it is appended with one call to the system, so that it
/// holds whole lines and survives the end of the program, whatever ends it.
public final class RecordedScriptFile: Sendable {
  /// Why there is no such file, or no more is written to it; one line.
  public struct Failure: Error, CustomStringConvertible { public var description: String }

  private struct State {
    var descriptor: Int32
    var count: off_t = 0
  }

  private let path: String
  private let state: Mutex<State>

  /// Makes the file.
  /// - Throws: `Failure`, also where one of that name is there already.
  public init(_ path: String) throws(Failure) {
    self.path = path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
    let code = errno
    if descriptor < 0 && code == EEXIST {
      throw Failure(
        description: "\(path) is there already and is not overwritten; choose another name, or delete it first")
    }
    if descriptor < 0 { throw Failure(description: Self.words(path, code)) }
    state = Mutex(State(descriptor: descriptor))
  }

  private static func words(_ path: String, _ code: Int32) -> String {
    let reason = SystemErrorText(code: code)
    return "cannot write \(path): \(reason); \(reason.remedy)"
  }

  /// - Throws: `Failure`; the file then holds what was appended before, and nothing can be added any more.
  func append(_ text: String) throws(Failure) {
    let bytes = Array(text.utf8)
    let code: Int32 = state.withLock { state in
      if state.descriptor < 0 { return 0 }
      var written = 0
      while written < bytes.count {
        let count = write(state.descriptor, Array(bytes[written...]), bytes.count - written)
        if count < 0 && errno == EINTR { continue }
        if count < 0 {
          let code = errno
          // Half a line would make the whole file unreadable.
          _ = ftruncate(state.descriptor, state.count)
          _ = Foundation.close(state.descriptor)
          state.descriptor = -1
          return code
        }
        written += count
      }
      state.count += off_t(bytes.count)
      return 0
    }
    if code != 0 { throw Failure(description: Self.words(path, code)) }
  }

  /// Nothing more is recorded. A file in which nothing was is removed.
  public func close() {
    state.withLock { state in
      if state.descriptor < 0 { return }
      _ = Foundation.close(state.descriptor)
      state.descriptor = -1
      if state.count == 0 { unlink(path) }
    }
  }
}

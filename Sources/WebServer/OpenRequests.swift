import Synchronization

/// Requests that are being answered, and whether the server takes more of them.
final class OpenRequests: Sendable {
  private struct State {
    var count = 0
    var isEnding = false
  }

  private let state = Mutex(State())

  var count: Int { state.withLock(\.count) }
  var isEnding: Bool { state.withLock(\.isEnding) }

  /// From here on no request is answered that has not begun.
  func end() { state.withLock { $0.isEnding = true } }

  /// - Returns: whether the request may be answered: then it is counted until `finish`.
  func begin() -> Bool {
    state.withLock { state in
      if state.isEnding { return false }
      state.count += 1
      return true
    }
  }

  func finish() { state.withLock { $0.count -= 1 } }
}

import Synchronization

/// How many clients are connected: known once there is a server, which is made after what tells of it.
final class ConnectionCount: Sendable {
  private let source = Mutex<(@Sendable () -> Int)?>(nil)

  var now: Int { source.withLock { $0 }?() ?? 0 }

  var count: (@Sendable () -> Int)? {
    get { source.withLock { $0 } }
    set { source.withLock { $0 = newValue } }
  }
}

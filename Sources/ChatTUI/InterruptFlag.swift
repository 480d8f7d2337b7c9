import Foundation
import Synchronization

/// Ctrl-C in a plain chat: while a reply is made it stops the reply, otherwise it ends the program as always.
enum InterruptFlag {
  /// The handler does nothing but set it, which a handler may.
  private static let isSet = Atomic(false)

  /// From now on Ctrl-C only sets the flag.
  static func watch() {
    isSet.store(false, ordering: .relaxed)
    signal(SIGINT) { _ in InterruptFlag.isSet.store(true, ordering: .relaxed) }
  }

  static func leave() { signal(SIGINT, SIG_DFL) }

  /// Whether it was pressed since the last time.
  static func take() -> Bool { isSet.exchange(false, ordering: .relaxed) }
}

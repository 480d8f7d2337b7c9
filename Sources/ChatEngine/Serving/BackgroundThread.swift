import Foundation
import Support

/// A thread for long work that stands back behind replies.
enum BackgroundThread {
  /// How far, and its workers too.
  private static let niceness: Int32 = 10

  static func start(name: String, _ body: @escaping @Sendable () -> Void) {
    NativeThread.startOrEnd(name: name, stackSize: 8 << 20) {
      // On Linux this is the thread's own, and the worker threads that it makes inherit it. Without it the work only
      // competes more with replies.
      _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
      body()
    }
  }
}

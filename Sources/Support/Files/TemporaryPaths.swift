import Foundation
import Synchronization

/// Files and directories that exist only until what is written has its name. A program that is told to end removes them
/// first; those of one that is killed outright are removed by the next that writes there.
public enum TemporaryPaths {
  private static let registered = Mutex(Registered())
  /// What is to be said before the process ends; see `beforeEnding`.
  private static let farewell = Mutex<(@Sendable () -> Void)?>(nil)
  /// What a first signal does instead of ending the process; see `onFirstSignal`.
  private static let first = Mutex<(@Sendable () -> Void)?>(nil)
  /// Held, and never given back, by the one who ends the process.
  private static let ending = Mutex(())

  private struct Registered {
    var paths: Set<String> = []
    /// Nothing is created any more: nobody would remove it.
    var isEnding = false
  }

  /// Calls `create`, which makes `url`. From here on `url` is removed if the process is interrupted: a signal comes before
  /// `url` is there, and then it is never made, or finds it.
  static func begin<Result>(_ url: URL, create: () throws(FileError) -> Result) throws(FileError) -> Result {
    try unlessEnding { state throws(FileError) in
      let made = try create()
      state.paths.insert(url.path)
      return made
    }
  }

  /// Calls `create`, which makes directories, and would make those anew that were just removed.
  static func make(_ create: () throws(FileError) -> Void) throws(FileError) {
    try unlessEnding { _ throws(FileError) in try create() }
  }

  /// Once the process ends, whoever calls this stands still until it has ended.
  private static func unlessEnding<Result>(
    _ body: (inout Registered) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    let result = try registered.withLock { state throws(FileError) -> Result? in
      state.isEnding ? nil : try body(&state)
    }
    guard let result else { while true { pause() } }
    return result
  }

  /// `url` is removed or has its name.
  static func end(_ url: URL) { _ = registered.withLock { $0.paths.remove(url.path) } }

  /// From here on SIGINT, SIGTERM and SIGHUP end the process as they always do, but remove what is temporary first. A signal
  /// that whoever started the process has it ignore stays ignored.
  public static func removeOnSignals() {
    guard signals.writing >= 0 else { return }
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // A handler may do next to nothing: it tells a thread.
      let previous = signal(number) { number in
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(TemporaryPaths.signals.writing, &byte, 1)
      }
      if isIgnored(previous) { signal(number, SIG_IGN) }
    }
    Thread.detachNewThread {
      var byte: UInt8 = 0
      while true {
        while read(signals.reading, &byte, 1) != 1 {}
        guard let action = first.withLock({ $0.take() }) else { endProcess(Int32(byte)) }
        action()
      }
    }
  }

  /// Calls `action` on a thread of its own when a signal ends the process: for saying what is left, and how to go on.
  /// - Parameter action: `nil` where there is nothing to say any more.
  public static func beforeEnding(_ action: (@Sendable () -> Void)?) { farewell.withLock { $0 = action } }

  /// Calls `action` on a thread of its own at the first signal, which does not end the process then; the second one does.
  public static func onFirstSignal(_ action: @escaping @Sendable () -> Void) { first.withLock { $0 = action } }

  /// A pipe from the handler to the thread; -1 where the system has none left.
  private static let signals: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }()

  /// Returns where nobody ends the process; else waits until it has ended. For those who are about to end it with another
  /// status, perhaps only because what they wrote was removed.
  public static func waitIfEnding() { ending.withLock { _ in } }

  private static func endProcess(_ number: Int32) -> Never {
    ending.withLock { _ in
      registered.withLock { $0.isEnding = true }
      // Somebody may still be writing into a directory that is removed, for as long as it is there.
      for _ in 0..<100 {
        let left = registered.withLock { $0.paths.filter { FileManager.default.fileExists(atPath: $0) } }
        for path in left {
          // What cannot be removed now is tried again, and by the next who writes there.
          do { try FileManager.default.removeItem(atPath: path) } catch {}
        }
        if left.isEmpty { break }
        usleep(1_000)
      }
      farewell.withLock(\.self)?()
      signal(number, SIG_DFL)
      kill(getpid(), number)
      while true { pause() }
    }
  }

  private static func isIgnored(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

import Foundation
import LLaMAStitch
import Support

/// One program run to its end, with what it used.
struct ChildProcess {
  /// How a program ended and what it cost.
  struct Outcome: Equatable {
    /// Exit code, or the negative number of the signal that ended it.
    var status: Int32
    var wallSeconds: Double
    /// User and system, all threads.
    var cpuSeconds: Double
    /// The largest resident set. At least this program's own when it started the child: the kernel counts it in.
    var peakBytes: Int
  }

  var executable: URL
  var arguments: [String]
  /// Both are written anew.
  var output: URL
  var log: URL
  /// Added to the log instead of replacing it.
  var appendsLog = false

  /// Signals that ask this program to end. They are blocked while a child runs and waited for together with its end.
  private static let requests = [SIGTERM, SIGINT, SIGHUP]

  /// Runs the program.
  /// - Returns: what it used, and whether this program was asked to end meanwhile; the child was then ended too.
  /// - Throws: `StudyError.cannotStart`.
  func run() throws(StudyError) -> (outcome: Outcome, wasStopped: Bool) {
    var awaited = sigset_t()
    var before = sigset_t()
    sigemptyset(&awaited)
    for signal in Self.requests + [SIGCHLD] { sigaddset(&awaited, signal) }
    pthread_sigmask(SIG_BLOCK, &awaited, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let start = ContinuousClock.now
    // The child can be asked to end even where whoever started this program had those signals blocked.
    var mask = before
    for signal in Self.requests { sigdelset(&mask, signal) }
    let child = try spawn(mask: &mask)
    var wasStopped = false
    var status: Int32 = 0
    var usage = rusage()
    while true {
      let ended = wait4(child, &status, WNOHANG, &usage)
      if ended == child { break }
      guard ended == 0 || errno == EINTR else {
        throw .cannotStart(program: executable.path, cause: SystemErrorText(code: errno).description)
      }
      // Not for ever: a thread of another library may have taken the signal.
      var patience = timespec(tv_sec: 0, tv_nsec: 200_000_000)
      if Self.requests.contains(sigtimedwait(&awaited, nil, &patience)) {
        wasStopped = true
        kill(child, SIGTERM)
      }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    func time(_ value: timeval) -> Double { Double(value.tv_sec) + Double(value.tv_usec) / 1e6 }
    let signal = status & 0x7F
    return (
      Outcome(
        status: signal == 0 ? (status >> 8) & 0xFF : -signal, wallSeconds: seconds,
        cpuSeconds: time(usage.ru_utime) + time(usage.ru_stime), peakBytes: usage.ru_maxrss * 1024),
      wasStopped
    )
  }

  private func spawn(mask: inout sigset_t) throws(StudyError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output.path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    posix_spawn_file_actions_addopen(
      &actions, 2, log.path, O_WRONLY | O_CREAT | (appendsLog ? O_APPEND : O_TRUNC), 0o666)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    posix_spawnattr_setsigmask(&attributes, &mask)
    let environment = ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
    let words = ([executable.path] + arguments).map { strdup($0) } + [nil]
    defer { for text in environment + words { free(text) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, executable.path, &actions, &attributes, words, environment)
    guard code == 0 else {
      throw .cannotStart(program: executable.path, cause: SystemErrorText(code: code).description)
    }
    return child
  }
}

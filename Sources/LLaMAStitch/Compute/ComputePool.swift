import Foundation

/// A fixed set of named worker threads for compute, apart from Swift's cooperative pool.
///
/// `run` splits a job into `parts` numbered pieces, runs them on the workers and on the calling thread, and
/// returns when all are done: everything written by a piece is visible to the caller afterwards. Waiting workers
/// sleep on a condition variable. Which thread runs a piece never changes its result.
///
/// `@unchecked Sendable`: all mutable state is read and written with `condition` locked.
public final class ComputePool: @unchecked Sendable {
  /// Worker threads plus the caller.
  public let threads: Int

  private struct Job {
    var parts: Int
    var next = 0
    var running = 0
    var body: @Sendable (Int) -> Void
  }

  private let condition = NSCondition()
  private var job: Job?
  private var stopped = false
  /// Serialises callers: one job at a time.
  private let gate = NSLock()

  /// - Parameter threads: how many threads compute, the caller included; at least 1.
  public init(threads: Int, name: String = "stitch-compute") {
    self.threads = max(1, threads)
    for index in 1..<max(2, self.threads) where index < self.threads {
      let thread = Thread { [weak self] in
        while let pool = self, pool.work() {}
      }
      thread.name = "\(name)-\(index)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  /// The pool for inference: one thread for each active processor.
  public static let shared = ComputePool(threads: ProcessInfo.processInfo.activeProcessorCount)

  /// Lets the workers end. Calls of `run` afterwards run on the caller alone.
  public func stop() {
    condition.lock()
    stopped = true
    condition.broadcast()
    condition.unlock()
  }

  deinit { stop() }

  /// Runs `body(0) … body(parts − 1)`, each once, and returns when all have returned.
  public func run(parts: Int, _ body: @escaping @Sendable (Int) -> Void) {
    if parts <= 0 { return }
    if parts == 1 || threads == 1 {
      for part in 0..<parts { body(part) }
      return
    }
    gate.lock()
    defer { gate.unlock() }
    condition.lock()
    job = Job(parts: parts, body: body)
    condition.broadcast()
    while job!.next < parts { runOne() }
    while job!.running > 0 { condition.wait() }
    job = nil
    condition.unlock()
  }

  /// Takes one piece of the current job and runs it with the lock released. The lock is held on entry and exit.
  private func runOne() {
    let part = job!.next
    let body = job!.body
    job!.next += 1
    job!.running += 1
    condition.unlock()
    body(part)
    condition.lock()
    job!.running -= 1
    if job!.running == 0 && job!.next >= job!.parts { condition.broadcast() }
  }

  /// One round of a worker: waits for a piece or for the end; answers whether to go on.
  private func work() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while !stopped {
      if let current = job, current.next < current.parts {
        runOne()
        return true
      }
      condition.wait()
    }
    return false
  }
}

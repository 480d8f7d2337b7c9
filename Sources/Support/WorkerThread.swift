import Foundation

/// A named thread that does one job after another, asleep in between. It ends with its last reference, once the jobs
/// that were given to it are done.
package final class WorkerThread: Sendable {
  private let queue = JobQueue()

  package init(name: String) {
    NativeThread.startOrEnd(name: name) { [queue] in
      while let job = queue.next() { job() }
    }
  }

  deinit { queue.end() }

  /// Does `job` after those before it.
  package func perform(_ job: @escaping @Sendable () -> Void) { queue.append(job) }

  /// Does `job` again and again while there is nothing else to do, until it answers false. It takes the place of the one
  /// before.
  package func performWhenIdle(_ job: @escaping @Sendable () -> Bool) { queue.idle(job) }

  /// Does `body` after the jobs before it and returns its result to the task that waits, without holding its thread.
  package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      perform { continuation.resume(with: Swift.Result { try body() }) }
    }
  }
}

/// `@unchecked Sendable`: everything is read and written only while `condition` is held.
private final class JobQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [@Sendable () -> Void] = []
  private var isEnding = false
  private var idleJob: (@Sendable () -> Bool)?
  /// Of the idle job: one that ends must not take its successor with it.
  private var idleNumber = 0

  func append(_ job: @escaping @Sendable () -> Void) {
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  func idle(_ job: @escaping @Sendable () -> Bool) {
    condition.withLock {
      idleJob = job
      idleNumber += 1
      condition.signal()
    }
  }

  func end() {
    condition.withLock {
      isEnding = true
      condition.signal()
    }
  }

  /// The next job; waits for one. `nil` once all are done and the queue has ended.
  func next() -> (@Sendable () -> Void)? {
    condition.withLock {
      while jobs.isEmpty && idleJob == nil && !isEnding { condition.wait() }
      if !jobs.isEmpty { return jobs.removeFirst() }
      guard !isEnding, let idleJob else { return nil }
      let number = idleNumber
      return {
        if idleJob() { return }
        self.condition.withLock { if self.idleNumber == number { self.idleJob = nil } }
      }
    }
  }
}

import Foundation

/// Forward passes with their working memory, for parts of jobs to borrow: a part has one to itself while it runs.
///
/// `@unchecked Sendable`: `idle` changes only while `lock` is held, and a pass in use is in nobody else's hands.
final class PassPool: @unchecked Sendable {
  /// A pass, and room for what is computed beside it.
  final class Worker {
    let pass: TrainingPass
    let scratch = Arena()

    fileprivate init(tables: RotaryTables) { pass = TrainingPass(tables: tables) }
  }

  private let lock = NSLock()
  private let tables = RotaryTables()
  private var idle: [Worker] = []

  func lend<Result>(_ body: (Worker) -> Result) -> Result {
    let worker = lock.withLock { idle.popLast() } ?? Worker(tables: tables)
    defer { lock.withLock { idle.append(worker) } }
    worker.scratch.reset()
    return body(worker)
  }
}

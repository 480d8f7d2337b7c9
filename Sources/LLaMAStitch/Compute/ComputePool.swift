import CKernels
import Foundation
import Support

/// A fixed set of named worker threads for compute, apart from Swift's cooperative pool.
///
/// `run` splits a job into numbered pieces; `runTeam` runs one body on several threads at once that meet at barriers.
/// Both return when all is done: everything written by a piece is visible to the caller afterwards. Workers look for
/// the next job for some 50 µs after the last one, then sleep in the kernel; an idle pool costs no CPU. Which thread
/// runs a piece never changes its result.
///
/// The threads hold only the shared state, so a pool ends with its last reference.
public final class ComputePool: Sendable {
  /// Worker threads plus the caller: fewer than were asked for where the system refuses some.
  public let threads: Int
  private let state: PoolState

  /// - Parameters:
  ///   - threads: how many threads compute, the caller included; at least 1.
  ///   - name: the workers are called `name-1`, `name-2`, …
  public init(threads: Int, name: String = "stitch-compute") {
    let state = PoolState()
    var started = 1
    while started < threads {
      let index = started
      if NativeThread.start(name: "\(name)-\(index)", { state.work(as: index) }) != 0 { break }
      started += 1
    }
    if started < threads {
      // Where it refused one it refuses those that others are about to start: half of these go again.
      started = (started + 1) / 2
      state.keep(started)
    }
    self.state = state
    self.threads = started
  }

  /// The pool for inference: one thread for each processor that may be used.
  public static let shared = ComputePool(threads: SystemProcessors.usable)

  /// Lets the workers end. Calls of `run` afterwards run on the caller alone.
  public func stop() { state.stop() }

  deinit { stop() }

  /// Runs `body(0) … body(parts − 1)`, each once, and returns when all have returned.
  /// A body must not start another job on the same pool.
  public func run(parts: Int, _ body: @escaping @Sendable (Int) -> Void) {
    if parts <= 0 { return }
    if parts == 1 || threads == 1 {
      for part in 0..<parts { body(part) }
      return
    }
    state.run(pieces: parts, .pieces(body))
  }

  /// Runs `body` on `min(count, threads)` threads at the same time, each with its own `Team.index`.
  /// Allocates nothing where `body` is a stored closure.
  package func runTeam(_ count: Int, _ body: @escaping @Sendable (Team) -> Void) {
    let count = min(count, threads)
    if count <= 1 { return body(Team(index: 0, count: 1, barrierState: nil)) }
    state.run(pieces: count, .team(body, count: count))
  }
}

/// One thread's place in a body that several run at once.
package struct Team {
  package let index: Int
  package let count: Int
  fileprivate let barrierState: UnsafeMutablePointer<ck_barrier>?

  /// Returns once all threads of the team have called it; their writes are visible then.
  package func barrier() {
    if let barrierState { ck_barrier_wait(barrierState, UInt32(count), PoolState.barrierSpins) }
  }

  /// This thread's share of `0..<total`, in multiples of `unit` where possible.
  package func share(of total: Int, unit: Int = 1) -> Range<Int> {
    if count == 1 { return 0..<total }
    let units = (total + unit - 1) / unit
    return min(total, units * index / count * unit)..<min(total, units * (index + 1) / count * unit)
  }
}

/// What a pool and its threads share.
///
/// `@unchecked Sendable`: `body` is written by the caller, who holds `gate`, before `tickets` publishes the job, and
/// read only by threads that took a ticket of that job; it is cleared when every piece has been counted down. The
/// rest is touched only by the atomic operations of CKernels.
private final class PoolState: @unchecked Sendable {
  enum Body {
    case none
    case pieces(@Sendable (Int) -> Void)
    case team(@Sendable (Team) -> Void, count: Int)
  }

  /// About 50 µs.
  package static let idleSpins: UInt32 = 2000
  package static let barrierSpins: UInt32 = 4000

  /// Everything the atomics work on, each on a cache line of its own.
  private struct Shared {
    var started = ck_event()
    var pad0: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    var finished = ck_event()
    var pad1: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    var barrier = ck_barrier()
    var pad2: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt32) = (0, 0, 0, 0, 0, 0, 0)
    var tickets: UInt64 = 0
    var pad3: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    var pending: UInt32 = 0
    var stopped: UInt32 = 0
    /// How many of the pool's threads stay, the caller included.
    var kept = UInt32.max
  }

  private let shared: UnsafeMutablePointer<Shared>
  private var body = Body.none
  /// Serialises callers: one job at a time.
  private let gate = NSLock()

  package init() {
    shared = UnsafeMutablePointer<Shared>.allocate(capacity: 1)
    shared.initialize(to: Shared())
  }

  deinit { shared.deallocate() }

  package func stop() {
    gate.lock()
    defer { gate.unlock() }
    ck_count_set(&shared.pointee.stopped, 1)
    ck_event_advance(&shared.pointee.started)
  }

  package func run(pieces: Int, _ body: Body) {
    gate.lock()
    defer { gate.unlock() }
    if ck_count_get(&shared.pointee.stopped) != 0 {
      switch body {
      case .none: break
      case .pieces(let body): for piece in 0..<pieces { body(piece) }
      case .team(let body, _): body(Team(index: 0, count: 1, barrierState: nil))
      }
      return
    }
    self.body = body
    let seen = ck_event_value(&shared.pointee.finished)
    let job = ck_event_value(&shared.pointee.started) &+ 1
    ck_count_set(&shared.pointee.pending, UInt32(pieces))
    ck_tickets_set(&shared.pointee.tickets, job, UInt32(pieces))
    ck_event_advance(&shared.pointee.started)
    takePieces(of: job)
    while ck_count_get(&shared.pointee.pending) != 0 {
      ck_event_wait(&shared.pointee.finished, seen, Self.barrierSpins)
    }
    self.body = .none
  }

  private func takePieces(of job: UInt32) {
    while true {
      let left = ck_tickets_take(&shared.pointee.tickets, job)
      if left == 0 { return }
      switch body {
      case .none: break
      case .pieces(let body): body(Int(left) - 1)
      case .team(let body, let count):
        // All tickets are taken before anyone passes the first barrier, so each thread has exactly one.
        body(Team(index: Int(left) - 1, count: count, barrierState: barrier))
      }
      if ck_count_down(&shared.pointee.pending) == 0 { ck_event_advance(&shared.pointee.finished) }
    }
  }

  private var barrier: UnsafeMutablePointer<ck_barrier> {
    UnsafeMutableRawPointer(shared).advanced(by: MemoryLayout<Shared>.offset(of: \.barrier)!)
      .assumingMemoryBound(to: ck_barrier.self)
  }

  /// Lets the threads from that one on end; before the first job.
  package func keep(_ count: Int) {
    ck_count_set(&shared.pointee.kept, UInt32(count))
    ck_event_advance(&shared.pointee.started)
  }

  /// What a worker thread does until the pool stops.
  package func work(as index: Int) {
    var seen: UInt32 = 0
    while ck_count_get(&shared.pointee.stopped) == 0 && index < ck_count_get(&shared.pointee.kept) {
      ck_event_wait(&shared.pointee.started, seen, Self.idleSpins)
      seen = ck_event_value(&shared.pointee.started)
      takePieces(of: seen)
    }
  }
}

/// One number a part, each written by the part that owns it and read after all have ended.
///
/// `@unchecked Sendable`: no two parts write the same place; `ComputePool.run` orders the writes before the reads.
package final class Slots: @unchecked Sendable {
  package let count: Int
  private let base: UnsafeMutablePointer<Double>

  package init(count: Int) {
    self.count = count
    base = .allocate(capacity: max(1, count))
    base.initialize(repeating: 0, count: count)
  }

  deinit { base.deallocate() }

  package subscript(index: Int) -> Double {
    get {
      precondition(index >= 0 && index < count)
      return base[index]
    }
    set {
      precondition(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// The sum in order of index.
  package var sum: Double { (0..<count).reduce(0) { $0 + base[$1] } }
}

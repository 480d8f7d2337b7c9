import COpenMPI
import LLaMAStitch
import Support

/// The processes that one `mpirun` has started, over Open MPI. The one wrapper of COpenMPI.
///
/// A call that fails ends the process: the others are in the middle of it too, and `mpirun` ends them. All calls come from
/// the thread that made it, as MPI demands.
final class OpenMPI: Communicator {
  let rank: Int
  let count: Int
  private let fail: @Sendable (String) -> Never

  /// Joins the job.
  /// - Parameter fail: says why the job cannot go on, and ends the process.
  init(onFailure fail: @escaping @Sendable (String) -> Never) throws(MessagePassingError) {
    var rank: Int32 = 0
    var count: Int32 = 1
    var isMissing: Int32 = 0
    if com_start(&rank, &count, &isMissing) != 0 {
      let reason = String(cString: com_error())
      throw isMissing == 0 ? .notOpenMPI(reason: reason) : .missing(reason: reason)
    }
    self.rank = Int(rank)
    self.count = Int(count)
    self.fail = fail
  }

  /// Leaves the job, when all have come to do so.
  func end() { check(com_end()) }

  func gather(_ message: [UInt8]) -> [[UInt8]] {
    var length = UInt64(message.count)
    var lengths = [UInt64](repeating: 0, count: count)
    check(com_gather_bytes(&length, 8, &lengths, [Int](repeating: 8, count: count)))
    var all = [UInt8](repeating: 0, count: Int(lengths.reduce(0, +)))
    check(com_gather_bytes(message, message.count, &all, lengths.map(Int.init)))
    var start = 0
    return lengths.map { length in
      defer { start += Int(length) }
      return Array(all[start..<start + Int(length)])
    }
  }

  func gather(_ part: VectorView, into all: VectorView, counts: [Int]) {
    precondition(part.count == counts[rank] && all.count == counts.reduce(0, +), "counts do not fit")
    check(com_gather(part.base, all.base, counts))
  }

  func exchange(_ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]) {
    precondition(
      sent.count == sentCounts.reduce(0, +) && received.count == receivedCounts.reduce(0, +), "counts do not fit")
    check(com_exchange(sent.base, sentCounts, received.base, receivedCounts))
  }

  func beginGather(_ part: VectorView, into all: VectorView, counts: [Int]) -> any PendingMessage {
    precondition(part.count == counts[rank] && all.count == counts.reduce(0, +), "counts do not fit")
    var pending: OpaquePointer?
    check(com_begin_gather(part.base, all.base, counts, &pending))
    return Pending(pending!, holding: [part, all], check)
  }

  func beginExchange(
    _ sent: VectorView, _ sentCounts: [Int], into received: VectorView, _ receivedCounts: [Int]
  ) -> any PendingMessage {
    precondition(
      sent.count == sentCounts.reduce(0, +) && received.count == receivedCounts.reduce(0, +), "counts do not fit")
    var pending: OpaquePointer?
    check(com_begin_exchange(sent.base, sentCounts, received.base, receivedCounts, &pending))
    return Pending(pending!, holding: [sent, received], check)
  }

  /// A message on its way, with the memory that it travels between.
  private final class Pending: PendingMessage {
    private var message: OpaquePointer?
    private let memory: [VectorView]
    private let check: (Int32) -> Void

    init(_ message: OpaquePointer, holding memory: [VectorView], _ check: @escaping (Int32) -> Void) {
      self.message = message
      self.memory = memory
      self.check = check
    }

    func progress() -> Bool {
      guard let message else { return true }
      var isDone: Int32 = 0
      check(com_progress(message, &isDone))
      if isDone != 0 { self.message = nil }
      return isDone != 0
    }

    func wait() {
      if let message { check(com_wait(message)) }
      message = nil
    }
  }

  func broadcast(_ values: VectorView) { check(com_broadcast(values.base, values.count)) }

  private func check(_ status: Int32) {
    if status != 0 { fail("the connection between the processes failed: \(String(cString: com_error()))") }
  }
}

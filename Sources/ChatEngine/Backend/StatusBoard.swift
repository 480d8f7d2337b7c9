import Synchronization

/// The state of training for all who want to know; a reader that is late finds only the newest.
final class StatusBoard: Sendable {
  private struct State {
    var status = TrainingStatus()
    var readers: [Int: AsyncStream<TrainingStatus>.Continuation] = [:]
    var nextReader = 0
  }

  private let state = Mutex(State())
  private let adapters: AdapterInUse

  /// - Parameter adapters: what is in use is part of every state.
  init(adapters: AdapterInUse) { self.adapters = adapters }

  var status: TrainingStatus { state.withLock { $0.status } }

  /// Changes the state and tells it.
  func publish(_ change: (inout TrainingStatus) -> Void) {
    state.withLock { state in
      change(&state.status)
      state.status.adapter = adapters.reference
      for reader in state.readers.values { reader.yield(state.status) }
    }
  }

  /// The state as it is now, then each change.
  func stream() -> AsyncStream<TrainingStatus> {
    let (stream, continuation) = AsyncStream<TrainingStatus>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state in
      defer { state.nextReader += 1 }
      state.readers[state.nextReader] = continuation
      continuation.yield(state.status)
      return state.nextReader
    }
    continuation.onTermination = { [weak self] _ in
      // Not under the lock of a `publish` that is yielding: yielding never terminates a stream.
      self?.state.withLock { _ = $0.readers.removeValue(forKey: id) }
    }
    return stream
  }
}

/// A curve of at most `limit` points: when it is full, neighbours become their mean and each later point stands for
/// twice as many values.
struct ThinnedCurve: Sendable, Equatable {
  private(set) var points: [Double] = []
  private let limit: Int
  private var width = 1
  private var sum = 0.0
  private var count = 0

  init(limit: Int = 300) {
    precondition(limit >= 2 && limit % 2 == 0)
    self.limit = limit
  }

  mutating func append(_ value: Double) {
    guard value.isFinite else { return }
    sum += value
    count += 1
    if count < width { return }
    if points.count == limit {
      points = stride(from: 0, to: limit, by: 2).map { (points[$0] + points[$0 + 1]) / 2 }
      width *= 2
      // This value is the first half of a wider point.
      return
    }
    points.append(sum / Double(count))
    (sum, count) = (0, 0)
  }
}

/// Losses with their steps, at most `limit` of them: when there are more, every second one goes, never the first or the
/// newest.
struct HeldOutCurve: Sendable, Equatable {
  private(set) var points: [LossPoint] = []
  private let limit: Int

  init(limit: Int = 300) { self.limit = limit }

  mutating func append(_ point: LossPoint) {
    guard point.loss.isFinite else { return }
    if points.count >= limit { points = points.indices.filter { $0 % 2 == 0 }.map { points[$0] } }
    points.append(point)
  }
}

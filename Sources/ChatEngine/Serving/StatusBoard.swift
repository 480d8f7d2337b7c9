/// The state of training, with the adapter that is in use.
final class StatusBoard: Sendable {
  private let newest = Newest(TrainingStatus())
  private let adapters: AdapterInUse

  init(adapters: AdapterInUse) { self.adapters = adapters }

  var status: TrainingStatus { newest.value }

  func publish(_ change: (inout TrainingStatus) -> Void) {
    newest.publish { status in
      change(&status)
      status.adapter = adapters.reference
    }
  }

  func stream() -> AsyncStream<TrainingStatus> { newest.stream() }
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

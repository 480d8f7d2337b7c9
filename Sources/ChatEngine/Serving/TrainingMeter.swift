import LLaMAStitch

/// Smooths what training reports, and leaves out the time that it waited for replies.
struct TrainingMeter {
  private var curve = ThinnedCurve()
  private var loss = 0.0
  private var weight = 0.0
  private var heldOut = HeldOutCurve()
  private var secondsPerStep: Double?
  private var tokensPerSecond: Double?
  private var left = 0
  private var waiting = Duration.zero
  private var last = ContinuousClock.now

  mutating func measured(_ heldOutLoss: Double, step: Int) {
    heldOut.append(LossPoint(step: step, loss: heldOutLoss))
  }

  mutating func waited(_ duration: Duration) { waiting += duration }

  mutating func add(_ progress: AdaptationProgress) {
    let now = ContinuousClock.now
    let seconds = (now - last - waiting) / .seconds(1)
    // The trainer's own figure has the time of waiting in it; a step that hardly waited is a better witness.
    if waiting < .milliseconds(2) {
      tokensPerSecond = tokensPerSecond.map { 0.9 * $0 + 0.1 * progress.tokensPerSecond } ?? progress.tokensPerSecond
    }
    secondsPerStep = secondsPerStep.map { 0.9 * $0 + 0.1 * seconds } ?? seconds
    (last, waiting) = (now, .zero)
    if progress.loss.isFinite {
      loss = 0.95 * loss + 0.05 * progress.loss
      weight = 0.95 * weight + 0.05
      curve.append(loss / weight)
    }
    if let loss = progress.heldOutLoss { measured(loss, step: progress.step) }
    left = progress.totalSteps - progress.step
  }

  func describe(_ status: inout TrainingStatus) {
    status.loss = weight > 0 ? loss / weight : nil
    status.heldOutLoss = heldOut.points.last?.loss
    status.heldOutCurve = heldOut.points
    status.lossCurve = curve.points
    status.tokensPerSecond = tokensPerSecond
    status.secondsLeft = secondsPerStep.map { $0 * Double(left) }
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

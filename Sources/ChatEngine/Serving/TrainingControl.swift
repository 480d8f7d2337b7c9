import Foundation

/// Where the training thread meets those who tell it what to do: it waits here while a reply is made or while it is
/// paused, asleep, and learns here that it is to save or to end.
///
/// `@unchecked Sendable`: everything is read and written only while `condition` is held.
final class TrainingControl: @unchecked Sendable {
  typealias Waiter = CheckedContinuation<Void, Never>

  /// What the training thread is to do next.
  enum Order { case goOn, save, end }

  private let condition = NSCondition()
  private var replies = 0
  private var isActive = false
  private var isPaused = false
  private var isEnding = false
  /// The training thread waits in `next`, and so do its workers.
  private var isResting = false
  private var saveWaiters: [Waiter] = []
  private var endWaiters: [Waiter] = []

  // MARK: Replies

  func replyBegins() { change { $0.replies += 1 } }
  func replyEnds() { change { $0.replies -= 1 } }

  /// Waits until training rests, which it does at the end of the part of a step that is under way: a reply that shares
  /// the processor with it for that long would lose more than the wait. Not for longer than the limit: reading the data
  /// at the beginning of a run has no parts.
  func waitForRest(limit: Duration = .milliseconds(20)) {
    let end = Date(timeIntervalSinceNow: limit / .seconds(1))
    condition.withLock {
      while isActive && !isResting {
        if !condition.wait(until: end) { return }
      }
    }
  }

  // MARK: Those who tell

  /// Begins a run.
  /// - Returns: false if one is active.
  func begin() -> Bool {
    change { control in
      if control.isActive { return false }
      control.isActive = true
      control.isPaused = false
      control.isEnding = false
      return true
    }
  }

  /// Whether there is a run.
  var isRunning: Bool { condition.withLock { isActive } }

  /// - Returns: whether there is a run it applies to.
  func setPaused(_ paused: Bool) -> Bool {
    change { control in
      guard control.isActive, !control.isEnding, control.isPaused != paused else { return false }
      control.isPaused = paused
      return true
    }
  }

  /// `waiter` is resumed once the snapshot is written, or at the end of the run.
  func save(_ waiter: Waiter) { enqueue(waiter, \.saveWaiters) {} }

  /// Ends the run; `waiter` is resumed when it has ended.
  func end(_ waiter: Waiter) { enqueue(waiter, \.endWaiters) { self.isEnding = true } }

  private func enqueue(
    _ waiter: Waiter, _ list: ReferenceWritableKeyPath<TrainingControl, [Waiter]>, _ also: () -> Void
  ) {
    let isActive = change { control in
      if control.isActive {
        control[keyPath: list].append(waiter)
        also()
      }
      return control.isActive
    }
    if !isActive { waiter.resume() }
  }

  // MARK: The training thread

  /// Waits until training may go on, or until there is something else to do.
  func next() -> Order {
    condition.withLock {
      while true {
        if isEnding { return .end }
        if !saveWaiters.isEmpty { return .save }
        if !isPaused && replies == 0 { return .goOn }
        isResting = true
        condition.broadcast()
        condition.wait()
        isResting = false
      }
    }
  }

  /// Whether the run is to end.
  var isToEnd: Bool { condition.withLock { isEnding } }

  /// A snapshot was written for all who waited.
  func saved() {
    resume { control in
      defer { control.saveWaiters = [] }; return control.saveWaiters
    }
  }

  /// The run is over.
  func ended() {
    resume { control in
      defer { (control.saveWaiters, control.endWaiters, control.isActive) = ([], [], false) }
      return control.saveWaiters + control.endWaiters
    }
  }

  private func resume(_ take: (TrainingControl) -> [Waiter]) {
    for waiter in change(take) { waiter.resume() }
  }

  private func change<Result>(_ body: (TrainingControl) -> Result) -> Result {
    condition.withLock {
      defer { condition.broadcast() }
      return body(self)
    }
  }
}

/// Decides between one thread and all of them by what either takes.
///
/// Splitting a network over threads pays where there is more work than the hand-over costs, and only while the
/// processors are free: next to other programs, threads that meet at barriers wait for each other's turn. Both are
/// learned from the clock: now and then the other way is tried, more rarely the more often it lost. Results do not
/// depend on the choice.
package struct ThreadChoice {
  /// Multiplications below which a first guess is one thread: about a millisecond of one, so that short replies of small
  /// networks are not spent on finding out.
  private static let smallestSharedWork = 8_000_000
  /// A trial has several steps, for the first one wakes the workers.
  private static let trialLength = 3
  /// Seconds it may take to wake sleeping workers.
  private static let wakingTime = 200e-6
  private static let shortestInterval = 16
  private static let longestInterval = 256

  private var isShared: Bool?
  /// Seconds per token of the current way, smoothed.
  private var usual: Double?
  private var stepsToTrial = shortestInterval
  private var interval = shortestInterval
  private var trialSteps = 0
  private var bestTrial = Double.infinity

  /// How many threads the next step should have.
  package mutating func next(work: Int, available: Int) -> Int {
    if available == 1 { return 1 }
    let current = isShared ?? (work >= Self.smallestSharedWork)
    isShared = current
    if trialSteps == 0 && stepsToTrial == 0 {
      trialSteps = Self.trialLength
      bestTrial = .infinity
    }
    return (trialSteps > 0 ? !current : current) ? available : 1
  }

  /// Notes what the step took, in seconds per token.
  package mutating func record(_ time: Double) {
    guard let current = isShared else { return }
    if trialSteps == 0 {
      // One step that was interrupted must not make the other way look good.
      usual = usual.map { 0.8 * $0 + 0.2 * min(time, 2 * $0) } ?? time
      stepsToTrial -= 1
      return
    }
    bestTrial = min(bestTrial, time)
    trialSteps -= 1
    // Beside busy programs, or with a large network, a trial can take very long: once is enough then.
    if let usual, time > 1.25 * usual + Self.wakingTime { trialSteps = 0 }
    if trialSteps > 0 { return }
    if bestTrial < usual ?? .infinity {
      isShared = !current
      usual = bestTrial
      interval = Self.shortestInterval
    } else {
      interval = min(Self.longestInterval, 2 * interval)
    }
    stepsToTrial = interval
  }
}

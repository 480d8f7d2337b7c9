import LLaMAStitch
import Synchronization

/// What computing takes at the moment, and which stop is fast enough for it.
package final class LoadEstimate: Sendable {
  private struct State {
    /// Of a text's token, by the FLOPs of its stop; `nil` until something was computed.
    var secondsPerFLOP: Double?
    /// Of a token of every text under way.
    var runningFLOPs = 0.0
  }

  private let state = Mutex(State())
  /// How much a new measurement counts.
  private static let weight = 0.1

  init() {}

  /// Takes in what a token of every text under way took.
  func stepMade(flops: Double, duration: Duration) {
    guard flops > 0 else { return }
    let measured = duration / .seconds(1) / flops
    state.withLock { state in
      state.runningFLOPs = flops
      state.secondsPerFLOP = state.secondsPerFLOP.map { $0 + Self.weight * (measured - $0) } ?? measured
    }
  }

  /// Nothing is under way.
  func becameIdle() { state.withLock { $0.runningFLOPs = 0 } }

  /// The dearest stop that makes so many tokens a second beside what is under way; the cheapest where none does.
  /// - Parameter stops: cheapest first, at least one.
  package func stop(of stops: [Stitch], tokensPerSecond: Double) -> Stitch {
    let (unit, running) = state.withLock { ($0.secondsPerFLOP, $0.runningFLOPs) }
    guard let unit else { return stops[stops.count - 1] }
    return stops.last { 1 >= tokensPerSecond * unit * (running + Double($0.flopsPerToken)) } ?? stops[0]
  }
}

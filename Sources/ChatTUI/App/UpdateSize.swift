import ChatEngine

/// What a move of the slider would cost before the next reply begins.
package enum SwitchCost: Sendable, Equatable {
  /// The conversation is cached.
  case instant
  /// About so many seconds, for reading the conversation.
  case seconds(Double)
  /// So many tokens to read, at a speed that is not known yet.
  case tokens(Int)
}

/// The size: what is known of the stops, and the slider that moves by itself.
extension AppState {
  /// Remembers what a reply showed of the machine.
  mutating func measured(_ stamp: ReplyStamp) {
    (cachedTokens, isReadingAgain, isCacheOurs) = (stamp.cachedTokens, false, true)
    // Few tokens say little.
    if stamp.readTokens >= 16 && stamp.readSeconds > 0 {
      readingSpeeds[stamp.stitch] = Double(stamp.readTokens) / stamp.readSeconds
    }
    guard stamp.tellsSpeed else { return }
    speeds[stamp.stitch] = stamp.tokensPerSecond
    auto?.record(stitch: stamp.stitch, tokensPerSecond: stamp.tokensPerSecond)
    if comparing == nil { followAuto() }
  }

  /// What it would cost to have the next reply from a stop, beside what any stop has to do.
  package func switchCost(to stop: Stop) -> SwitchCost {
    let missing = contextTokens - (cachedTokens[stop.id] ?? 0)
    // The last token of a reply may not have been cached.
    if missing <= 1 { return .instant }
    guard let speed = readingSpeed(of: stop) else { return .tokens(missing) }
    return .seconds(Double(missing) / speed)
  }

  /// Prompt tokens per second: measured, else from the nearest stop that was, by cost.
  private func readingSpeed(of stop: Stop) -> Double? {
    if let speed = readingSpeeds[stop.id] { return speed }
    let nearest = stops.filter { readingSpeeds[$0.id] != nil }
      .min { abs($0.flopsPerToken - stop.flopsPerToken) < abs($1.flopsPerToken - stop.flopsPerToken) }
    return nearest.map { readingSpeeds[$0.id]! * $0.flopsPerToken / max(1, stop.flopsPerToken) }
  }

  /// Quality and loss of the stops are of another adapter than the one in use.
  package var isQualityOld: Bool {
    guard let summary, summary.measuredStep != summary.adapterStep else { return false }
    return summary.stops.contains { $0.quality != nil || $0.loss != nil }
  }

  /// The family as it is now; the slider stays where it is.
  mutating func described(_ summary: FamilySummary) {
    let id = currentStop?.id
    var summary = summary
    summary.stops.sort { $0.flopsPerToken < $1.flopsPerToken }
    family = .ready(summary)
    stop = summary.stops.firstIndex { $0.id == id } ?? max(0, summary.stops.count - 1)
  }

  // MARK: Auto

  mutating func startAuto(_ target: Double?) {
    guard summary != nil else {
      wantedStitch = "auto"
      say("auto begins once the family is loaded")
      return
    }
    let target = target ?? autoTarget
    auto = SpeedController(target: target, stops: stops)
    // The newest reply says what this machine gives.
    if case .finished(let stamp)? = conversation.lastReply?.state, stamp.tellsSpeed {
      auto?.record(stitch: stamp.stitch, tokensPerSecond: stamp.tokensPerSecond)
    }
    let before = stop
    followAuto()
    if stop == before { say("auto: the best size that makes \(Format.rate(target)) tok/s") }
  }

  mutating func endAuto(because reason: String) {
    guard auto != nil else { return }
    auto = nil
    say("auto is off: \(reason)")
  }

  /// Moves the slider where the controller wants it.
  private mutating func followAuto() {
    guard let auto else { return }
    let choice = auto.choose(from: stop)
    if choice == stop { return }
    stop = choice
    let speed = auto.estimate(choice).map { ", about \(Format.rate($0)) tok/s" } ?? ""
    say("auto: \(stops[choice].id) next\(speed)")
  }
}

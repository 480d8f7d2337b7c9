import ChatEngine

/// The slider: where it stands, and what moves it.
package struct Slider: Sendable, Equatable {
  /// The stop it stands on; the next reply comes from there.
  package var stop = 0
  /// The stitch asked for before the family was loaded, or `auto`; `nil`: the best.
  package var wanted: String?
  /// Moves it by itself.
  package var auto: SpeedController?
  /// Tokens a second, where auto is begun without a number.
  package var autoTarget = SpeedController.comfortable
  /// The mouse holds it.
  package var isDragging = false

  package init() {}
}

/// What a move of the slider would cost before the next reply begins.
package enum SwitchCost: Sendable, Equatable {
  /// The conversation is cached.
  case instant
  /// About so many seconds, for prefilling the conversation.
  case seconds(Double)
  /// So many tokens to prefill, at a speed that is not known yet.
  case tokens(Int)
}

/// What is known of the stops.
extension AppState {
  package var stops: [Stop] { summary?.stops ?? [] }
  package var currentStop: Stop? { stops.indices.contains(slider.stop) ? stops[slider.stop] : nil }

  /// The stop of a name, or of a number from 1.
  func stopIndex(_ name: String) -> Int? {
    if let index = stops.firstIndex(where: { $0.id == name }) { return index }
    if let number = Int(name), stops.indices.contains(number - 1) { return number - 1 }
    return nil
  }

  /// Tokens per second of a stop: measured here, else about what it would make on this machine now.
  package func speed(of stop: Stop) -> Double? {
    speeds[stop.id] ?? speedEstimates?.estimate(stitch: stop.id) ?? stop.tokensPerSecond
  }

  /// The stitch of the running reply, if the slider stands elsewhere.
  package var otherRunningStitch: String? {
    guard comparing == nil, let id = activeReply, let reply = conversation.reply(id), case .ready = family,
      reply.stitch != currentStop?.id
    else { return nil }
    return reply.stitch
  }

  /// What it would cost to have the next reply from a stop, beside what any stop has to do.
  package func switchCost(to stop: Stop) -> SwitchCost {
    let missing = contextTokens - (cache?.tokens[stop.id] ?? 0)
    // The last token of a reply may not have been cached.
    if missing <= 1 { return .instant }
    guard let speed = prefillSpeed(of: stop) else { return .tokens(missing) }
    return .seconds(Double(missing) / speed)
  }

  /// Prompt tokens per second: measured, else from the nearest stop that was, by cost.
  private func prefillSpeed(of stop: Stop) -> Double? {
    if let speed = prefillSpeeds[stop.id] { return speed }
    let nearest = stops.filter { prefillSpeeds[$0.id] != nil }
      .min { abs($0.flopsPerToken - stop.flopsPerToken) < abs($1.flopsPerToken - stop.flopsPerToken) }
    return nearest.map { prefillSpeeds[$0.id]! * $0.flopsPerToken / max(1, stop.flopsPerToken) }
  }

  /// Quality and loss of the stops are of another adapter than the one in use.
  package var isQualityOld: Bool {
    guard let summary, summary.measuredStep != summary.adapterStep || adapter?.origin != nil else { return false }
    return summary.stops.contains { $0.quality != nil || $0.agreement != nil || $0.loss != nil }
  }
}

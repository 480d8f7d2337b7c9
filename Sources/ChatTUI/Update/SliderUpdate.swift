import ChatEngine
import Conversations

/// The family as it is loaded, and the slider along its stops, moved by hand or by itself.
extension AppState {
  // MARK: The family

  mutating func loaded(_ summary: FamilySummary) -> [Effect] {
    take(summary)
    slider.stop = max(0, stops.count - 1)
    for note in summary.notes { notice(note, isWarning: true) }
    if let wanted = slider.wanted {
      if wanted == "auto" {
        startAuto(nil)
      } else if let index = stopIndex(wanted) {
        slider.stop = index
      } else {
        notice(
          "No stitch \(wanted) in this family; using \(currentStop?.id ?? "none"). /stitch lists them.",
          isWarning: true)
      }
    }
    adapter = AdapterReference(step: summary.adapterStep, hash: summary.adapterHash)
    journal.accept(conversationSettings)
    recordLoaded()
    // A message was sent while the weights were loading.
    return startWaitingReply()
  }

  mutating func loadFailed(_ message: String) -> [Effect] {
    family = .failed(message)
    notice("The family could not be loaded: \(message)", isWarning: true)
    cancelRestOfComparison()
    return activeReply.map { end($0) { $0.state = .failed("no model") } } ?? []
  }

  /// The family as it is now; the slider stays where it is. One that cannot be read any more stays as it was.
  mutating func described(_ summary: FamilySummary?) {
    guard let summary else { return }
    let id = currentStop?.id
    take(summary)
    slider.stop = stops.firstIndex { $0.id == id } ?? max(0, stops.count - 1)
    guard hasGrown else { return }
    hasGrown = false
    if let wanted = slider.wanted, let index = stopIndex(wanted) { slider.stop = index }
    notice(
      "\(summary.name) has \(stops.count) sizes now: \(isPlain ? "/stitch N" : "Alt-← and Alt-→, or /stitch N,") chooses one."
    )
  }

  /// Sizes are being made of a single model.
  mutating func grew(_ growth: FamilyGrowth) -> [Effect] {
    switch growth {
    case .progress(let what): self.growth = what
    case .grown:
      self.growth = nil
      hasGrown = true
      return [.describe]
    case .failed(let why):
      self.growth = nil
      notice("The slider could not be made: \(why)", isWarning: true)
    }
    return []
  }

  private mutating func take(_ summary: FamilySummary) {
    var summary = summary
    summary.stops.sort { $0.flopsPerToken < $1.flopsPerToken }
    family = .ready(summary)
    speedEstimates = SpeedEstimates(stops: summary.stops)
    // The newest reply says what this machine gives, unless it is of another day.
    if case .finished(let stamp)? = conversation.lastReply?.state, speeds[stamp.stitch] == stamp.tokensPerSecond {
      speedEstimates?.record(stitch: stamp.stitch, tokensPerSecond: stamp.tokensPerSecond)
    }
  }

  // MARK: What replies show of the machine

  mutating func measured(_ stamp: ReplyStamp) {
    cache = CacheStatus(tokens: stamp.cachedTokens)
    // Few tokens say little.
    if stamp.prefillTokens >= 16 && stamp.prefillSeconds > 0 {
      prefillSpeeds[stamp.stitch] = Double(stamp.prefillTokens) / stamp.prefillSeconds
    }
    guard stamp.tellsSpeed else { return }
    speeds[stamp.stitch] = stamp.tokensPerSecond
    speedEstimates?.record(stitch: stamp.stitch, tokensPerSecond: stamp.tokensPerSecond)
    slider.auto?.record(stitch: stamp.stitch, tokensPerSecond: stamp.tokensPerSecond)
    if comparing == nil { followAuto() }
  }

  mutating func cached(_ status: CacheStatus) {
    // Not while a reply is made, whose stamp will tell, nor of the conversation before this one.
    if activeReply == nil && cache != nil { cache = status }
  }

  // MARK: By hand

  /// Moves the slider; it never touches the draft or a running reply.
  mutating func choose(_ index: Int) {
    if stops.isEmpty {
      say("the slider moves once the family is loaded")
      return
    }
    slider.stop = min(max(0, index), stops.count - 1)
    endAuto(because: "the slider was moved by hand")
  }

  mutating func drag(to x: Int) {
    let columns = SliderView.columns(self)
    guard let nearest = columns.indices.min(by: { abs(columns[$0] - x) < abs(columns[$1] - x) }) else { return }
    choose(nearest)
  }

  /// `/stitch`, with a stop's name or number or without.
  mutating func stitch(_ name: String?) {
    guard let name else { return notice(listOfStops) }
    if let index = stopIndex(name) {
      let wasAuto = slider.auto != nil
      choose(index)
      say("\(stops[index].id) from the next reply on\(wasAuto ? "; auto is off" : "")")
    } else if stops.isEmpty {
      slider.wanted = name
      say("applies once the family is loaded")
    } else {
      notice("No stitch \(name); /stitch lists the \(stops.count) there are.", isWarning: true)
    }
  }

  private var listOfStops: String {
    if stops.isEmpty { return "The family is not loaded yet." }
    return "The stops, cheapest first:\n"
      + stops.enumerated().map { index, stop in
        let quality = Format.quality(of: stop).map { " · \($0)" } ?? ""
        let here = index == slider.stop ? "*" : " "
        let flops = stop.flopsPerToken > 0 ? " · \(Format.flops(stop.flopsPerToken))" : ""
        return "\(here)\(index + 1) \(sanitiseLine(stop.id))\(flops)\(quality)"
      }.joined(separator: "\n")
  }

  // MARK: Auto

  mutating func startAuto(_ target: Double?) {
    guard summary != nil else {
      slider.wanted = "auto"
      say("auto begins once the family is loaded")
      return
    }
    let target = target ?? slider.autoTarget
    slider.auto = SpeedController(target: target, stops: stops, speeds: speedEstimates)
    let before = slider.stop
    followAuto()
    if slider.stop == before { say("auto: the best size that makes \(Format.rate(target)) tok/s") }
  }

  mutating func endAuto(because reason: String) {
    guard slider.auto != nil else { return }
    slider.auto = nil
    say("auto is off: \(reason)")
  }

  /// Moves the slider where the controller wants it.
  private mutating func followAuto() {
    guard let auto = slider.auto else { return }
    let choice = auto.choose(from: slider.stop)
    if choice == slider.stop { return }
    slider.stop = choice
    let speed = auto.estimate(choice).map { ", about \(Format.rate($0)) tok/s" } ?? ""
    say("auto: \(stops[choice].id) next\(speed)")
  }
}

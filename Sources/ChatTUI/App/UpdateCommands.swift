import ChatEngine

/// Slash commands.
extension AppState {
  /// Does what a line commands. A line that is no command stays in the composer, to be corrected.
  mutating func command(_ line: String) -> [Effect] {
    let command: Command
    do {
      command = try Command.parse(line)
    } catch {
      say(error.message, isWarning: true)
      return []
    }
    _ = editor.take()
    switch command {
    case .help: help = 0
    case .stitch(nil): notice(listOfStops)
    case .stitch(let name?):
      if let index = stopIndex(name) {
        let wasAuto = auto != nil
        choose(index)
        say("\(stops[index].id) from the next reply on\(wasAuto ? "; auto is off" : "")")
      } else if stops.isEmpty {
        wantedStitch = name
        say("applies once the family is loaded")
      } else {
        notice("No stitch \(name). \(listOfStops)", isWarning: true)
      }
    case .train(let file, let steps): return train(file: file, steps: steps)
    case .pause: return whileTraining([.running, .preparing], .pauseTraining)
    case .resume: return whileTraining([.paused], .resumeTraining)
    case .save: return whileTraining([.running, .paused], .saveTraining)
    case .stop: return whileTraining([.running, .paused, .preparing], .stopTraining)
    case .undo:
      pendingAnswers += 1
      return [.undoAdapter]
    case .lessons:
      pendingAnswers += 1
      return [.listLessons]
    case .auto(let target): startAuto(target)
    case .autoOff: endAuto(because: "as you wish")
    case .compare(let names, let text): return compare(names, text)
    case .keep(let number): keep(number)
    case .set(let name, let value):
      do {
        try set(name, value)
        notice("\(name) is now \(value)")
      } catch {
        notice(error.message, isWarning: true)
      }
    case .showSettings: notice(settings)
    case .system(let text):
      if let text {
        conversation.system = text == "-" ? "" : text
        notice(text == "-" ? "No system prompt." : "System prompt: \(text)")
      } else {
        notice(conversation.system.isEmpty ? "No system prompt." : "System prompt: \(conversation.system)")
      }
    case .clear:
      let effects = stopReply()
      conversation.clear()
      activeReply = nil
      isStopping = false
      comparing = nil
      contextTokens = 0
      cachedTokens = [:]
      scrollToEnd()
      return effects
    case .regen:
      if activeReply != nil {
        say("a reply is running: Esc stops it")
        return []
      }
      guard conversation.removeLastReply() else {
        say("there is no reply yet")
        return []
      }
      return ask()
    case .quit: return quit(status: 0)
    }
    return []
  }

  private mutating func train(file: String, steps: Int?) -> [Effect] {
    guard case .ready = family else {
      say("training starts once the family is loaded; try again then", isWarning: true)
      return []
    }
    if isTraining {
      say("training is running: /stop ends it first", isWarning: true)
      return []
    }
    let steps = steps ?? defaultTrainingSteps
    training = TrainingStatus()
    training.phase = .preparing
    training.dataFile = file
    training.totalSteps = steps
    notice("Adapting all sizes to \(file) for \(steps) steps. Chat goes on meanwhile.")
    return [.startTraining(file: file, steps: steps)]
  }

  private mutating func whileTraining(_ phases: Set<TrainingStatus.Phase>, _ effect: Effect) -> [Effect] {
    if phases.contains(training.phase) { return [effect] }
    say(isTraining ? "training is \(training.phase.rawValue)" : "no training is running: /train FILE starts one")
    return []
  }

  private mutating func set(_ name: String, _ value: String) throws(CommandError) {
    func number(_ range: ClosedRange<Double>) throws(CommandError) -> Double {
      guard let number = Double(value), range.contains(number) else {
        throw CommandError(
          message: "\(name) is a number from \(Format.short(range.lowerBound)) to \(Format.short(range.upperBound))")
      }
      return number
    }
    let off = value == "off" || value == "none"
    switch name {
    case "temperature", "temp": sampling.temperature = try number(0...5)
    case "top_p", "topp": sampling.topP = off ? nil : try number(0...1)
    case "min_p", "minp": sampling.minP = off ? nil : try number(0...1)
    case "top_k", "topk": sampling.topK = off ? nil : Int(try number(1...100_000))
    case "repeat", "repetition_penalty": sampling.repetitionPenalty = try number(0.1...10)
    case "max_tokens", "maxtokens": sampling.maxTokens = Int(try number(1...1_000_000))
    case "seed":
      guard let seed = UInt64(value) else { throw CommandError(message: "seed is a whole number from 0") }
      sampling.seed = seed
      repliesStarted = 0
    default:
      let names = ["temperature", "top_p", "top_k", "min_p", "repeat", "max_tokens", "seed"]
      let nearest = names.min { Command.distance(name, $0) < Command.distance(name, $1) }!
      throw CommandError(message: "no setting \(name); did you mean \(nearest)?")
    }
  }

  private var settings: String {
    func show(_ value: Double?) -> String { value.map(Format.short) ?? "off" }
    return """
      temperature \(Format.short(sampling.temperature)) · top_p \(show(sampling.topP)) · \
      top_k \(sampling.topK.map(String.init) ?? "off") · min_p \(show(sampling.minP)) · \
      repeat \(Format.short(sampling.repetitionPenalty)) · max_tokens \(sampling.maxTokens) · seed \(sampling.seed)
      """
  }

  private var listOfStops: String {
    if stops.isEmpty { return "The family is not loaded yet." }
    return "The stops, cheapest first:\n"
      + stops.enumerated().map { index, stop in
        let quality = Format.quality(of: stop).map { " · \($0)" } ?? ""
        let here = index == self.stop ? "*" : " "
        return
          "\(here)\(index + 1) \(stop.id) · \(Format.count(stop.parameters)) · \(Format.flops(stop.flopsPerToken))\(quality)"
      }.joined(separator: "\n")
  }
}

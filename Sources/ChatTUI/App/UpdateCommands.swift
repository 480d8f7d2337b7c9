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
    if isPlain, let usage = Command.usage(of: line), usage.needsScreen {
      say("/\(usage.name) needs the terminal UI")
      return []
    }
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
        notice("No stitch \(name); /stitch lists the \(stops.count) there are.", isWarning: true)
      }
    case .train(let file, let steps): return train(file: file, steps: steps)
    case .pause: return whileTraining([.running, .preparing], .pauseTraining)
    case .resume: return whileTraining([.paused], .resumeTraining)
    case .save: return whileTraining([.running, .paused], .saveTraining)
    case .stop:
      // It may never begin.
      isTrainingAsked = false
      return whileTraining([.running, .paused, .preparing], .stopTraining)
    case .undo:
      pendingAnswers += 1
      return [.undoAdapter]
    case .lessons:
      pendingAnswers += 1
      return [.listLessons]
    case .auto(let target): startAuto(target)
    case .autoOff: endAuto(because: "as you wish")
    case .compare(let names, let text): return compare(names, text)
    case .keep(let number): keepAsAsked(number)
    case .set(let name, let value): return set(name, value)
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
      if journal.id != nil { say("a new conversation; the one before is saved: /chats") }
      beginConversation()
      recordBeginning(isEmpty: true)
      bringHeldBack()
      return effects
    case .chats(let query): return showConversations(query)
    case .open(nil): return showConversations("")
    case .open(let id?): return openConversation(id)
    case .branch(let turns): branch(turns)
    case .title(let text): setTitle(text)
    case .export(let file): return export(file)
    case .regen:
      if activeReply != nil {
        say("a reply is running: Esc stops it")
        return []
      }
      guard conversation.removeLastReply() else {
        say("there is no reply yet")
        return []
      }
      recordRegeneration()
      return ask()
    case .search(let text): openSearch(text)
    case .copy(let what): return copy(what)
    case .edit(let what): return edit(what)
    case .continueReply: return continueReply()
    case .drop(let what): return drop(what)
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
    isTrainingAsked = true
    training = TrainingStatus()
    training.phase = .preparing
    training.dataFile = file
    training.totalSteps = steps
    recordTraining(before: .idle)
    notice("Adapting all sizes to \(file) for \(steps) steps. Chat goes on meanwhile.")
    return [.startTraining(file: file, steps: steps)]
  }

  private mutating func whileTraining(_ phases: Set<TrainingStatus.Phase>, _ effect: Effect) -> [Effect] {
    if phases.contains(training.phase) { return [effect] }
    say(isTraining ? "training is \(training.phase.rawValue)" : "no training is running: /train FILE starts one")
    return []
  }

  private var listOfStops: String {
    if stops.isEmpty { return "The family is not loaded yet." }
    return "The stops, cheapest first:\n"
      + stops.enumerated().map { index, stop in
        let quality = Format.quality(of: stop).map { " · \($0)" } ?? ""
        let here = index == self.stop ? "*" : " "
        return "\(here)\(index + 1) \(stop.id) · \(Format.flops(stop.flopsPerToken))\(quality)"
      }.joined(separator: "\n")
  }
}

import ChatEngine

/// The one place where the state changes. Pure: what has to be done outside comes back as effects.
package func update(_ state: inout AppState, _ action: Action) -> [Effect] {
  let effects = state.apply(action)
  state.refreshTranscript()
  return effects
}

extension AppState {
  fileprivate mutating func apply(_ action: Action) -> [Effect] {
    switch action {
    case .key(let key): return press(key)
    case .paste(let text):
      // Pasting is never a command to do something: not even its line ends send.
      editor.insert(Self.lineEndsUnified(text))
      hint = nil
      quitArmed = false
      return []
    case .mouse(let event): return mouse(event)
    case .resize(let width, let height):
      self.width = width
      self.height = height
      return []
    case .submit(let text):
      editor.replace(with: text)
      return send()

    case .loaded(let summary): return loaded(summary)
    case .loadFailed(let message):
      family = .failed(message)
      notice("The family could not be loaded: \(message)", isWarning: true)
      if let id = activeReply { end(id) { $0.state = .failed("no model") } }
      return []

    case .described(let summary):
      described(summary)
      return []
    case .lessons(let lessons):
      show(lessons)
      return []
    case .completed(let line, let completed, let choices):
      guard editor.text == line else { return [] }
      editor.replace(with: completed)
      if !choices.isEmpty { say(choices.joined(separator: "  ")) }
      return []

    case .reply(let id, let event):
      reply(id, event)
      return nextOfComparison()
    case .replyEnded(let id):
      if id == activeReply { end(id) { if $0.isOpen { $0.state = .stopped } } }
      return nextOfComparison()

    case .training(let status):
      let before = training
      training = status
      announce(before: before)
      // A snapshot taken into use is said in the message.
      return before.phase != status.phase || before.message != status.message ? [.describe] : []
    case .trainingRefused(let message):
      training.phase = .failed
      training.message = message
      notice("Training did not start: \(message)", isWarning: true)
      return []
    case .adapterUndone(let message):
      pendingAnswers -= 1
      notice("Undo: \(message)")
      return [.describe]
    case .trainingPutAway: return quitting.map { [.quit(status: $0)] } ?? []

    case .terminate(let status): return quit(status: status)
    case .suspendRequested: return [.suspend(wholeGroup: false)]
    }
  }

  // MARK: The family

  private mutating func loaded(_ summary: FamilySummary) -> [Effect] {
    var summary = summary
    summary.stops.sort { $0.flopsPerToken < $1.flopsPerToken }
    family = .ready(summary)
    stop = max(0, summary.stops.count - 1)
    for note in summary.notes { notice(note, isWarning: true) }
    if let wanted = wantedStitch {
      if wanted == "auto" {
        startAuto(nil)
      } else if let index = stopIndex(wanted) {
        stop = index
      } else {
        notice(
          "No stitch \(wanted) in this family; using \(currentStop?.id ?? "none"). /stitch lists them.",
          isWarning: true)
      }
    }
    // A message was sent while the weights were loading.
    if let id = activeReply { return start(id) }
    return []
  }

  /// The stop of a name, or of a number from 1.
  func stopIndex(_ name: String) -> Int? {
    if let index = stops.firstIndex(where: { $0.id == name }) { return index }
    if let number = Int(name), stops.indices.contains(number - 1) { return number - 1 }
    return nil
  }

  /// Moves the slider by hand; it never touches the draft or a running reply.
  mutating func choose(_ index: Int) {
    if stops.isEmpty {
      say("the slider moves once the family is loaded")
      return
    }
    stop = min(max(0, index), stops.count - 1)
    endAuto(because: "the slider was moved by hand")
  }

  // MARK: Replies

  /// Sends what the composer holds, or does what it commands.
  mutating func send() -> [Effect] {
    let line = editor.text.trimmingWhitespace
    if line.isEmpty { return [] }
    if Command.isCommand(line) { return command(line) }
    if case .failed = family {
      say("no family is loaded, so nothing can answer", isWarning: true)
      return []
    }
    if activeReply != nil {
      say("a reply is running: Esc stops it; your text stays here")
      return []
    }
    settleChoice()
    _ = editor.take()
    conversation.append(.user(line.hasPrefix("//") ? String(line.dropFirst()) : line))
    return ask()
  }

  /// Asks for a reply to the conversation as it is.
  mutating func ask() -> [Effect] {
    let id = conversation.append(.reply(Reply(stitch: currentStop?.id ?? "")))
    activeReply = id
    isStopping = false
    scroll = .end
    hasNews = false
    if case .ready = family { return start(id) }
    return []
  }

  private mutating func start(_ id: Int) -> [Effect] {
    guard let stop = currentStop else {
      end(id) { $0.state = .failed("the family has no stitch") }
      return []
    }
    conversation.changeReply(id) { $0.stitch = stop.id }
    var options = sampling
    // Replies differ, and the same conversation with the same seed is the same.
    options.seed = sampling.seed &+ UInt64(repliesStarted)
    repliesStarted += 1
    return [.startReply(id: id, messages: conversation.messages, stitch: stop.id, options: options)]
  }

  private mutating func reply(_ id: Int, _ event: ReplyEvent) {
    guard id == activeReply else { return }
    switch event {
    case .started(let stitch, let step):
      conversation.changeReply(id) {
        $0.stitch = stitch
        $0.adapterStep = step
        $0.state = .streaming
      }
    case .trimmed(let count):
      let messages = count == 1 ? "message is" : "\(count) messages are"
      say("the context is full: the oldest \(messages) left out; /clear starts anew", isWarning: true)
    case .text(let text):
      if isStopping { return }
      conversation.changeReply(id) {
        $0.text += text
        $0.state = .streaming
      }
      if scroll != .end { hasNews = true }
    case .finished(let stamp):
      contextTokens = stamp.contextTokens
      measured(stamp)
      end(id) {
        $0.stitch = stamp.stitch
        $0.adapterStep = stamp.adapterStep
        $0.state = .finished(stamp)
      }
    case .failed(let message):
      end(id) { $0.state = .failed(message) }
    }
  }

  private mutating func end(_ id: Int, _ change: (inout Reply) -> Void) {
    conversation.changeReply(id, change)
    activeReply = nil
    isStopping = false
    if scroll != .end { hasNews = true }
  }

  /// Stops the running reply; its text stays.
  mutating func stopReply() -> [Effect] {
    guard let id = activeReply, !isStopping else { return [] }
    stopComparison()
    if case .ready = family {
      isStopping = true
      return [.stopReply]
    }
    // It never began.
    end(id) { $0.state = .stopped }
    return []
  }

  // MARK: Saying things

  mutating func notice(_ text: String, isWarning: Bool = false) {
    conversation.append(.notice(text, isWarning: isWarning))
    if scroll != .end { hasNews = true }
  }

  mutating func say(_ text: String, isWarning: Bool = false) { hint = Hint(text: text, isWarning: isWarning) }

  /// Marks in the transcript what changed in training, where it matters to the chat.
  private mutating func announce(before: TrainingStatus) {
    guard training.phase != before.phase else { return }
    let message = training.message.isEmpty ? "" : ": \(training.message)"
    switch training.phase {
    case .finished: notice("Training finished after \(training.step) steps\(message)")
    case .failed: notice("Training failed\(message)", isWarning: true)
    // The phases in between may have been skipped.
    case .idle where [.running, .paused, .stopping].contains(before.phase):
      notice("Training stopped after \(training.step) steps\(message)")
    default: break
    }
  }

  // MARK: Leaving

  mutating func quit(status: Int32) -> [Effect] {
    if quitting != nil || !isTraining { return [.quit(status: status)] }
    quitting = status
    say("keeping what was learned… again to leave at once", isWarning: true)
    return [.putTrainingAway]
  }

  private static func lineEndsUnified(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var previous: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      if scalar == "\r" || (scalar == "\n" && previous != "\r") {
        result.append("\n")
      } else if scalar != "\n" {
        result.append(scalar)
      }
      previous = scalar
    }
    return sanitise(String(result))
  }
}

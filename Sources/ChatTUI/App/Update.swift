import ChatEngine

/// The one place where the state changes. Pure: what has to be done outside comes back as effects.
package func update(_ state: inout AppState, _ action: Action) -> [Effect] {
  let effects = state.apply(action)
  state.refreshTranscript()
  let text = state.recording.takeText()
  return state.recordChanges() + (text.isEmpty ? [] : [.recordScript(text)]) + effects
}

extension AppState {
  fileprivate mutating func apply(_ action: Action) -> [Effect] {
    switch action {
    case .key(let key): return press(key)
    case .paste(let text) where picker != nil: return pasteInPicker(text)
    case .paste(let text):
      if search != nil {
        pasteInSearch(text)
        return []
      }
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
      // A family that cannot be read any more stays as it was.
      if let summary { described(summary) }
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
      if isTrainingAsked && status.phase == .idle { return [] }
      isTrainingAsked = false
      let before = training
      training = status
      adapter = status.adapter ?? adapter
      announce(before: before)
      recordTraining(before: before.phase)
      // A snapshot taken into use is said in the message.
      return before.phase != status.phase || before.message != status.message ? [.describe] : []
    case .cache(let status):
      // Not while a reply is made, whose stamp will tell, nor of the conversation before this one.
      if activeReply == nil && isCacheOurs { (cachedTokens, isReadingAgain) = (status.tokens, status.isReading) }
      return []
    case .trainingRefused(let message):
      isTrainingAsked = false
      training.phase = .failed
      training.message = message
      notice("Training did not start: \(message)", isWarning: true)
      return []
    case .adapterUndone(let message):
      pendingAnswers -= 1
      notice("Undo: \(message)", isKept: true)
      return [.describe]
    case .recorder(let event):
      recorder(event)
      return []
    case .conversations(let query, let listing):
      conversations(query, listing)
      return []
    case .conversationOpened(let saved, let obstacle): return conversationOpened(saved, obstacle: obstacle)
    case .conversationRefused(let message):
      conversationRefused(message)
      return []
    case .adapterRestored(let adapter, let failure): return adapterRestored(adapter, failure: failure)
    case .exported(let file, let failure):
      exported(file, failure: failure)
      return []

    case .recordingFailed(let message):
      recording.end()
      notice("The script is not recorded any more: \(message)", isWarning: true)
      return []

    case .trainingPutAway: return quitting.map { [.quit(status: $0)] } ?? []

    case .draftEdited(let text):
      // Editors end a file with a line end.
      let text = Self.lineEndsUnified(text)
      editor.replace(with: text.hasSuffix("\n") ? String(text.dropLast()) : text)
      return []
    case .editorFailed(let message):
      say(message, isWarning: true)
      return []

    case .terminate(let status): return quit(status: status)
    case .suspendRequested: return [.suspend(wholeGroup: false)]
    case .scriptEnded(let takenOver):
      say(takenOver ? "the script has stopped: the chat is yours" : "the script is over: the chat is yours")
      return []
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
    adapter = AdapterReference(step: summary.adapterStep, hash: summary.adapterHash)
    journal.accept(conversationSettings)
    recordLoaded()
    // A message was sent while the weights were loading.
    return startWaitingReply()
  }

  /// Begins the reply that was asked for before it could be made.
  mutating func startWaitingReply() -> [Effect] {
    guard let id = activeReply, canReply, conversation.reply(id)?.state == .waiting else { return [] }
    return start(id)
  }

  /// The family is there, with the adapter that the conversation needs.
  var canReply: Bool {
    guard case .ready = family else { return false }
    return opening != .adapter
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
    if opening == .reading {
      say("the conversation is being opened; your text stays here")
      return []
    }
    settleChoice()
    _ = editor.take()
    makeRoom(for: line)
    let edited = recordedNumber(ofTurn: editing)
    replaceEdited()
    let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
    conversation.append(.user(text))
    recordMessage(text, edited: edited)
    return ask()
  }

  /// Asks for a reply to the conversation as it is.
  mutating func ask() -> [Effect] {
    let id = conversation.append(.reply(Reply(stitch: currentStop?.id ?? "")))
    activeReply = id
    isStopping = false
    scroll = .end
    hasNews = false
    return canReply ? start(id) : []
  }

  mutating func start(_ id: Int) -> [Effect] {
    guard let stop = currentStop else {
      end(id) { $0.state = .failed("the family has no stitch") }
      return []
    }
    var options = sampling
    // Replies differ, and the same conversation with the same seed is the same.
    options.seed = sampling.seed &+ UInt64(repliesStarted)
    repliesStarted += 1
    conversation.changeReply(id) {
      $0.stitch = stop.id
      $0.options = options
    }
    return [.startReply(id: id, messages: conversation.messages, stitch: stop.id, options: options)]
  }

  private mutating func reply(_ id: Int, _ event: ReplyEvent) {
    guard id == activeReply else { return }
    switch event {
    case .started(let stitch, let step, let hash):
      adapter = AdapterReference(step: step, hash: hash)
      conversation.changeReply(id) {
        $0.stitch = stitch
        $0.adapterStep = step
        $0.adapterHash = hash
        $0.state = .streaming
      }
      recordStart(of: id)
    case .trimmed(let count):
      let messages = count == 1 ? "message is" : "\(count) messages are"
      say(
        "the context is full: the oldest \(messages) left out; /clear starts anew, /drop N forgets them",
        isWarning: true)
    case .tooLong(let count): didNotFit(id, messagesToDrop: count)
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
        $0.adapterHash = stamp.adapterHash
        $0.state = .finished(stamp)
      }
      warnOfContext()
    case .failed(let message):
      end(id) { $0.state = .failed(message) }
    }
  }

  mutating func end(_ id: Int, _ change: (inout Reply) -> Void) {
    conversation.changeReply(id, change)
    recordEnd(of: id)
    activeReply = nil
    isStopping = false
    if scroll != .end { hasNews = true }
  }

  /// Stops the running reply; its text stays.
  mutating func stopReply() -> [Effect] {
    guard let id = activeReply, !isStopping else { return [] }
    stopComparison()
    if canReply {
      isStopping = true
      return [.stopReply]
    }
    // It never began.
    end(id) { $0.state = .stopped }
    return []
  }

  // MARK: Saying things

  /// - Parameter isKept: it belongs to the conversation and is saved with it.
  mutating func notice(_ text: String, isWarning: Bool = false, isKept: Bool = false) {
    conversation.append(.notice(text, isWarning: isWarning), isKept: isKept)
    if scroll != .end { hasNews = true }
  }

  mutating func say(_ text: String, isWarning: Bool = false) { hint = Hint(text: text, isWarning: isWarning) }

  /// Marks in the transcript what changed in training, where it matters to the chat.
  private mutating func announce(before: TrainingStatus) {
    let message = training.message.isEmpty ? "" : ": \(training.message)"
    if training.phase == before.phase {
      // A snapshot was written and taken into use.
      if isTraining && training.message != before.message { notice("Training\(message)", isKept: true) }
      return
    }
    switch training.phase {
    case .finished: notice("Training finished after \(training.step) steps\(message)", isKept: true)
    case .failed: notice("Training failed\(message)", isWarning: true)
    // The phases in between may have been skipped.
    case .idle where [.running, .paused, .stopping].contains(before.phase):
      notice("Training stopped after \(training.step) steps\(message)", isKept: true)
    default: break
    }
  }

  // MARK: Leaving

  mutating func quit(status: Int32) -> [Effect] {
    recordLeaving()
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

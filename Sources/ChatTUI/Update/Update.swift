import ChatEngine

/// The one place where the state changes. Pure: what has to be done outside comes back as effects.
package func update(_ state: inout AppState, _ action: Action) -> [Effect] {
  let effects = state.apply(action) + state.noticeMentions()
  state.refreshTranscript()
  let text = state.recording.takeText()
  return state.recordChanges() + (text.isEmpty ? [] : [.recordScript(text)]) + effects
}

extension AppState {
  /// What each action means is said beside its subject, in the other files of this folder.
  fileprivate mutating func apply(_ action: Action) -> [Effect] {
    switch action {
    case .key(let key): return press(key)
    case .paste(let text): return paste(text)
    case .mouse(let event): return mouse(event)
    case .resize(let width, let height): (self.width, self.height) = (width, height)
    case .submit(let text): return submit(text)
    case .completed(let line, let completed, let choices): return self.completed(line, to: completed, choices: choices)
    case .filesRead(let purpose, let readings): return filesRead(purpose, readings)
    case .filesCut(let files, let message): return filesCut(files, message: message)
    case .draftEdited(let text): draftEdited(text)
    case .editorFailed(let message): say(message, isWarning: true)

    case .loaded(let summary): return loaded(summary)
    case .loadFailed(let message): return loadFailed(message)
    case .described(let summary): described(summary)
    case .cache(let status): cached(status)
    case .growth(let growth): return grew(growth)

    case .reply(let id, let event): return reply(id, event)
    case .replyEnded(let id): return replyEnded(id)

    case .training(let status): return trainingTold(status)
    case .trainingRefused(let message): trainingRefused(message)
    case .trainingFellSilent: trainingFellSilent()
    case .trainingPutAway: return leaving.status.map { [.quit(status: $0)] } ?? []
    case .lessons(let lessons): show(lessons)
    case .adapters(let adapters): show(adapters)
    case .adaptersRefused(let message): adaptersRefused(message)
    case .mixed(let mix, let mixed): return self.mixed(mix, mixed)
    case .mixRefused(let message): return mixRefused(message)
    case .adapterUndone(let message): return adapterUndone(message)

    case .recorder(let event): recorder(event)
    case .conversations(let query, let listing): conversations(query, listing)
    case .conversationOpened(let saved, let obstacle): return conversationOpened(saved, obstacle: obstacle)
    case .conversationRefused(let message): conversationRefused(message)
    case .adapterRestored(let adapter, let failure): return adapterRestored(adapter, failure: failure)
    case .exported(let file, let failure): exported(file, failure: failure)
    case .recordingFailed(let message): recordingFailed(message)

    case .terminate(let status): return quit(status: status)
    case .suspendRequested: return [.suspend(wholeGroup: false)]
    case .holdReplies(let form): replyForm = form
    case .scriptEnded(let takenOver):
      replyForm = nil
      attachments.takesMentions = true
      say(takenOver ? "the script has stopped: the chat is yours" : "the script is over: the chat is yours")
    }
    return []
  }

  // MARK: Saying things

  /// Into the transcript.
  /// - Parameter isKept: it belongs to the conversation and is saved with it.
  mutating func notice(_ text: String, isWarning: Bool = false, isKept: Bool = false) {
    conversation.append(.notice(text, isWarning: isWarning), isKept: isKept)
    if scroll != .end { hasNews = true }
  }

  /// In the lowest line, until the next key.
  mutating func say(_ text: String, isWarning: Bool = false) { hint = Hint(text: text, isWarning: isWarning) }
}

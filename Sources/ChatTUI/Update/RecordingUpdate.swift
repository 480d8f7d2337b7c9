import ChatEngine
import ChatScript

/// What of the chat goes into the script that is being recorded.
extension AppState {
  private func recordedSetting(_ options: ReplyOptions) -> ScriptRecording.Setting {
    ScriptRecording.Setting(stitch: currentStop?.id, system: conversation.system, options: options)
  }

  mutating func recordLoaded() { recording.loaded(adapter) }

  mutating func recordingFailed(_ message: String) {
    recording.end()
    notice("The script is not recorded any more: \(message)", isWarning: true)
  }

  /// A message of the user's is sent.
  /// - Parameter edited: the turn that it replaces.
  mutating func recordMessage(_ text: String, edited number: Int?) {
    guard recording.isOn else { return }
    let steps: [Script.Action] = number.map { [.command("/edit \($0)"), .user(text)] } ?? [.user(text)]
    recording.ask(steps, question: conversation.entries.last?.id)
  }

  /// Which of the user's turns a replay counts this one as, from the end; `nil` where it has none.
  func recordedNumber(ofTurn id: Int?) -> Int? {
    guard let id, recording.asked.contains(id) else { return nil }
    let turns = conversation.entries.filter { entry in
      if case .user = entry.kind { entry.id >= id && recording.asked.contains(entry.id) } else { false }
    }
    return turns.count
  }

  /// The last question is asked again.
  mutating func recordRegeneration() {
    guard recording.isOn, let question = conversation.userTurn(1) else { return }
    // One whose reply never began is no step yet.
    recording.ask([recording.asked.contains(question.id) ? .regenerate : .user(question.text)], question: question.id)
  }

  mutating func recordContinuation(of id: Int) {
    guard recording.isOn, let entry = conversation.entry(ofReply: id) else { return }
    // A replay has made all of a reply that was cut off here.
    if recording.strangers.contains(entry) {
      recording.withdraw()
    } else {
      recording.ask([.command("/continue")], question: nil)
    }
  }

  mutating func recordComparison(_ stitches: [String], _ question: String?, entry: Int) {
    guard recording.isOn else { return }
    var options = sampling
    options.seed = sampling.seed &+ repliesStarted &- 1
    recording.prepare(recordedSetting(options), family: familyReference)
    if let command = mixer.command {
      recording.write(.command(command))
      recording.adapter = adapter
    }
    recording.write(
      question.map { .command("/compare \(stitches.joined(separator: " ")) -- \($0)") } ?? .compare(stitches))
    if let turn = conversation.userTurn(1) { recording.asked.insert(turn.id) }
    if reasonNotToExpect(adapter, before: entry) != nil { recording.strangers.insert(entry) }
  }

  /// A reply has begun with what it really is made of.
  mutating func recordStart(of id: Int) {
    guard recording.isOn, let reply = conversation.reply(id), let options = reply.options else { return }
    var setting = recordedSetting(options)
    setting.stitch = reply.stitch
    recording.started(id, with: setting, family: familyReference, adapterCommand: mixer.command)
    if mixer.command != nil { recording.adapter = adapter }
  }

  mutating func recordEnd(of id: Int) {
    guard recording.isOn, let reply = conversation.reply(id), let entry = conversation.entry(ofReply: id) else {
      return
    }
    var whole: ReplyStamp?
    if case .finished(let stamp) = reply.state, stamp.finish != .cancelled { whole = stamp }
    guard recording.isOpen(id) else {
      recording.withdraw()
      if let comparing, whole == nil || whole?.adapter != recording.adapter { recording.strangers.insert(comparing) }
      return
    }
    guard let whole else {
      return recording.ended(id, of: entry, nil, because: "cut off here; a replay makes all of it")
    }
    var expectation = Expectation()
    expectation.stitch = whole.stitch
    expectation.form = FormExpectation(replyForm)
    let reason = reasonNotToExpect(whole.adapter, before: id)
    if reason == nil { (expectation.equals, expectation.finish) = (reply.text.trimmingWhitespace, whole.finish) }
    recording.ended(id, of: entry, expectation, because: reason)
  }

  /// Why a replay would not come to the same text.
  private func reasonNotToExpect(_ adapter: AdapterReference?, before id: Int) -> String? {
    if adapter != recording.adapter { return "made with an adapter that a replay does not have" }
    let isStrange = conversation.entries.contains {
      recording.strangers.contains($0.id) && $0.id <= id && !$0.isForgotten
    }
    return recording.isLost || isStrange ? "made after something that a replay does not have" : nil
  }

  mutating func recordTraining(before: TrainingStatus.Phase) {
    guard recording.isOn, training.phase != before else { return }
    switch training.phase {
    case .preparing: recording.trainingBegan(from: adapter)
    case .finished, .failed, .idle:
      var options = sampling
      options.seed = sampling.seed &+ repliesStarted
      recording.trainingEnded(training, with: recordedSetting(options), family: familyReference)
    case .running, .paused, .ending: break
    }
  }

  /// A command that changes the conversation.
  mutating func recordCommand(_ line: String) {
    guard recording.isOn else { return }
    recording.write(.command(line))
  }

  /// The oldest messages are forgotten.
  mutating func recordForgetting(_ count: Int) {
    guard recording.isOn else { return }
    recordCommand("/drop \(count)")
    // A replay counts other messages.
    if conversation.entries.contains(where: { recording.strangers.contains($0.id) }) { recording.isLost = true }
  }

  /// Another conversation begins: an empty one, which a replay can have too, or one that it cannot have.
  mutating func recordBeginning(isEmpty: Bool) {
    guard recording.isOn else { return }
    recording.withdraw()
    recording.close()
    if isEmpty {
      recording.write(.command("/clear"))
    } else {
      recording.remark("Another conversation, which a replay does not have.")
    }
    recording.isLost = !isEmpty
  }

  /// The program is about to end.
  mutating func recordLeaving() { if recording.isOn { recording.moved(to: currentStop?.id) } }
}

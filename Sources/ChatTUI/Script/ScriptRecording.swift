import ChatEngine
import ChatScript

/// Writes down what is done in a chat, as a script that does the same when it is replayed: `chat --record-script`.
///
/// It keeps what a replay of the steps so far would have (size, sampling, system prompt, adapter). What differs from
/// that when a reply begins is written before its step, so it does not matter what moved the slider: a key, the mouse, a
/// command or auto. A reply's text is expected only if a replay would come to the same.
package struct ScriptRecording: Sendable, Equatable {
  /// What is asked for and has not begun.
  fileprivate struct Request: Sendable, Equatable {
    var steps: [Script.Action]
    /// The entry of the question it answers.
    var question: Int?
  }

  /// What the next reply is made with.
  fileprivate struct Setting: Sendable, Equatable {
    var stitch: String?
    var system = ""
    /// With the seed of the next reply.
    var options = ReplyOptions()
  }

  package private(set) var isOn = false
  /// As the program was started with; `nil`: the family's own.
  private var adapterName: String?
  /// What a replay would have, once the header is written.
  private var replayed: Setting?
  fileprivate var adapter: AdapterReference?
  private var isAdapterKnown = false
  private var request: Request?
  /// The entry of the reply that is being made, its step written.
  private var open: Int?
  private var text = ""
  /// Steps that have to wait until the open reply has ended.
  private var later: [String] = []
  /// Questions that a replay has too.
  fileprivate var asked: Set<Int> = []
  /// Entries that a replay has in another form.
  fileprivate var strangers: Set<Int> = []
  /// The conversation is not the one that a replay would have.
  fileprivate var isLost = false
  /// Training began with the adapter that a replay would have.
  private var isTrainingKnown = false

  package init() {}

  package mutating func begin(adapterName: String?) {
    isOn = true
    self.adapterName = adapterName
  }

  package mutating func end() { isOn = false }

  /// What is to be written since the last time.
  mutating func takeText() -> String {
    defer { text = "" }
    return text
  }
}

extension ScriptRecording {
  /// The family is there.
  fileprivate mutating func loaded(_ adapter: AdapterReference?) {
    if isAdapterKnown { return }
    self.adapter = adapter
    isAdapterKnown = true
    // Later snapshots change what “latest” is.
    if adapterName == "latest" { adapterName = adapter?.hash ?? adapterName }
  }

  fileprivate mutating func ask(_ steps: [Script.Action], question: Int?) {
    request = Request(steps: steps, question: question)
  }

  /// What was asked for will not be made.
  fileprivate mutating func withdraw() { request = nil }

  /// A reply has begun.
  fileprivate mutating func started(_ id: Int, with setting: Setting, family: FamilyReference?) {
    guard let request else { return }
    self.request = nil
    prepare(setting, family: family)
    request.steps.forEach { write("  - \($0.text)\n") }
    if let question = request.question { asked.insert(question) }
    open = id
  }

  /// Writes what differs from what a replay has.
  fileprivate mutating func prepare(_ setting: Setting, family: FamilyReference?) {
    defer {
      // Every reply has a seed of its own.
      replayed = setting
      replayed!.options.seed &+= 1
    }
    guard let replayed else {
      var script = Script(file: "")
      script.family = family?.directory
      script.adapter = adapterName
      script.seed = setting.options.seed
      script.stitch = setting.stitch
      script.system = setting.system.isEmpty ? nil : setting.system
      script.settings = SamplingSetting.Name.allCases.filter { $0 != .seed }.compactMap { Script.setting($0, setting.options) }
      text += "# Recorded by stitch chat --record-script.\n" + script.headerText
      return
    }
    if let stitch = setting.stitch, stitch != replayed.stitch { write(.stitch(stitch)) }
    if setting.system != replayed.system { write(.system(setting.system)) }
    var before = replayed.options
    before.seed &-= 1
    let changes = Script.changes(from: before, to: setting.options)
    if !changes.isEmpty { write(.set(changes)) }
  }

  /// Something that changes the conversation; where nothing was said yet there is none.
  fileprivate mutating func write(_ action: Script.Action) { if replayed != nil { write("  - \(action.text)\n") } }

  /// What a replay cannot do.
  fileprivate mutating func remark(_ words: String) { if replayed != nil { write("  # \(words)\n") } }

  private mutating func write(_ line: String) {
    if open == nil { text += line } else { later.append(line) }
  }

  /// The open reply has ended.
  /// - Parameters:
  ///   - expectation: `nil` for one that was cut off.
  ///   - reason: why its text is not expected.
  fileprivate mutating func ended(_ id: Int, _ expectation: Expectation?, because reason: String?) {
    guard open == id else { return }
    let remark = reason.map { "  # \($0)" } ?? ""
    if let expectation {
      text += "    expect: \(expectation.text)\(remark)\n"
    } else {
      text += "  \(remark)\n"
    }
    if reason != nil { strangers.insert(id) }
    close()
  }

  fileprivate func isOpen(_ id: Int) -> Bool { open == id }

  /// The conversation of before is gone, and with it what was still to come.
  fileprivate mutating func close() {
    open = nil
    text += later.joined()
    later = []
  }

  fileprivate mutating func trainingBegan(from adapter: AdapterReference?) { isTrainingKnown = adapter == self.adapter }

  fileprivate mutating func trainingEnded(_ status: TrainingStatus, with setting: Setting, family: FamilyReference?) {
    guard status.phase == .finished, isTrainingKnown else {
      remark("Training ended after \(status.step) of \(status.totalSteps) steps, which a replay cannot do.")
      return
    }
    if replayed == nil {
      prepare(setting, family: family)
      // No reply was made.
      replayed!.options.seed &-= 1
    }
    write(.train(data: status.dataFile, steps: status.totalSteps))
    adapter = status.adapter
  }

  fileprivate mutating func moved(to stitch: String?) {
    guard let stitch, let before = replayed?.stitch, before != stitch else { return }
    replayed!.stitch = stitch
    write(.stitch(stitch))
  }
}

// MARK: What happens in the chat

extension AppState {
  private func recordedSetting(_ options: ReplyOptions) -> ScriptRecording.Setting {
    var setting = ScriptRecording.Setting(stitch: currentStop?.id, system: conversation.system, options: options)
    if options.seed == sampling.seed { setting.options.seed = sampling.seed }
    return setting
  }

  mutating func recordLoaded() { recording.loaded(adapter) }

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
    guard recording.isOn else { return }
    // A replay has made all of a reply that was cut off here.
    if recording.strangers.contains(id) { recording.withdraw() } else { recording.ask([.command("/continue")], question: nil) }
  }

  mutating func recordComparison(_ stitches: [String], _ question: String?, entry: Int) {
    guard recording.isOn else { return }
    var options = sampling
    options.seed = sampling.seed &+ UInt64(repliesStarted - 1)
    recording.prepare(recordedSetting(options), family: familyReference)
    recording.write(question.map { .command("/compare \(stitches.joined(separator: " ")) -- \($0)") } ?? .compare(stitches))
    if let turn = conversation.userTurn(1) { recording.asked.insert(turn.id) }
    if reasonNotToExpect(adapter, before: entry) != nil { recording.strangers.insert(entry) }
  }

  /// A reply has begun with what it really is made of.
  mutating func recordStart(of id: Int) {
    guard recording.isOn, let reply = conversation.reply(id), let options = reply.options else { return }
    var setting = recordedSetting(options)
    setting.stitch = reply.stitch
    recording.started(id, with: setting, family: familyReference)
  }

  mutating func recordEnd(of id: Int) {
    guard recording.isOn, let reply = conversation.reply(id) else { return }
    var whole: ReplyStamp?
    if case .finished(let stamp) = reply.state, stamp.finish != .cancelled { whole = stamp }
    guard recording.isOpen(id) else {
      recording.withdraw()
      if let comparing, whole?.adapter != recording.adapter { recording.strangers.insert(comparing) }
      return
    }
    guard let whole else { return recording.ended(id, nil, because: "cut off here; a replay makes all of it") }
    var expectation = Expectation()
    expectation.stitch = whole.stitch
    let reason = reasonNotToExpect(whole.adapter, before: id)
    if reason == nil { (expectation.equals, expectation.finish) = (reply.text.trimmingWhitespace, whole.finish) }
    recording.ended(id, expectation, because: reason)
  }

  /// Why a replay would not come to the same text.
  private func reasonNotToExpect(_ adapter: AdapterReference?, before id: Int) -> String? {
    if adapter != recording.adapter { return "made with an adapter that a replay does not have" }
    let isStrange = conversation.entries.contains { recording.strangers.contains($0.id) && $0.id <= id && !$0.isForgotten }
    return recording.isLost || isStrange ? "made after something that a replay does not have" : nil
  }

  mutating func recordTraining(before: TrainingStatus.Phase) {
    guard recording.isOn, training.phase != before else { return }
    switch training.phase {
    case .preparing: recording.trainingBegan(from: adapter)
    case .finished, .failed, .idle:
      var options = sampling
      options.seed = sampling.seed &+ UInt64(repliesStarted)
      recording.trainingEnded(training, with: recordedSetting(options), family: familyReference)
    case .running, .paused, .stopping: break
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
    if isEmpty { recording.write(.command("/clear")) } else { recording.remark("Another conversation, which a replay does not have.") }
    recording.isLost = !isEmpty
  }

  /// The program is about to end.
  mutating func recordLeaving() { if recording.isOn { recording.moved(to: currentStop?.id) } }
}

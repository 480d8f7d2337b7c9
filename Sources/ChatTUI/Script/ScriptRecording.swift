import ChatEngine
import ChatScript
import Conversations

/// Writes down what is done in a chat, as a script that does the same when it is replayed: `chat --record-script`.
///
/// It keeps what a replay of the steps so far would have (size, sampling, system prompt, adapter). What differs from
/// that when a reply begins is written before its step, so it does not matter what moved the slider: a key, the mouse, a
/// command or auto. A reply's text is expected only if a replay would come to the same.
package struct ScriptRecording: Sendable, Equatable {
  /// What is asked for and has not begun.
  struct Request: Sendable, Equatable {
    var steps: [Script.Action]
    /// The entry of the question it answers.
    var question: Int?
  }

  /// What the next reply is made with.
  struct Setting: Sendable, Equatable {
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
  var adapter: AdapterReference?
  private var isAdapterKnown = false
  private var request: Request?
  /// The reply that is being made, its step written.
  private var open: Int?
  private var text = ""
  /// Steps that have to wait until the open reply has ended, and the adapter they make.
  private var later: [String] = []
  private var laterAdapter: AdapterReference?
  /// Questions that a replay has too.
  var asked: Set<Int> = []
  /// Entries that a replay has in another form.
  var strangers: Set<Int> = []
  /// The conversation is not the one that a replay would have.
  var isLost = false
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
  mutating func loaded(_ adapter: AdapterReference?) {
    if isAdapterKnown { return }
    self.adapter = adapter
    isAdapterKnown = true
    // Later snapshots change what “latest” is.
    if adapterName == "latest" { adapterName = adapter?.hash ?? adapterName }
  }

  mutating func ask(_ steps: [Script.Action], question: Int?) {
    request = Request(steps: steps, question: question)
  }

  /// What was asked for will not be made.
  mutating func withdraw() { request = nil }

  /// A reply has begun.
  /// - Parameter adapterCommand: what has its adapter taken into use.
  mutating func started(
    _ id: Int, with setting: Setting, family: FamilyReference?, adapterCommand: String? = nil
  ) {
    guard let request else { return }
    self.request = nil
    prepare(setting, family: family)
    if let adapterCommand { write(.command(adapterCommand)) }
    request.steps.forEach { write("  - \($0.text)\n") }
    if let question = request.question { asked.insert(question) }
    open = id
  }

  /// Writes what differs from what a replay has.
  mutating func prepare(_ setting: Setting, family: FamilyReference?) {
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
      script.settings = SamplingSetting.Name.allCases.filter { $0 != .seed }.compactMap {
        Script.setting($0, setting.options)
      }
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
  mutating func write(_ action: Script.Action) { if replayed != nil { write("  - \(action.text)\n") } }

  /// What a replay cannot do.
  mutating func remark(_ words: String) { if replayed != nil { write("  # \(words)\n") } }

  private mutating func write(_ line: String) {
    if open == nil { text += line } else { later.append(line) }
  }

  /// The open reply has ended.
  /// - Parameters:
  ///   - entry: the reply's, or that of its comparison.
  ///   - expectation: `nil` for one that was cut off.
  ///   - reason: why its text is not expected.
  mutating func ended(_ id: Int, of entry: Int, _ expectation: Expectation?, because reason: String?) {
    guard open == id else { return }
    let remark = reason.map { "  # \($0)" } ?? ""
    if let expectation {
      text += "    expect: \(expectation.text)\(remark)\n"
    } else {
      text += "  \(remark)\n"
    }
    if reason != nil { strangers.insert(entry) }
    close()
  }

  func isOpen(_ id: Int) -> Bool { open == id }

  /// The conversation of before is gone, and with it what was still to come.
  mutating func close() {
    open = nil
    text += later.joined()
    later = []
    adapter = laterAdapter ?? adapter
    laterAdapter = nil
  }

  mutating func trainingBegan(from adapter: AdapterReference?) { isTrainingKnown = adapter == self.adapter }

  mutating func trainingEnded(_ status: TrainingStatus, with setting: Setting, family: FamilyReference?) {
    guard status.phase == .finished, isTrainingKnown else {
      remark("Training ended after \(status.step) of \(status.totalSteps) steps, which a replay cannot do.")
      return
    }
    if replayed == nil {
      prepare(setting, family: family)
      // No reply was made.
      replayed!.options.seed &-= 1
    }
    write(.train(data: status.dataFile, steps: status.totalSteps, distills: status.distills))
    // A replay waits in any case, a script that is played does not.
    write(.waitForTraining)
    // The open reply is still made with the one before.
    if open == nil { adapter = status.adapter } else { laterAdapter = status.adapter }
  }

  mutating func moved(to stitch: String?) {
    guard let stitch, let before = replayed?.stitch, before != stitch else { return }
    replayed!.stitch = stitch
    write(.stitch(stitch))
  }
}

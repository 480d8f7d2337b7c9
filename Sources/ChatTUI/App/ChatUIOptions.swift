import ChatEngine
import Conversations
import Foundation

/// What the terminal UI and the plain chat are started with.
public struct ChatUIOptions: Sendable {
  /// The stop to begin with: a name, or a number from 1; `auto` to let the speed decide; `nil`: the best.
  public var stitch: String?
  /// Sampling, seed included.
  public var sampling = ReplyOptions()
  public var system = ""
  /// Steps of `/train FILE` without a number.
  public var trainingSteps: Int?
  /// Tokens a second that auto holds where no other number is given.
  public var autoTarget = SpeedController.comfortable
  /// Draw with ASCII only. Texts keep their characters.
  public var ascii = false
  /// Take the mouse: slider and wheel. Without it the terminal's own selection works as always.
  public var mouse = true
  /// Which of the terminal's palette colours; `NO_COLOR` in the environment overrules it.
  public var theme = Theme.auto
  /// A script to play, as a person would type it.
  public var script: ScriptPlayback?
  /// Where what is done is recorded as a script.
  public var recordedScript: RecordedScriptFile?
  /// The adapter's name for the header of that script; `nil`: the family's own.
  public var recordedAdapter: String?
  /// Where standard output and error of the process go while the UI is up; `nil`: nowhere.
  public var logFile: URL?
  /// What to do where the conversation is longer than the context; `nil`: ask in the terminal UI, and leave out the
  /// oldest messages in a plain chat.
  public var overflow: ReplyOptions.Overflow?
  /// Where lines that were sent are kept for the next time; `nil`: nowhere.
  public var historyFile: URL?
  /// Print the conversation to the terminal after leaving, so that it stays in the scroll-back.
  public var keepsTranscript = true

  /// Where conversations are and how they are saved; `nil`: none are there.
  public var saving: ConversationSaving?
  /// The family, for the files of conversations.
  public var family: FamilyReference?
  /// The id of a conversation to go on with.
  public var resume: String?
  /// A line to say before anything is asked.
  public var notice: String?
  /// With `resume`: the adapter was chosen on the command line. (A stitch, a system prompt and sampling other than the
  /// usual one count as chosen there.)
  public var keepsAdapter = false

  public init() {}

  static var isNoColorSet: Bool { ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false }
}

extension AppState {
  package init(_ options: ChatUIOptions) {
    self.init()
    glyphs = options.ascii ? .ascii : .unicode
    screen.mouse = options.mouse
    slider.autoTarget = options.autoTarget
    screen.theme = ChatUIOptions.isNoColorSet ? .mono : options.theme
    slider.wanted = options.stitch
    sampling = options.sampling
    defaultTrainingSteps = options.trainingSteps
    conversation.system = options.system
    familyReference = options.family
    openingNotice = options.notice
    attachments.takesMentions = options.script == nil
    if options.recordedScript != nil { recording.begin(adapterName: options.recordedAdapter) }
    journal.isOn = options.saving?.isRecording ?? false
    if options.resume != nil {
      opening = .reading
      startedWith.stitch = options.stitch
      startedWith.system = options.system.isEmpty ? nil : options.system
      startedWith.adapter = options.keepsAdapter
      startedWith.sampling = options.sampling
    }
  }
}

import ChatEngine
import Conversations

/// Everything the screen shows, and nothing else.
package struct AppState: Sendable, Equatable {
  package var width = 80
  package var height = 24
  package var glyphs: GlyphSet = .unicode
  package var screen = ScreenSettings()
  /// A chat line by line: commands that need a screen say so.
  package var isPlain = false

  package var family: Family = .loading
  /// The family, known before it is loaded.
  package var familyReference: FamilyReference?
  /// A line to say before anything is asked.
  var openingNotice: String?
  package var slider = Slider()
  package var mixer = Mixer()
  /// What is done to give the model more sizes, while it is.
  package var growth: String?
  /// There are more sizes, which the family as it was described last does not have.
  var hasGrown = false
  package var sampling = ReplyOptions()
  /// What replies are held to: a script says so of its steps.
  package var replyForm: ReplyFormSource?
  /// What the next reply is made with, once that is known.
  package var adapter: AdapterReference?
  /// Measured here: tokens per second by stitch, newer than what the family knows.
  package var speeds: [String: Double] = [:]
  /// What they tell of all stops; `nil` until the family is loaded.
  var speedEstimates: SpeedEstimates?
  /// Measured here: prompt tokens per second by stitch.
  package var prefillSpeeds: [String: Double] = [:]

  package var activity: Activity = .idle
  package var trainingState: TrainingState = .told(TrainingStatus())
  /// Steps of training where no number is given; `nil`: as many as suit the family.
  package var defaultTrainingSteps: Int?
  /// Training shows as one line even where there is room for its pane.
  package var isTrainingCollapsed = false
  /// Answers that are still to come to what was asked besides replies, training and conversations to open.
  package var pendingAnswers = 0
  package var leaving: Leaving = .no

  package var conversation = Conversation()
  package var repliesStarted: UInt64 = 0
  package var contextTokens = 0
  /// It was said that the context is nearly full.
  var hasWarnedOfContext = false
  /// What of this conversation the stitches have cached: after the last reply, or what was prefilled since; `nil`
  /// before the first reply.
  package var cache: CacheStatus?
  /// What of it is saved.
  package var journal = Journal()
  /// What of it is recorded as a script.
  package var recording = ScriptRecording()
  package var opening: Opening = .done
  /// Holds against what the first conversation that is opened says.
  package var startedWith = StartOptions()
  /// The entry up to which the conversation came from a file.
  package var restoredThrough = 0

  package var transcript = TranscriptLayout()
  package var scroll: Scroll = .end
  /// Something was added below the part that is shown.
  package var hasNews = false
  package var overlay: Overlay = .none
  package var hint: Hint?

  package var editor = Editor()
  /// What Tab completes, until that is done.
  package var completing: Completing?
  /// The turn of the user's that what is written will replace.
  package var editing: Int?
  /// Files that go with the next message.
  package var attachments = Attachments()
  /// A message that did not fit the context, and how many of the oldest would have to go.
  package var held: HeldMessage?

  package init() {}
}

// MARK: The states

extension AppState {
  package enum Family: Sendable, Equatable {
    case loading
    case ready(FamilySummary)
    case failed(String)
  }

  /// What is being made of the conversation: one thing at a time.
  package enum Activity: Sendable, Equatable {
    case idle
    /// The reply of this entry was asked for before it can begin: the family or the conversation's adapter is not
    /// there yet.
    case waiting(reply: Int)
    case replying(reply: Int)
    /// A comparison, and the one of its replies that is being made.
    case comparing(entry: Int, reply: Int)
    /// Esc was pressed: what still arrives of the reply is not shown. Of a comparison, no other reply begins.
    case cancelling(reply: Int, comparison: Int?)

    /// The reply that is being made or waits.
    package var reply: Int? {
      switch self {
      case .idle: nil
      case .waiting(let reply), .replying(let reply), .comparing(_, let reply), .cancelling(let reply, _): reply
      }
    }

    /// The entry of the comparison that is running.
    package var comparison: Int? {
      switch self {
      case .idle, .waiting, .replying: nil
      case .comparing(let entry, _): entry
      case .cancelling(_, let comparison): comparison
      }
    }
  }

  /// Training, as far as the chat knows.
  package enum TrainingState: Sendable, Equatable {
    /// Asked of the engine, which has said nothing of it yet: that there is none is of the time before.
    case asked(file: String, steps: Int)
    /// What the engine said last.
    case told(TrainingStatus)
    /// The engine tells no more of training; what it said last.
    case silent(TrainingStatus)

    package var status: TrainingStatus {
      switch self {
      case .told(let status), .silent(let status): return status
      case .asked(let file, let steps):
        var status = TrainingStatus()
        status.phase = .preparing
        status.dataFile = file
        status.totalSteps = steps
        return status
      }
    }
  }

  /// How far a saved conversation is on its way into the chat.
  package enum Opening: Sendable, Equatable {
    case done
    /// Its file is being read.
    case reading
    /// Its adapter is being taken into use; until then no reply begins.
    case adapter
  }

  package enum Leaving: Sendable, Equatable {
    case no
    /// Ctrl-C was pressed once; again, it leaves.
    case armed
    /// Waiting for training to be put away; then the exit status.
    case puttingTrainingAway(status: Int32)

    /// The exit status, once it is decided.
    package var status: Int32? { if case .puttingTrainingAway(let status) = self { status } else { nil } }
  }

  /// What stands over the chat and has the keys first: one thing at a time.
  package enum Overlay: Sendable, Equatable {
    case none
    /// From this line on.
    case help(firstLine: Int)
    /// A list to choose from.
    case picker(Picker)
    /// The search line, in place of the composer.
    case search(Search)
  }

  /// Where the transcript is scrolled to.
  package enum Scroll: Sendable, Equatable {
    /// At the end, following what comes.
    case end
    /// This line of this entry is the uppermost on the screen, whatever comes below.
    case at(entry: Int, line: Int)
  }

  package struct HeldMessage: Sendable, Equatable {
    /// As it is written.
    package var text: String
    package var files: [AttachedFile] = []
    package var messagesToDrop: Int
  }

  package struct Hint: Sendable, Equatable {
    package var text: String
    package var isWarning: Bool
  }

  /// What was given when the program was started holds against what the first conversation that is opened says.
  package struct StartOptions: Sendable, Equatable {
    package var stitch: String?
    package var adapter = false
    package var system: String?
    package var sampling = ReplyOptions()

    package init() {}
  }
}

extension AppState.Overlay {
  /// The help's first line that shows. Set to `nil`, it closes the help and nothing else; so do the others.
  package var help: Int? {
    get { if case .help(let line) = self { line } else { nil } }
    set { if let newValue { self = .help(firstLine: newValue) } else if help != nil { self = .none } }
  }
  package var picker: Picker? {
    get { if case .picker(let picker) = self { picker } else { nil } }
    set { if let newValue { self = .picker(newValue) } else if picker != nil { self = .none } }
  }
  package var search: Search? {
    get { if case .search(let search) = self { search } else { nil } }
    set { if let newValue { self = .search(newValue) } else if search != nil { self = .none } }
  }
}

// MARK: What follows from them

extension AppState {
  package var summary: FamilySummary? { if case .ready(let summary) = family { summary } else { nil } }

  package var help: Int? { overlay.help }
  package var picker: Picker? { overlay.picker }
  package var search: Search? { overlay.search }

  /// The reply that is running or waits for the family.
  package var activeReply: Int? { activity.reply }
  /// The entry of the comparison that is running.
  package var comparing: Int? { activity.comparison }
  package var isCancelling: Bool { if case .cancelling = activity { true } else { false } }

  /// Something was asked for and has not come: a reply, a list, a conversation, a file.
  package var isAwaitingAnswer: Bool {
    activity != .idle || pendingAnswers > 0 || opening != .done || picker?.isLoading == true || mixer.asked != nil
  }

  package var training: TrainingStatus {
    get { trainingState.status }
    set { trainingState = .told(newValue) }
  }

  package var isTraining: Bool { training.phase.isActive }

  /// The family is there, with the adapter that the conversation needs, and the mix that was asked for.
  var canReply: Bool { summary != nil && opening != .adapter && mixer.asked == nil }

  /// Of the adapter that the next reply is made with.
  package var adapterStep: Int? { summary?.adapterStep }

  /// Share of the context in use, if anything is.
  package var contextUse: Double? {
    guard let length = summary?.contextLength, length > 0 else { return nil }
    return Double(contextTokens) / Double(length)
  }

  package var layout: ScreenLayout { ScreenLayout(self) }
}

/// A line whose end is being completed.
package struct Completing: Sendable, Equatable {
  package var line: String
  /// Whether Enter came meanwhile.
  package var sends = false
}

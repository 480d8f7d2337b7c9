import ChatEngine
import Conversations

/// Everything the screen shows, and nothing else.
package struct AppState: Sendable, Equatable {
  package enum Family: Sendable, Equatable {
    case loading
    case ready(FamilySummary)
    case failed(String)
  }

  /// Where the transcript is scrolled to.
  package enum Scroll: Sendable, Equatable {
    /// At the end, following what comes.
    case end
    /// This line of this entry is the uppermost on the screen, whatever comes below.
    case at(entry: Int, line: Int)
  }

  package struct HeldMessage: Sendable, Equatable {
    package var text: String
    package var messagesToDrop: Int
  }

  package struct Hint: Sendable, Equatable {
    package var text: String
    package var isWarning: Bool
  }

  package var width = 80
  package var height = 24
  package var glyphs: GlyphSet = .unicode
  package var screen = ScreenSettings()

  package var family: Family = .loading
  /// The slider.
  package var stop = 0
  /// The stitch asked for on the command line; `nil`: the best.
  package var wantedStitch: String?
  package var sampling = ReplyOptions()
  package var defaultTrainingSteps = 300
  /// Measured here: tokens per second by stitch, newer than what the family knows.
  package var speeds: [String: Double] = [:]
  /// Measured here: prompt tokens per second by stitch.
  package var readingSpeeds: [String: Double] = [:]
  /// How many tokens of the conversation each stitch has cached: after the last reply, or what was read since.
  package var cachedTokens: [String: Int] = [:]
  /// The engine's last reply was one of this conversation.
  var isCacheOurs = false
  /// The conversation is read again in the background, for another adapter is in use.
  package var isReadingAgain = false
  /// Moves the slider by itself.
  package var auto: SpeedController?
  /// Tokens a second, where auto is begun without a number.
  package var autoTarget = SpeedController.comfortable

  package var conversation = Conversation()
  /// What of it is saved.
  package var journal = Journal()
  /// What of it is recorded as a script.
  package var recording = ScriptRecording()
  package var opening: Opening = .done
  /// Holds against what the first conversation that is opened says.
  package var startedWith = StartOptions()
  /// The entry up to which the conversation came from a file.
  package var restoredThrough = 0
  /// A file is being written.
  package var isExporting = false
  /// The family, known before it is loaded.
  package var familyReference: FamilyReference?
  /// What the next reply is made with, once that is known.
  package var adapter: AdapterReference?
  package var transcript = TranscriptLayout()
  package var scroll: Scroll = .end
  /// Something was added below the part that is shown.
  package var hasNews = false
  /// The entry of the reply that is running or waits for the family.
  package var activeReply: Int?
  /// The entry of the comparison that is running.
  package var comparing: Int?
  /// Esc was pressed; what still arrives is not shown.
  package var isStopping = false
  package var repliesStarted = 0
  package var contextTokens = 0

  package var editor = Editor()
  /// The turn of the user's that what is written will replace.
  package var editing: Int?
  /// A message that did not fit the context, and how many of the oldest would have to go.
  package var held: HeldMessage?
  /// It was said that the context is nearly full.
  var hasWarnedOfContext = false
  package var search: Search?
  /// A chat line by line: commands that need a screen say so.
  package var isPlain = false
  package var training = TrainingStatus()
  /// Training shows as one line even where there is room for its pane.
  package var isTrainingCollapsed = false
  /// Answers that are still to come to what was asked of the engine besides replies.
  package var pendingAnswers = 0
  package var hint: Hint?
  /// First line of the help overlay that shows; `nil`: no overlay.
  package var help: Int?
  /// The list that shows over the chat.
  package var picker: Picker?
  package var isDragging = false
  package var quitArmed = false
  /// Waiting for training to be put away; then the exit status.
  package var quitting: Int32?

  package init() {}

  package var summary: FamilySummary? {
    if case .ready(let summary) = family { summary } else { nil }
  }
  package var stops: [Stop] { summary?.stops ?? [] }
  package var currentStop: Stop? { stops.indices.contains(stop) ? stops[stop] : nil }

  /// The family's stop with what was measured here.
  package func speed(of stop: Stop) -> Double? { speeds[stop.id] ?? stop.tokensPerSecond }

  /// The stitch of the running reply, if the slider stands elsewhere.
  package var otherRunningStitch: String? {
    guard comparing == nil, let id = activeReply, let reply = conversation.reply(id), case .ready = family,
      reply.stitch != currentStop?.id
    else { return nil }
    return reply.stitch
  }

  /// Of the adapter that the next reply is made with.
  package var adapterStep: Int? { summary?.adapterStep }

  /// Share of the context in use, if anything is.
  package var contextUse: Double? {
    guard let length = summary?.contextLength, length > 0 else { return nil }
    return Double(contextTokens) / Double(length)
  }

  /// Training was asked for, and the engine has said nothing of it yet: that there is none is of the time before.
  package var isTrainingAsked = false

  package var isTraining: Bool {
    switch training.phase {
    case .preparing, .running, .paused, .stopping: true
    case .idle, .finished, .failed: false
    }
  }

  package var layout: ScreenLayout { ScreenLayout(self) }
}

import ChatEngine
import Conversations

/// Something that happened: the only way the state changes.
package enum Action: Sendable, Equatable {
  case key(KeyPress)
  case paste(String)
  case mouse(MouseEvent)
  case resize(width: Int, height: Int)
  /// A line as if it had been typed and sent (plain chat).
  case submit(String)

  case loaded(FamilySummary)
  case loadFailed(String)
  /// The family as it is now: another adapter may be in use. `nil` where it can be read no more.
  case described(FamilySummary?)
  /// How far the family is on its way to more sizes.
  case growth(FamilyGrowth)
  case lessons([LessonFile])
  /// What Tab makes of a line with a path in it, and what there is to choose from.
  case completed(line: String, to: String, choices: [String])
  /// The answer to `readFiles`.
  case filesRead(FilePurpose, [FileReading])
  /// The answer to `cutFiles`: those that fit now; none, if nothing does.
  case filesCut([AttachedFile], message: String?)
  /// `id` names the reply's entry in the conversation.
  case reply(id: Int, ReplyEvent)
  /// The reply's stream ended without a last event.
  case replyEnded(id: Int)
  case training(TrainingStatus)
  case cache(CacheStatus)
  case trainingRefused(String)
  /// The engine will tell nothing more of training.
  case trainingFellSilent
  /// The answer to `listAdapters`.
  case adapters([AdapterEntry])
  case adaptersRefused(String)
  /// The answer to `mixAdapters`.
  case mixed(AdapterMix, AdapterMixed)
  case mixRefused(String)
  /// What is in use after an undo.
  case adapterUndone(String)
  case recorder(RecorderEvent)
  /// The answer to `listConversations` with that text.
  case conversations(query: String, ConversationLibrary.Listing)
  /// A saved conversation was read; the obstacle is why it cannot be added to.
  case conversationOpened(SavedConversation, obstacle: ConversationError?)
  case conversationRefused(String)
  /// The adapter of a saved conversation is in use, or why it is not.
  case adapterRestored(AdapterReference, failure: String?)
  case exported(file: String, failure: String?)
  /// The script that was being recorded cannot be written; why, in one line.
  case recordingFailed(String)

  /// Training was ended and its result kept because the program is about to end.
  case trainingPutAway

  /// The draft as an editor left it.
  case draftEdited(String)
  /// Why an editor did not change the draft.
  case editorFailed(String)

  /// The program should end with this status: a signal came, or the end of input.
  case terminate(status: Int32)
  case suspendRequested
  /// What replies are held to from now on; `nil`: to nothing.
  case holdReplies(to: ReplyFormSource?)
  /// The script that was being played is over, or the user took over.
  case scriptEnded(takenOver: Bool)
}

/// What the runner is to do, in order. Results come back as actions.
package enum Effect: Sendable, Equatable {
  case load
  /// Asks for the family as it is now; reports `described`.
  case describe
  case listLessons
  /// Completes the path at the end of a line; reports `completed`.
  case completePath(line: String)
  /// Reads files, and counts their tokens; reports `filesRead`.
  case readFiles([String], for: FilePurpose)
  /// Shortens files until all have no more tokens together; reports `filesCut`.
  case cutFiles([AttachedFile], tokens: Int, message: String?)
  case startReply(id: Int, messages: [ChatMessage], stitch: String, options: ReplyOptions)
  case cancelReply
  case startTraining(file: String, steps: Int, distills: Bool = false)
  case pauseTraining
  case resumeTraining
  case saveTraining
  /// Ends it and keeps what was learned.
  case endTraining
  /// Reports `adapters` or `adaptersRefused`.
  case listAdapters
  /// Takes a mix into use; reports `mixed` or `mixRefused`.
  case mixAdapters(AdapterMix)
  /// Goes back to the adapter before; reports `adapterUndone`.
  case undoAdapter
  /// Goes back to the adapter of a saved conversation; reports `adapterRestored`.
  case restoreAdapter(AdapterReference)
  /// Appends to the file of the conversation, before anything else happens.
  case record([ConversationRecord])
  /// Appends to the script that is being recorded.
  case recordScript(String)
  /// What is recorded from now on belongs to the conversation that was opened; `nil`: to none.
  case attachConversation(String?)
  /// Reports `conversations`.
  case listConversations(query: String, refreshes: Bool)
  /// Reads a conversation whose id begins like this; reports `conversationOpened` or `conversationRefused`.
  case openConversation(String)
  /// Reports `exported`.
  case export(SavedConversation, file: String)
  /// Ends training, keeps the result, and reports `trainingPutAway`.
  case putTrainingAway
  case suspend(wholeGroup: Bool)
  case redraw
  case setScreen(ScreenSettings)
  /// To the clipboard of the terminal.
  case copy(String)
  /// In the user's editor; reports `draftEdited` or `editorFailed`.
  case editDraft(String)
  case quit(status: Int32)
}

import ArgumentParser
import ChatEngine
import ChatTUI
import Foundation

/// `stitch chat`: the terminal UI, or a chat line by line where there is no terminal.
struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Chat with a family of models, with a slider for its size.",
    discussion: """
      The screen is up at once; the family loads meanwhile. F1 or /help shows keys and commands. Without a terminal, \
      or with --plain, lines are read from standard input and replies written to standard output.
      """)

  @OptionGroup var family: FamilyOptions
  @OptionGroup var sampling: SamplingArguments

  @Option(help: ArgumentHelp("The system prompt.", valueName: "text"))
  var system: String = ""

  @Flag(help: "Chat line by line, without cursor control.")
  var plain = false

  @Flag(help: "Draw with ASCII characters only.")
  var ascii = false

  @Flag(name: .customLong("no-mouse"), help: "Leave the mouse to the terminal.")
  var noMouse = false

  @Flag(name: .customLong("no-color"), help: "Use no colours; so does NO_COLOR in the environment.")
  var noColor = false

  @Option(
    defaultAsFlag: "latest", parsing: .next,
    help: ArgumentHelp(
      "Go on with a saved conversation: the one whose id begins like this, or without one the latest of the family.",
      valueName: "id"))
  var resume: String?

  @Flag(name: .customLong("no-save"), help: "Do not save this conversation.")
  var noSave = false

  func validate() throws {
    if sampling.maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more, not \(sampling.maxTokens)") }
  }

  func run() throws {
    // Only what is cheap comes before the first screen; the backend opens the family on its own thread.
    let store = ConversationStore()
    let resumed = resume == "latest" ? nil : try resume.map { try store.header(store.find($0)) }
    let directory = try familyDirectory(resumed)
    let reference = FamilyReference(directory)
    var engine = FamilyBackend.Options(family: directory)
    engine.adapter = try family.adapterChoice()
    engine.stitch = family.stitchID
    let backend = FamilyBackend(engine)
    var options = ChatUIOptions()
    options.stitch = family.stitchID
    options.sampling = sampling.reply
    options.system = system
    options.family = reference
    options.saving = ConversationSaving(store: store, program: "stitch \(Stitch.configuration.version)")
    options.saving?.isRecording = !noSave
    options.resume = try resumed?.id ?? (resume == nil ? nil : latest(in: store, of: directory))
    options.keepsAdapter = family.adapter != nil
    options.ascii = ascii
    options.mouse = !noMouse
    options.color = !noColor
    let status: Int32
    if plain || !canRunChatUI() {
      status = try runPlainChat(backend: backend, options: options, output: Console.writeOrEnd)
    } else {
      options.logFile = Self.logFile()
      status = try runChatUI(backend: backend, options: options)
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// The family to use: without a name, that of the conversation if it is still where it was.
  private func familyDirectory(_ resumed: SavedConversation?) throws -> URL {
    if let theirs = resumed?.family, family.family == nil, !FamilyLocator.isNamedInEnvironment,
      let directory = try? FamilyLocator().locate(theirs.directory),
      FamilyReference(directory)?.identity == theirs.identity
    {
      return directory
    }
    return try family.directory()
  }

  private func latest(in store: ConversationStore, of directory: URL) throws -> String {
    try store.latest(of: FamilyReference(reading: directory))
  }

  /// Where what libraries print goes while the screen is ours; nowhere if the directory cannot be made.
  private static func logFile() -> URL? {
    let directory = UserDirectories.state
    do { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) } catch { return nil }
    return directory.appendingPathComponent("chat.log")
  }
}

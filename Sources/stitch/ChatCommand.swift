import ArgumentParser
import ChatEngine
import ChatScript
import ChatTUI
import ChatTerminal
import Conversations
import Foundation
import LLaMAStitch
import RemoteChat
import Settings
import Support
import Workflows

/// `stitch chat`: the terminal UI, or a chat line by line where there is no terminal.
struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Chat with a family of models, with a slider for its size, or with a single model.",
    discussion: """
      The screen is up at once; the family loads meanwhile. F1 or /help shows keys and commands. Without a terminal, \
      or with --plain, lines are read from standard input and replies written to standard output. With --stitch auto the \
      size follows the speed: the best one that makes 20 tokens a second; /auto takes another number. Defaults come from \
      stitch/config.yaml in $XDG_CONFIG_HOME (~/.config); --print-config writes such a file.
      """)

  @OptionGroup var family: FamilyOptions
  @OptionGroup var single: ModelOption
  @OptionGroup var server: ServerOption
  @Flag(
    help: ArgumentHelp(
      "Give the model of --model a slider: sizes with fewer of its blocks.",
      discussion: "They are made once, in the background, while one already chats with the whole model."))
  var slider = false
  @OptionGroup var sampling: ChatSamplingArguments
  @OptionGroup var cache: CacheOptions

  @Option(help: ArgumentHelp("The system prompt.", valueName: "text"))
  var system: String?

  @Option(
    help: ArgumentHelp(
      "Play a script (YAML or JSON Lines) as a person would type it; any key takes over.", valueName: "file"))
  var script: String?

  @Option(help: ArgumentHelp("How fast to play it; 2 is twice as fast.", valueName: "x"))
  var speed = 1.0

  @Flag(help: "Leave after the script.")
  var quitAtEnd = false

  @Option(
    help: ArgumentHelp(
      "Write what you do into a new script, with the replies as what is expected, for 'stitch replay'.",
      valueName: "file"))
  var recordScript: String?

  @Flag(help: "Chat line by line, without cursor control.")
  var plain = false

  @Flag(inversion: .prefixedNo, help: "Draw with ASCII characters only.")
  var ascii: Bool?

  @Flag(inversion: .prefixedNo, help: "Take the mouse, or leave it to the terminal.")
  var mouse: Bool?

  @Flag(inversion: .prefixedNo, help: "Use colours, or none; NO_COLOR in the environment means none too.")
  var color: Bool?

  @Option(help: ArgumentHelp("Colours for the terminal's background: auto, light, dark or mono.", valueName: "name"))
  var theme: Theme?

  @Flag(help: "Print the settings in use, as a configuration file, and end.")
  var printConfig = false

  @Flag(name: .customLong("no-history"), help: "Keep nothing of what is written for the next time.")
  var noHistory = false

  @Option(
    defaultAsFlag: "latest", parsing: .next,
    help: ArgumentHelp(
      "Go on with a saved conversation: the one whose id begins like this, or without one the latest of the family.",
      valueName: "id"))
  var resume: String?

  @Flag(name: .customLong("no-save"), help: "Do not save this conversation.")
  var noSave = false

  func validate() throws {
    try single.check(with: family)
    try server.check(with: family, single)
    if slider && single.model == nil { throw ValidationError("--slider is for a single model: give --model") }
    if !(speed > 0 && speed <= 1000) { throw ValidationError("--speed must be above 0 and at most 1000, not \(speed)") }
    if script == nil && quitAtEnd { throw ValidationError("--quit-at-end needs --script") }
    if recordScript != nil && resume != nil {
      throw ValidationError(
        "--record-script begins with an empty conversation; leave out --resume, or replay the saved conversation itself"
      )
    }
  }

  func run() throws {
    let script = try self.script.map { try Script(contentsOf: URL(fileURLWithPath: $0), name: $0) }
    var settings = try self.settings(script)
    // Only what is cheap comes before the first screen; the backend opens the family on its own thread.
    let store = ConversationStore()
    let resumed = resume == "latest" ? nil : try resume.map { try store.header(store.find($0)) }
    if let address = try server.address() {
      if printConfig { return try Console.write(text: settings.yaml) }
      let reference = FamilyReference(name: address.name, identity: "server \(address.base)", directory: address.base)
      return try chat(
        with: ServerBackend(address), settings.chatOptions(reference), script, settings, store: store,
        resume: resumed?.id ?? (resume == nil ? nil : store.latest(of: [reference])), hint: nil)
    }
    let found: FamilyLocator.Found
    do {
      found =
        try single.directory(asFamily: !printConfig).map { .init($0) }
        ?? settings.family(named: family.family, resumed: resumed)
    } catch EngineError.noFamily where printConfig {
      // A file can be made before there is a model.
      return try Console.write(text: settings.yaml)
    }
    let growing = try growth(of: found.directory)
    let directory = try growing?.place ?? FamilyOptions.ready(found.directory)
    // A script says itself how it is played.
    if script == nil, let defaults = try GenerationDefaults.read(in: directory) {
      settings = try self.settings(nil, sampling: ReplyOptions(defaults.sampling))
    }
    if printConfig { return try Console.write(text: settings.yaml) }
    var engine = try settings.engineOptions(family: directory)
    // In between, people read and type; a script that is piped in does not.
    engine.prefetches = !isPlain
    engine.grower = growing?.grower
    // What was said while a model had no slider yet belongs to the model alone.
    let families = slider ? [directory, found.directory] : [directory]
    try chat(
      with: FamilyBackend(engine), try settings.chatOptions(family: directory), script, settings, store: store,
      resume: resumed?.id ?? (resume == nil ? nil : latest(in: store, of: families)), hint: found.hint)
  }

  /// Lines are read and written, without a screen.
  private var isPlain: Bool { plain || !canRunChatUI() }

  /// The chat, whatever makes its replies.
  private func chat(
    with backend: any ChatBackend, _ given: ChatUIOptions, _ script: Script?, _ settings: ChatSettings,
    store: ConversationStore, resume: String?, hint: String?
  ) throws {
    var options = given
    options.saving = ConversationSaving(store: store, program: "stitch \(Stitch.configuration.version)")
    options.saving?.isRecording = settings.save && !noSave
    options.resume = resume
    options.keepsAdapter = family.adapter != nil
    options.recordedScript = try recordScript.map { path throws(RecordedScriptFile.Failure) in
      try RecordedScriptFile(path)
    }
    defer { options.recordedScript?.close() }
    options.script = script.map { ScriptPlayback($0, speed: speed, quitsAtEnd: quitAtEnd) }
    if let editor = settings.editor { setenv("VISUAL", editor, 1) }
    let status: Int32
    if isPlain {
      if let hint { Console.log("\(hint)\n") }
      status = try runPlainChat(
        backend: backend, options: options, output: Console.writeOrEnd, isInteractive: Terminal.inputIsTerminal)
    } else {
      options.logFile = Self.logFile()
      options.notice = hint
      if !noHistory { options.historyFile = UserDirectories.state.appendingPathComponent("history.jsonl") }
      status = try runChatUI(backend: backend, options: options)
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// With `--slider`, what to open and how it gets its sizes, if it has none yet.
  private func growth(of model: URL) throws -> (place: URL, grower: FamilyGrower?)? {
    guard slider, !printConfig else { return nil }
    let cache = FamilyCache()
    guard try FamilyDescription.read(in: model).isModel else {
      throw ValidationError("\(model.path) is a family, which has a slider; leave out --slider")
    }
    let (place, exists) = try cache.slider(of: model)
    if exists { return (place, nil) }
    let threads = SystemProcessors.usable
    return (model, { rest, note in try cache.makeSlider(of: model, threads: threads, rest: rest, note: note) })
  }

  /// - Parameter sampling: that of the model, which everything else overrules.
  private func settings(_ script: Script?, sampling defaults: ReplyOptions = ReplyOptions()) throws -> ChatSettings {
    var settings = ChatSettings()
    settings.sampling = defaults
    try settings.readConfiguration()
    // The environment speaks for this session, the file for all.
    if FamilyLocator.isNamedInEnvironment { settings.family = nil }
    if let script { settings.apply(script) }
    settings.family = family.family ?? settings.family
    settings.adapter = family.adapter ?? settings.adapter
    settings.stitch = family.stitch ?? settings.stitch
    sampling.apply(to: &settings.sampling)
    settings.system = system ?? settings.system
    settings.ascii = ascii ?? settings.ascii
    settings.mouse = mouse ?? settings.mouse
    settings.color = color ?? settings.color
    settings.theme = theme ?? settings.theme
    settings.cache = cache.cache ?? settings.cache
    return settings
  }

  private func latest(in store: ConversationStore, of directories: [URL]) throws -> String {
    try store.latest(of: directories.map { try FamilyReference(reading: $0) })
  }

  /// Where what libraries print goes while the screen is ours; nowhere if the directory cannot be made.
  private static func logFile() -> URL? {
    let directory = UserDirectories.state
    do { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) } catch {
      return nil
    }
    return directory.appendingPathComponent("chat.log")
  }
}

extension Theme: ExpressibleByArgument {}

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
      or with --plain, lines are read from standard input and replies written to standard output. \
      With --stitch auto the size follows the speed: the best one that makes 20 tokens a second; /auto takes another number.
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

  func validate() throws {
    if sampling.maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more, not \(sampling.maxTokens)") }
  }

  func run() throws {
    // Only what is cheap comes before the first screen; the backend opens the family on its own thread.
    var engine = FamilyBackend.Options(family: try family.directory())
    engine.adapter = try family.adapterChoice()
    engine.stitch = family.stitchID
    let backend = FamilyBackend(engine)
    var options = ChatUIOptions()
    options.stitch = family.stitch
    options.sampling = sampling.reply
    options.system = system
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

  /// Where what libraries print goes while the screen is ours; nowhere if the directory cannot be made.
  private static func logFile() -> URL? {
    let directory = UserDirectories.state
    do { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) } catch { return nil }
    return directory.appendingPathComponent("chat.log")
  }
}

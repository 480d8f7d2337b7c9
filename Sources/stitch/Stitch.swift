import ArgumentParser
import Glibc
import LLaMAStitch
import MessagePassing
import Support

/// The command line. Commands stand together by subject; this file holds what they share: parsing, errors, exit codes.
/// Every command says its name: to make it of its type's takes the parser milliseconds, of all of them, at every start.
@main
struct Stitch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stitch",
    abstract: "A family of LLaMA models as one chatbot with a size slider.",
    version: "0.1.0",
    subcommands: [
      ChatCommand.self,
      ServeCommand.self,
      Ask.self,
      Score.self,
      Tokenize.self,
      TemplateCommand.self,
      TrainTokenizer.self,
      Pretrain.self,
      FamilyCommand.self,
      Generate.self,
      Adapt.self,
      AdapterCommand.self,
      AnchorCommand.self,
      DataCommand.self,
      FrontierCommand.self,
      ModelsCommand.self,
      Import.self,
      Export.self,
      Replay.self,
      BenchCommand.self,
      ConversationsCommand.self,
      Doctor.self,
    ],
    defaultSubcommand: ChatCommand.self
  )

  /// Synchronous commands, the terminal UI among them, run on the main thread.
  @MainActor static func main() async {
    // Whoever started us may ignore it; a reader that goes away is to end us, quietly.
    signal(SIGPIPE, SIG_DFL)
    Heap.share()
    MappedFile.reportLosses()
    var command: any ParsableCommand
    do { command = try parseAsRoot(joined(Array(CommandLine.arguments.dropFirst()))) } catch {
      if ProcessGroup.launcher.rank > 0, exitCode(for: error) == .success { Glibc.exit(EXIT_SUCCESS) }
      Processes.waitForFirst()
      end(with: error, hint: " (see '\(helpCommand(for: error))')")
    }
    do {
      try InferenceKernels.check()
      try Processes.check(command)
      // A chat has its own ways with signals.
      if !(command is ChatCommand) { TemporaryPaths.removeOnSignals() }
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error, hint: "")
    }
    finish()
  }

  /// A negative number after an option as its value, which the parser would take for an option: so that it is said which
  /// values there are.
  private static func joined(_ arguments: [String]) -> [String] {
    var result: [String] = []
    for argument in arguments {
      if let option = result.last, option.hasPrefix("--"), option.count > 2, !option.contains("="),
        argument.hasPrefix("-"), Double(argument) != nil
      {
        result[result.count - 1] = "\(option)=\(argument)"
      } else {
        result.append(argument)
      }
    }
    return result
  }

  /// Ends with success, unless what is still buffered cannot be written (a full disk).
  private static func finish() -> Never {
    TemporaryPaths.waitIfEnding()
    do { try Console.write([]) } catch {
      Console.complain("\(error)")
      Glibc.exit(2)
    }
    ProcessGroup.leave()
    Glibc.exit(EXIT_SUCCESS)
  }

  /// Prints help where it was asked for (exit code 0), else one line that says what is wrong (exit code 2). A command
  /// whose check did not hold throws `ExitCode(1)` after it has said so.
  private static func end(with error: any Error, hint: String) -> Never {
    TemporaryPaths.waitIfEnding()
    if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
    if error is JointFailure {
      // All have come to the same end, and leave together when it is said: mpirun ends those who are later, who have
      // nothing to add.
      if ProcessGroup.launcher.rank == 0 { Console.complain("\(error)") }
      TemporaryPaths.beforeEnding(nil)
      ProcessGroup.leave()
      Glibc.exit(2)
    }
    if error is MessagePassingError { Processes.waitForFirst() }
    switch exitCode(for: error) {
    case .success:
      print(fullMessage(for: error))
      finish()
    case .validationFailure:
      Console.complain(message(for: error) + hint)
    default:
      Console.complain(CommandError.line(for: error))
    }
    Glibc.exit(2)
  }

  /// `stitch tokenize --help`, from the parser's own hint.
  private static func helpCommand(for error: any Error) -> String {
    let quoted = fullMessage(for: error).split(separator: "'", omittingEmptySubsequences: false)
    return quoted.last { $0.hasPrefix("stitch ") && $0.hasSuffix("--help") }.map(String.init) ?? "stitch --help"
  }
}

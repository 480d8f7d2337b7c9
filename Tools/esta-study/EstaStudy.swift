import ArgumentParser
import ChatEngine
import Foundation
import Study
import Support

/// Runs a study that compares ways of adapting a family, and reports it.
@main
struct EstaStudy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "esta-study", abstract: "Compare ESTA with what it replaces, and with itself less its parts.",
    discussion: """
      Runs every command of a study that has no result yet, one at a time, then writes results.md, plots and \
      results.json from the files the runs wrote. A study that is stopped or killed goes on where it was when the same \
      command is given again. Exit code 0 where every run gave a result, 1 where some did not.
      """)

  @Argument(help: "The study (YAML).") var study: String
  @Option(help: "The directory the study's paths are relative to (default: where 'make tiny-family' works).")
  var inputs: String?
  @Option(help: "Where the runs are kept (default: in the cache folder, by the study's name).") var work: String?
  @Option(help: "Where the report goes.") var output = "docs"
  @Option(help: "The program to study (default: the one beside this).") var stitch: String?
  @Flag(help: "Only write the report, from what is there.") var reportOnly = false
  @Flag(help: "Run failed runs again.") var retry = false

  func run() throws {
    let plan = try StudyFile(URL(fileURLWithPath: study))
    let work =
      work.map { URL(fileURLWithPath: $0) } ?? UserDirectories.cache.appendingPathComponent("study/\(plan.name)")
    if !reportOnly {
      let inputs =
        inputs.map { URL(fileURLWithPath: $0) } ?? UserDirectories.cache.appendingPathComponent("tiny-family")
      let beside = (FamilyLocator.thisExecutable ?? URL(fileURLWithPath: CommandLine.arguments[0]))
        .deletingLastPathComponent().appendingPathComponent("stitch")
      var runner = StudyRunner(
        study: plan, inputs: inputs, work: work, program: stitch.map { URL(fileURLWithPath: $0) } ?? beside,
        note: { Self.say($0) })
      runner.retriesFailures = retry
      Self.say("runs are kept in \(work.path)")
      try runner.run()
    }
    let results = try StudyAnalysis(study: plan, work: work).results()
    for file in try StudyReport(results).write(to: URL(fileURLWithPath: output)) { print(file.path) }
    if !results.missing.isEmpty {
      Self.say("\(results.missing.count) runs gave no result; the report lists them")
      throw ExitCode(1)
    }
  }

  private static func say(_ line: String) { FileHandle.standardError.write(Data("esta-study: \(line)\n".utf8)) }

  /// As with `stitch`: what could not run is one line and exit code 2.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      guard exitCode(for: error) != .success else { exit(withError: error) }
      say(exitCode(for: error) == .validationFailure ? message(for: error) : "\(error)")
      Foundation.exit(2)
    }
  }
}

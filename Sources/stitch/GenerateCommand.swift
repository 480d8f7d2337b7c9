import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Workflows

/// `stitch generate`: data that a model writes itself.
struct Generate: DividedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write replies to many prompts, or texts, many at a time.",
    discussion: """
      With --prompts each prompt is put into the model's chat template and answered; a line of the output has 'messages', \
      which 'stitch adapt --data' takes as it is. Prompts are plain text, one a line, or JSON or JSON Lines with \
      'messages', 'conversations', 'instruction', 'prompt' or 'text'; of a conversation everything up to the user's last \
      turn is the prompt. Without --prompts a line has 'text', which the model has written from its first token on.

      Replies that did not end within --max-tokens, and empty ones, are left out. What is written depends on the prompt's \
      number and the seed, not on --batch or --threads. A run that is stopped or killed leaves FILE.part, and goes on \
      there when the same command is given again.
      """)

  @OptionGroup var source: ModelArguments

  @Option(help: ArgumentHelp("What to answer (default: nothing; texts are written).", valueName: "file"))
  var prompts: String?

  @Option(help: ArgumentHelp("The file to write, JSON Lines; it must not exist.", valueName: "file"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "How many replies or texts; prompts are answered in turn (default: each prompt once, or 64 texts).",
      valueName: "n"))
  var count: Int?

  @Option(help: ArgumentHelp("Longest reply or text, in tokens (default: 512, of texts 256).", valueName: "n"))
  var maxTokens: Int?

  @Option(help: ArgumentHelp("How many are computed at a time, if memory has room.", valueName: "n"))
  var batch = 16

  @OptionGroup var choice: ChoiceArguments

  @Flag(help: "Write replies that --max-tokens has cut, too.")
  var keepCut = false

  @Flag(help: "Print one JSON document on standard output: what was written and what it took.")
  var json = false

  func validate() throws {
    if let count { try Check.range("--count", count, 1...1_000_000_000) }
    if let maxTokens { try Check.range("--max-tokens", maxTokens, 1...1_000_000) }
    try Check.range("--batch", batch, 1...256)
    if keepCut && prompts == nil { throw ValidationError("--keep-cut goes with --prompts: texts are cut anyway") }
  }

  func run() throws {
    let processes = try Processes.join()
    let output = URL(fileURLWithPath: output)
    let job = try processes.together { try self.job(output, processes) }
    let meter = ProgressMeter()
    let what = prompts == nil ? "texts" : "replies"
    if processes.isFirst {
      TemporaryPaths.beforeEnding {
        if isatty(STDERR_FILENO) == 1 { Console.log("\n") }
        Console.complain("stopped; the same command goes on from \(output.path).part")
      }
    }
    let report = try job.run(note: { meter.note($0) }) { progress in
      let speed = progress.tokens > 0 ? ", \(Int(progress.tokensPerSecond)) tok/s" : ""
      meter.work("\(progress.done) of \(progress.count) \(what)\(speed)")
    }
    TemporaryPaths.beforeEnding(nil)
    guard let report else { return }
    meter.end()
    let leftOut = report.leftOut == 0 ? "" : ", \(report.leftOut) left out (\(Self.reason(report, job)))"
    meter.note(
      "wrote \(report.output): \(report.written) \(what)\(leftOut), \(Int(report.tokensPerSecond)) tok/s, "
        + "\(report.batch) at a time")
    if json { try Console.write(json: report) }
  }

  private func job(_ output: URL, _ processes: any Communicator) throws -> GenerationJob {
    if processes.isFirst { try GenerationJob.check(output) }
    let prompts = try prompts.map { try PromptFile(URL(fileURLWithPath: $0)) }
    let model = try source.open()
    // A text that is drawn as the model has learned it, unless something else is asked for.
    let defaults =
      try prompts == nil
      ? SamplingOptions(temperature: 1)
      : GenerationDefaults.read(in: URL(fileURLWithPath: model.directory))?.sampling ?? SamplingOptions()
    var job = GenerationJob(
      model, prompts: prompts, output: output, count: count,
      maxTokens: maxTokens ?? (prompts == nil ? 256 : 512), sampling: choice.options(over: defaults),
      pool: source.pool)
    job.batch = batch
    job.keepsCut = keepCut
    job.cacheType = source.cacheType
    job.communicator = processes
    return job
  }

  private static func reason(_ report: GenerationJob.Report, _ job: GenerationJob) -> String {
    job.prompts == nil || job.keepsCut ? "empty" : "cut at \(job.maxTokens) tokens, or empty"
  }
}

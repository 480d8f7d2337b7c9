import ArgumentParser
import Foundation
import LLaMAStitch
import Support
import Workflows

struct Pretrain: DividedCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain", abstract: "Train an anchor from nothing.",
    discussion: """
      The plan is a YAML file with the fields hiddenSize, intermediateSize, blockCount, headCount, contextLength, \
      tokens, tokensPerStep, learningRate and seed, and, if wanted, keyValueHeadCount, ropeTheta, \
      tiedEmbeddings, tokensAtOnce, warmupSteps and weightDecay. A run that is stopped or killed resumes from \
      its checkpoint when the same command is given again.
      """)

  @Option(help: "The plan (YAML).") var config: String
  @Option(parsing: .upToNextOption, help: "Data: JSON Lines with `text` or `messages`, or plain text.")
  var data: [String]
  @Option(help: "The tokenizer to use.") var tokenizer: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Steps between checkpoints.") var checkpointInterval = 100
  @Option(help: "Type of the written weights: f32, f16 or bf16.") var type: String = "bf16"
  @Option(help: "Threads of a process; the result does not depend on their number.") var threads: Int = 2

  func validate() throws {
    try Check.threads(threads)
    try Check.range("--checkpoint-interval", checkpointInterval, 1...1_000_000)
  }

  func run() throws {
    let processes = try Processes.join()
    let job = try processes.together { try self.job(processes) }
    Processes.sayHowToGoOn(from: job.checkpointFile, processes)
    let meter = ProgressMeter()
    do {
      let done = try job.run(
        note: { meter.note($0) },
        progress: { progress in
          guard processes.isFirst else { return true }
          meter.update(
            step: progress.step, of: progress.totalSteps, loss: progress.loss,
            heldOutLoss: progress.heldOutLoss, tokensPerSecond: progress.tokensPerSecond)
          return true
        })
      TemporaryPaths.beforeEnding(nil)
      if done, processes.isFirst { meter.note("wrote \(output)") }
    } catch TrainingError.plan(let cause) {
      throw CommandError.malformed(config, expected: "\(cause); correct the plan")
    }
  }

  private func job(_ processes: any Communicator) throws -> PretrainingJob {
    guard let elementType = ElementType(rawValue: type.uppercased()), elementType.isUsable else {
      throw ValidationError("--type must be f32, f16 or bf16, not \(type)")
    }
    var job = PretrainingJob(
      plan: try PretrainingPlan(file: URL(fileURLWithPath: config)), dataFiles: data.map { URL(fileURLWithPath: $0) },
      tokenizerFile: URL(fileURLWithPath: tokenizer), output: URL(fileURLWithPath: output),
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, elementType: elementType, threads: threads)
    job.checkpointInterval = checkpointInterval
    job.communicator = processes
    return job
  }
}

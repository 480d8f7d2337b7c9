import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Workflows
import Yams

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train an anchor from nothing.",
    discussion: """
      The plan is a YAML file with the fields hiddenSize, intermediateSize, blockCount, headCount, contextLength, \
      tokens, tokensPerStep, learningRate and seed, and, if wanted, keyValueHeadCount, ropeTheta, \
      tiedEmbeddings, tokensAtOnce, warmupSteps and weightDecay. A run that is stopped or killed resumes from \
      its checkpoint when the same command is given again.
      """)

  @Option(help: "The plan (YAML).") var config: String
  @Option(parsing: .upToNextOption, help: "Data: JSON Lines with `text` or `messages`, or plain text.")
  var data: [String]
  @Option(help: "The SentencePiece model to use.") var tokenizer: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Steps between checkpoints.") var checkpointInterval = 100
  @Option(help: "Type of the written weights: f32, f16 or bf16.") var type: String = "bf16"
  @Option(help: "Threads; the result depends on their number.") var threads: Int = 2

  func validate() throws {
    try Check.threads(threads)
    try Check.range("--checkpoint-interval", checkpointInterval, 1...1_000_000)
  }

  func run() throws {
    guard let elementType = ElementType(rawValue: type.uppercased()), elementType.isUsable else {
      throw ValidationError("--type must be f32, f16 or bf16, not \(type)")
    }
    var job = PretrainingJob(
      plan: try readPlan(), dataFiles: data.map { URL(fileURLWithPath: $0) },
      tokenizerFile: URL(fileURLWithPath: tokenizer), output: URL(fileURLWithPath: output),
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, elementType: elementType, threads: threads)
    job.checkpointInterval = checkpointInterval
    let meter = ProgressMeter()
    do {
      let done = try job.run(
        note: { meter.note($0) },
        progress: { progress in
          meter.update(
            step: progress.step, of: progress.totalSteps, loss: progress.loss,
            heldOutLoss: progress.heldOutLoss, tokensPerSecond: progress.tokensPerSecond)
          return true
        })
      if done { meter.note("wrote \(output)") }
    } catch TrainingError.plan(let cause) {
      throw CommandError.malformed(config, expected: "\(cause); correct the plan")
    }
  }

  private func readPlan() throws -> PretrainingPlan {
    func malformed(_ cause: String) -> CommandError {
      .malformed(config, expected: "\(cause); see 'stitch pretrain --help' for the fields")
    }
    let text = String(validating: try MappedFile(URL(fileURLWithPath: config)).bytes.data, as: UTF8.self)
    guard let text else { throw malformed("it is not UTF-8 text") }
    let plan: PretrainingPlan
    let fields: [String: Anything]
    do {
      fields = try YAMLDecoder().decode([String: Anything].self, from: text)
      plan = try YAMLDecoder().decode(PretrainingPlan.self, from: text)
    } catch let error as DecodingError {
      throw malformed(Self.explain(error))
    } catch {
      throw malformed("it is not valid YAML")
    }
    // A field that is misspelt would go unnoticed where it may be absent.
    let known = Set(Mirror(reflecting: plan).children.compactMap(\.label))
    if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
      throw malformed("there is no field “\(unknown)”")
    }
    return plan
  }

  /// A value of any kind.
  private struct Anything: Decodable {
    init(from decoder: any Decoder) {}
  }

  private static func explain(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "the field “\(key.stringValue)” is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.codingPath.last.map { "the field “\($0.stringValue)” has a value of the wrong kind" }
        ?? "it is not a list of fields in YAML"
    @unknown default: "it cannot be understood"
    }
  }
}

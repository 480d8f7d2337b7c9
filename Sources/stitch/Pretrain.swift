import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch
import Yams

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train an anchor from nothing.",
    discussion: """
      The plan is a YAML file with the fields hiddenSize, intermediateSize, blockCount, headCount, contextLength, \
      tokens, sequencesPerStep, learningRate and seed, and, if wanted, keyValueHeadCount, ropeTheta, \
      tiedEmbeddings, sequencesAtOnce, warmupSteps and weightDecay. A run that is stopped or killed resumes from \
      its checkpoint when the same command is given again.
      """)

  @Option(help: "The plan (YAML).") var config: String
  @Option(parsing: .upToNextOption, help: "Data: JSON Lines with `text` or `messages`, or plain text.")
  var data: [String]
  @Option(help: "The SentencePiece model to use.") var tokenizer: String
  @Option(help: "The model directory to write; it must not exist.") var output: String
  @Option(help: "Where to keep the training state (default: in the cache folder).") var checkpoint: String?
  @Option(help: "Type of the written weights: f32, f16 or bf16.") var type: String = "bf16"
  @Option(help: "Threads; the result depends on their number.") var threads: Int = 2

  func run() throws {
    guard let elementType = ElementType(rawValue: type.uppercased()) else {
      throw ValidationError("--type must be f32, f16 or bf16, not \(type)")
    }
    guard threads > 0 else { throw ValidationError("--threads must be at least 1, not \(threads)") }
    let job = PretrainingJob(
      plan: try readPlan(), dataFiles: data.map { URL(fileURLWithPath: $0) },
      tokenizerFile: URL(fileURLWithPath: tokenizer), output: URL(fileURLWithPath: output),
      checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }, elementType: elementType, threads: threads)
    let meter = ProgressMeter()
    let done = try job.run(
      note: { meter.note($0) },
      progress: { progress in
        meter.update(
          step: progress.step, of: progress.totalSteps, loss: progress.loss,
          heldOutLoss: progress.heldOutLoss, tokensPerSecond: progress.tokensPerSecond)
        return true
      })
    if done { meter.note("wrote \(output)") }
  }

  private func readPlan() throws -> PretrainingPlan {
    let text: String
    do { text = try String(contentsOfFile: config, encoding: .utf8) } catch {
      throw ValidationError("\(config) cannot be read; name a YAML file in UTF-8")
    }
    do { return try YAMLDecoder().decode(PretrainingPlan.self, from: text) } catch let error as DecodingError {
      throw ValidationError("\(config): \(Self.explain(error)); see `stitch pretrain --help` for the fields")
    } catch {
      throw ValidationError("\(config) is not valid YAML; see `stitch pretrain --help` for the fields")
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "the field “\(key.stringValue)” is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.codingPath.last.map { "the field “\($0.stringValue)” has a value of the wrong kind" }
        ?? "it is not a list of fields"
    @unknown default: "it cannot be understood"
    }
  }
}

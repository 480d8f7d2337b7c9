import ArgumentParser
import ChatEngine
import Foundation
import LLaMAStitch

/// Which family, and which of its networks: shared by the commands that run one.
struct FamilyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The family (default: $STITCH_FAMILY, then weights/tiny, then the one installed with the program).",
      valueName: "directory"))
  var family: String?

  @Option(
    help: ArgumentHelp("The stitch to use, such as small or small-large@3 (default: the best stop).", valueName: "id"))
  var stitch: String?

  @Option(
    help: ArgumentHelp(
      "Whose adapter: own (the family's), latest (of the snapshots made by training), none, or the beginning of a snapshot's hash.",
      valueName: "adapter"))
  var adapter: String = "own"

  /// The family's directory.
  func directory() throws -> URL { try FamilyLocator().locate(family) }

  func adapterChoice() throws -> AdapterChoice { try AdapterChoice(adapter) }
}

/// How tokens are drawn: shared by the commands that generate text.
struct SamplingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Seed of the sampler.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("0 is always the most likely token.", valueName: "t"))
  var temperature: Double = 0

  @Option(help: ArgumentHelp("Draw from the k most likely tokens.", valueName: "k"))
  var topK: Int?

  @Option(help: ArgumentHelp("Draw from the most likely tokens that together have this probability.", valueName: "p"))
  var topP: Double?

  @Option(help: ArgumentHelp("Draw from tokens at least this fraction as likely as the most likely.", valueName: "p"))
  var minP: Double?

  @Option(help: ArgumentHelp("Above 1, tokens that are there already become less likely.", valueName: "r"))
  var repetitionPenalty: Double = 1

  @Option(help: ArgumentHelp("Longest reply, in tokens.", valueName: "n"))
  var maxTokens: Int = 256

  func validate() throws {
    do { try options.sampling.validate() } catch { throw ValidationError("--\(error)") }
    if maxTokens < 1 { throw ValidationError("--max-tokens is \(maxTokens); choose 1 or more") }
  }

  /// The same as the engine knows it.
  var options: ReplyOptions {
    var options = ReplyOptions()
    options.seed = seed
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = repetitionPenalty
    options.maxTokens = maxTokens
    return options
  }
}

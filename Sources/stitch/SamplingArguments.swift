import ArgumentParser
import LLaMAStitch

/// How tokens are chosen.
struct SamplingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Longest reply, in tokens.", valueName: "n"))
  var maxTokens = 256

  @Option(help: ArgumentHelp("Randomness; 0 always takes the most likely token.", valueName: "t"))
  var temperature = 0.0

  @Option(help: ArgumentHelp("Choose among the k most likely tokens; 0 is all.", valueName: "k"))
  var topK = 0

  @Option(
    help: ArgumentHelp("Choose among the most likely tokens that have this probability together.", valueName: "p"))
  var topP = 1.0

  @Option(help: ArgumentHelp("Leave out tokens less likely than this fraction of the most likely one.", valueName: "p"))
  var minP = 0.0

  @Option(help: ArgumentHelp("Above 1 discourages tokens that are already there.", valueName: "r"))
  var repetitionPenalty = 1.0

  @Option(help: ArgumentHelp("The same seed gives the same reply.", valueName: "n"))
  var seed: UInt64 = 0

  var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty, seed: seed)
  }

  func validate() throws {
    if maxTokens < 0 { throw ValidationError("--max-tokens must be 0 or more, not \(maxTokens)") }
    do { try options.validate() } catch { throw ValidationError("--\(error)") }
  }
}

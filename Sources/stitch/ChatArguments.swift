import ArgumentParser
import ChatEngine
import LLaMAStitch

/// How tokens are chosen in a chat. What is not given comes from the configuration file.
struct ChatSamplingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Longest reply, in tokens (default: 256).", valueName: "n"))
  var maxTokens: Int?

  @Option(help: ArgumentHelp("Randomness; 0, the default, always takes the most likely token.", valueName: "t"))
  var temperature: Double?

  @Option(help: ArgumentHelp("Choose among the k most likely tokens; 0, the default, is all.", valueName: "k"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "Choose among the most likely tokens that have this probability together (default: 1).", valueName: "p"))
  var topP: Double?

  @Option(
    help: ArgumentHelp(
      "Leave out tokens less likely than this fraction of the most likely one (default: 0).", valueName: "p"))
  var minP: Double?

  @Option(help: ArgumentHelp("Above 1, the default, discourages tokens that are already there.", valueName: "r"))
  var repetitionPenalty: Double?

  @Option(help: ArgumentHelp("The same seed gives the same replies (default: 0).", valueName: "n"))
  var seed: UInt64?

  func validate() throws {
    if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more, not \(maxTokens)") }
    let options = SamplingOptions(
      temperature: temperature ?? 0, topK: topK ?? 0, topP: topP ?? 1, minP: minP ?? 0,
      repetitionPenalty: repetitionPenalty ?? 1, seed: 0)
    do { try options.validate() } catch { throw ValidationError("--\(error)") }
  }

  func apply(to options: inout ReplyOptions) {
    if let maxTokens { options.maxTokens = maxTokens }
    if let temperature { options.temperature = temperature }
    if let topK { options.topK = topK > 0 ? topK : nil }
    if let topP { options.topP = topP < 1 ? topP : nil }
    if let minP { options.minP = minP > 0 ? minP : nil }
    if let repetitionPenalty { options.repetitionPenalty = repetitionPenalty }
    if let seed { options.seed = seed }
  }
}

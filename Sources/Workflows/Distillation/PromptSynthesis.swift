import ChatEngine
import LLaMAStitch
import Support
import Tokenizer

/// Questions that a model writes when it is shown a few of a kind.
struct PromptSynthesis {
  /// How many it is shown, at most, and how long each may be, in characters.
  private static let shown = 5
  static let longest = 400
  /// Tokens that one may take.
  private static let maxTokens = 64
  private static let atOnce = 16

  let network: Network
  let tokenizer: any Tokenizer
  let endTokens: Set<Int>
  let seed: UInt64
  let pool: ComputePool

  /// - Parameter text: whose dearest anchor writes, as it is without an adapter.
  init(_ text: TextFamily, seed: UInt64, pool: ComputePool) {
    let family = text.family
    network = family.network(family.dearestAnchor.route, adapter: nil)
    tokenizer = text.tokenizer
    endTokens = text.stopTokens
    self.seed = seed
    self.pool = pool
  }

  /// Those of some numbers; what one is depends on its number and the seed, not on what is written beside it.
  /// - Returns: `nil` for one that came to nothing.
  /// - Throws: `TokenizerError`, `InferenceError`.
  func written(_ numbers: Range<Int>, like examples: [String]) throws -> [String?] {
    let requests = try numbers.map { number in
      var random = SeededGenerator(seed: seed, stream: UInt64(number))
      var chosen = random.permutation(of: examples.count).prefix(Self.shown).map { examples[$0] }
      var prompt = try self.prompt(chosen)
      while prompt.count + Self.maxTokens > network.contextLength, chosen.count > 1 {
        chosen.removeLast()
        prompt = try self.prompt(chosen)
      }
      let room = max(1, min(Self.maxTokens, network.contextLength - prompt.count))
      return BatchGenerator.Request(
        prompt: prompt,
        options: GenerationOptions(
          maxTokens: room, stopTokens: endTokens,
          sampling: SamplingOptions(temperature: 1, topP: 0.95, seed: random.next()),
          vocabularySize: tokenizer.vocabularySize))
    }
    let length = requests.reduce(1) { max($0, $1.prompt.count + $1.options.maxTokens) }
    let session = BatchSession(
      network: network, capacity: min(numbers.count, Self.atOnce), contextLength: min(length, network.contextLength),
      pool: pool)
    return try BatchGenerator.generate(requests, session: session).map { result in
      var decoder = StreamingDecoder(tokenizer)
      var text = ""
      for token in result.tokens { text += try decoder.next(token) }
      return Self.line(text + decoder.finish())
    }
  }

  private func prompt(_ examples: [String]) throws -> [Int] {
    let text = examples.map { "Question: \($0)\n" }.joined() + "Question:"
    return try tokenizer.textStart + tokenizer.encode(text)
  }

  /// The first line, if it says anything, its blanks made one each.
  static func line(_ text: String) -> String? {
    let first = text.drop { $0.isWhitespace }.prefix { !$0.isNewline }
    return phrase(String(first))
  }

  /// A text as one line, if it says anything and is not too long.
  static func phrase(_ text: String) -> String? {
    let phrase = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return phrase.contains { $0.isLetter || $0.isNumber } && phrase.count <= longest ? phrase : nil
  }
}

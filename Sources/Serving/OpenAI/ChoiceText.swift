import ChatEngine
import LLaMAStitch
import Tokenizer

/// One reply as it comes: tokens become text, up to a stop string.
struct ChoiceText: Sendable {
  /// A token with its text and how likely it was.
  struct Report: Sendable {
    var token: Int
    var likelihoods: TokenLikelihoods
  }

  /// Text that is sure to be part of the reply, with the tokens that it came of since the last piece.
  struct Piece: Sendable {
    var text: String
    var reports: [Report]
  }

  enum Finish: String, Sendable { case stop, length }

  private var decoder: StreamingDecoder
  private var filter: StopStringFilter
  private var pending: [Report] = []
  /// Tokens of the reply, those of a stop string included.
  private(set) var tokens = 0
  /// Why it ended, once it has.
  private(set) var finish: Finish?
  private(set) var promptTokens = 0
  private(set) var cachedTokens = 0

  /// - Throws: `TokenizerError`.
  init(_ prompt: PromptReader.Prompt, tokenizer: any Tokenizer, stops: [String]) throws {
    decoder =
      prompt.continues ? try StreamingDecoder(tokenizer, after: prompt.tokens) : StreamingDecoder(tokenizer)
    filter = StopStringFilter(stops)
    promptTokens = prompt.tokens.count
  }

  /// Takes a token.
  /// - Returns: what it adds to the reply, if anything yet.
  /// - Throws: `TokenizerError`.
  mutating func next(_ token: Int, _ likelihoods: TokenLikelihoods?) throws -> Piece? {
    if finish != nil { return nil }
    tokens += 1
    if let likelihoods { pending.append(Report(token: token, likelihoods: likelihoods)) }
    let text = filter.next(try decoder.next(token))
    if filter.hasEnded { finish = .stop }
    return piece(text)
  }

  /// Takes the end.
  mutating func end(_ result: GenerationResult?) -> Piece? {
    cachedTokens = result?.reusedTokens ?? 0
    if finish != nil { return nil }
    let text = filter.next(decoder.finish()) + filter.finish()
    finish = result?.finishReason == .stopToken || filter.hasEnded ? .stop : .length
    return piece(text)
  }

  private mutating func piece(_ text: String) -> Piece? {
    if text.isEmpty { return nil }
    defer { pending.removeAll() }
    return Piece(text: text, reports: pending)
  }
}

import ArgumentParser
import Foundation
import LLaMAStitch
import Tokenizer

/// `stitch ask`: one reply.
struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print one reply to a prompt.",
    discussion: """
      The prompt is put into the model's chat template. With --raw it is continued as it is, after the token that \
      begins a text, and printed together with its continuation. Standard input is taken byte for byte.
      """)

  @Argument(help: "The prompt; standard input if absent.")
  var prompt: String?

  @OptionGroup var source: ModelArguments
  @OptionGroup var sampling: SamplingArguments

  @Flag(help: "Continue the text, without a chat template.")
  var raw = false

  @Flag(help: "Print one JSON document at the end instead of streaming.")
  var json = false

  func run() throws {
    let bytes = try prompt.map { Array($0.utf8) } ?? Console.readStandardInput()
    let model = try ModelSource(source)
    let tokens = try promptTokens(bytes, model)
    let stops = try model.endTokens.union(raw ? [] : model.template.stopTokens(model.tokenizer))
    let needed = tokens.count + min(sampling.maxTokens, model.network.contextLength)
    let session = InferenceSession(
      network: model.network, contextLength: min(model.network.contextLength, needed), cacheType: source.cacheType,
      pool: source.pool)
    guard tokens.count <= session.contextLength else {
      throw InferenceError.contextOverflow(needed: tokens.count, contextLength: session.contextLength)
    }
    var decoder = raw ? try StreamingDecoder(model.tokenizer, after: tokens) : StreamingDecoder(model.tokenizer)
    var text = ""
    var output = ReplyOutput(isQuiet: json)
    if raw { try output.write(bytes) }

    var failure: (any Error)?
    let result = try session.generate(
      prompt: tokens,
      options: GenerationOptions(maxTokens: sampling.maxTokens, stopTokens: stops, sampling: sampling.options)
    ) { event in
      guard case .token(let token) = event else { return .goOn }
      do {
        let piece = try decoder.next(token)
        text += piece
        try output.write(Array(piece.utf8))
        return .goOn
      } catch {
        failure = error
        return .stop
      }
    }
    if let failure { throw failure }
    let rest = decoder.finish()
    text += rest
    try output.write(Array(rest.utf8))
    try output.end()
    if json { try Console.write(json: Report(self, model, text: text, result)) }
  }

  private func promptTokens(_ bytes: [UInt8], _ model: ModelSource) throws -> [Int] {
    if raw {
      let tokens = model.tokens(of: bytes)
      if tokens.isEmpty {
        throw ValidationError("the prompt is empty, and the model has no token to begin with; give a prompt")
      }
      return tokens
    }
    let content = String(decoding: bytes, as: UTF8.self)
    if content.isEmpty { throw ValidationError("the prompt is empty; give one as argument or on standard input") }
    return try model.template.encode([.init(role: .user, content: content)], tokenizer: model.tokenizer)
  }

  private struct Report: Encodable {
    let directory: String
    let stitch: String?
    let text: String
    let tokens: [Int]
    let finishReason: String
    let promptTokens: Int
    let seed: UInt64
    let prefillTokensPerSecond: Double
    let decodeTokensPerSecond: Double

    init(_ command: Ask, _ model: ModelSource, text: String, _ result: GenerationResult) {
      directory = model.directory
      stitch = model.stitch
      self.text = text
      tokens = result.tokens
      finishReason = result.finishReason.rawValue
      promptTokens = result.promptTokens
      seed = command.sampling.seed
      prefillTokensPerSecond = result.prefillSpeed
      decodeTokensPerSecond = result.decodeSpeed
    }
  }
}

/// A reply on standard output, as it comes. A terminal gets no control characters, and whole lines.
private struct ReplyOutput {
  let isQuiet: Bool
  private let isTerminal = isatty(STDOUT_FILENO) == 1
  private var endsInNewline = true

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func write(_ bytes: [UInt8]) throws {
    if isQuiet || bytes.isEmpty { return }
    guard isTerminal else { return try Console.write(bytes) }
    let text = Console.harmless(String(decoding: bytes, as: UTF8.self))
    endsInNewline = text.hasSuffix("\n")
    try Console.write(Array(text.utf8))
  }

  func end() throws {
    if isTerminal && !isQuiet && !endsInNewline { try Console.write([UInt8(ascii: "\n")]) }
  }
}

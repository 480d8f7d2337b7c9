import ChatEngine
import Forms
import Foundation
import LLaMAStitch
import Tokenizer

/// A network with the tokenizer and the chat template that belong to it.
public struct ModelSource {
  public let network: Network
  public let tokenizer: any Tokenizer
  public let template: ChatTemplate
  /// What can begin a text: whether it does, the tokenizer says.
  public let bosToken: Int?
  /// What the configuration says ends a text, and what the tokenizer says.
  public let endTokens: Set<Int>
  /// The directory, for messages and reports.
  public let directory: String
  /// The stitch's id, in a family.
  public let stitch: String?
  /// Names the weights in this machine's files, and the adapter.
  let digest: () throws -> String

  /// A plain model directory; of a family's, its best stop.
  public init(model path: String) throws {
    let directory = URL(fileURLWithPath: path)
    let isFamily = FileManager.default.fileExists(
      atPath: directory.appendingPathComponent(FamilyDescription.fileName).path)
    if isFamily {
      try self.init(family: directory, stitch: nil, adapter: .own)
      return
    }
    let model = try LlamaModel.load(directory: directory)
    let tokenizer = try loadTokenizer(from: path)
    try tokenizer.checkFits(model.configuration, model: path)
    self.init(
      network: model.network(), configuration: model.configuration, tokenizer: tokenizer,
      template: try ChatTemplate.load(directory: path, tokenizer: tokenizer) ?? .fallback, directory: path,
      stitch: nil, digest: { try Family(directory).contentDigest() })
  }

  /// A stitch of a family.
  /// - Parameter stitch: its id; `nil` for the best stop.
  public init(family: URL, stitch id: String?, adapter choice: AdapterChoice) throws {
    let text = try TextFamily(family)
    let stitch = try text.stitch(id)
    let adapter = try text.adapter(choice, store: text.adapterStore())
    self.init(
      network: text.family.network(stitch.route, adapter: adapter),
      configuration: text.family.anchors[stitch.route.start].configuration, tokenizer: text.tokenizer,
      template: text.template, directory: text.family.directory.path, stitch: stitch.id,
      digest: { try text.family.contentDigest() + (adapter?.digest ?? "") })
  }

  private init(
    network: Network, configuration: LlamaConfiguration, tokenizer: any Tokenizer, template: ChatTemplate,
    directory: String, stitch: String?, digest: @escaping () throws -> String
  ) {
    self.network = network
    self.tokenizer = tokenizer
    self.template = template
    bosToken = configuration.bosToken ?? tokenizer.bosToken
    endTokens = Set(configuration.eosTokens + [tokenizer.eosToken].compactMap { $0 })
    self.directory = directory
    self.stitch = stitch
    self.digest = digest
  }
}

// MARK: - One reply

extension ModelSource {
  /// How a reply is made.
  public struct ReplyOptions: Sendable {
    /// Whether the prompt is continued as it is, without a chat template.
    public var isRaw = false
    /// `nil`: until the model ends it, or the context is full, of which so much is used as is usual, more for a long prompt.
    public var maxTokens: Int?
    public var sampling = SamplingOptions()
    public var cacheType = CacheType.f32
    /// What the reply is to look like.
    public var form: Grammar?

    public init() {}
  }

  /// Answers a prompt.
  /// - Parameter write: told of the text as it comes; of a raw prompt that prompt first.
  /// - Returns: what was written after the prompt, and how.
  /// - Throws: `PromptError`, `InferenceError`, what `write` throws.
  public func reply(
    to prompt: [UInt8], options: ReplyOptions, pool: ComputePool, write: ([UInt8]) throws -> Void
  ) throws -> (text: String, result: GenerationResult) {
    let tokens = try promptTokens(prompt, isRaw: options.isRaw)
    let stops = try endTokens.union(options.isRaw ? [] : template.stopTokens(tokenizer))
    let needed =
      options.maxTokens.map { tokens.count + min($0, network.contextLength) }
      ?? max(InferenceSession.longestUsualContext, 2 * tokens.count)
    let session = InferenceSession(
      network: network, contextLength: min(network.contextLength, needed), cacheType: options.cacheType, pool: pool)
    guard tokens.count <= session.contextLength else {
      throw InferenceError.contextOverflow(needed: tokens.count, contextLength: session.contextLength)
    }
    let form = try options.form.map { try ReplyForm($0, vocabulary: ReplyForms.vocabulary(of: tokenizer)) }
    var decoder = options.isRaw ? try StreamingDecoder(tokenizer, after: tokens) : StreamingDecoder(tokenizer)
    var text = ""
    if options.isRaw { try write(prompt) }
    var failure: (any Error)?
    let result = try session.generate(
      prompt: tokens,
      options: GenerationOptions(
        maxTokens: options.maxTokens ?? session.contextLength, stopTokens: stops, sampling: options.sampling,
        vocabularySize: tokenizer.vocabularySize, form: form)
    ) { event in
      guard case .token(let token) = event else { return .goOn }
      do {
        let piece = try decoder.next(token)
        text += piece
        try write(Array(piece.utf8))
        return .goOn
      } catch {
        failure = error
        return .cancel
      }
    }
    if let failure { throw failure }
    let rest = decoder.finish()
    text += rest
    try write(Array(rest.utf8))
    return (text, result)
  }

  func promptTokens(_ bytes: [UInt8], isRaw: Bool) throws -> [Int] {
    if isRaw {
      let tokens = try tokenizer.textStart + tokenizer.encode(bytes: bytes)
      if tokens.isEmpty { throw PromptError.nothingToBeginWith }
      return tokens
    }
    let content = String(decoding: bytes, as: UTF8.self)
    if content.isEmpty { throw PromptError.empty }
    return try template.encode([.init(role: .user, content: content)], tokenizer: tokenizer)
  }

  /// What can be wrong with a prompt.
  public enum PromptError: Error, CustomStringConvertible {
    case empty
    /// Nothing to continue, and no token that begins a text.
    case nothingToBeginWith
    /// Files are longer than the context; `files` is how many tokens of theirs fit.
    case filesDoNotFit(tokens: Int, room: Int, files: Int)

    public var description: String {
      switch self {
      case .filesDoNotFit(let tokens, let room, let files):
        "the prompt with its files has \(tokens) tokens, and \(room) fit beside a reply, \(files) of them for the files; --cut-files sends as much from their beginnings, or name shorter ones"
      case .empty: "the prompt is empty; give one as argument or on standard input"
      case .nothingToBeginWith: "the prompt is empty, and the model has no token to begin with; give a prompt"
      }
    }
  }
}

// MARK: - A score

extension ModelSource {
  /// How well the model predicts a text; in nats.
  public struct Score: Sendable, Encodable {
    public let tokens: Int
    public let meanNll: Double
    public let perplexity: Double
    /// Of every token.
    public let nll: [Double]
  }

  /// Scores a text, in windows that overlap by half where it is longer than the context. Of a model that has a token to
  /// begin a text with, its first token is scored, too, whether or not the model's texts begin so.
  /// - Returns: `nil` where there is no token to predict.
  /// - Throws: `InferenceError`.
  public func score(_ text: [UInt8], cacheType: CacheType, pool: ComputePool) throws -> Score? {
    let tokens = try [bosToken].compactMap(\.self) + tokenizer.encode(bytes: text)
    guard tokens.count > 1 else { return nil }
    let session = InferenceSession(
      network: network, contextLength: min(4096, network.contextLength, tokens.count), cacheType: cacheType, pool: pool)
    let values = try Scorer.negativeLogLikelihoods(of: tokens, session: session)
    let mean = values.reduce(0, +) / Double(values.count)
    if mean.isNaN { throw InferenceError.notANumber }
    return Score(tokens: values.count, meanNll: mean, perplexity: exp(mean), nll: values)
  }
}

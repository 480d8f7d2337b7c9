import Forms
import LLaMAStitch

/// What a chat front end needs to have replies made: a family's stops and streamed replies. Front ends see only this
/// protocol and `TrainingBackend`, so that they can be tested with a scripted backend.
public protocol ReplyBackend: Sendable {
  /// Loads the family (once) and describes it as it is now: called again, it tells of an adapter taken into use
  /// meanwhile. Throws an error whose description is one line.
  func load() async throws -> FamilySummary

  /// Streams a reply of one stitch to a conversation that ends in a user's turn (or in an assistant's turn that is
  /// to be continued). Ends after `finished` or `failed`. A cancelled consumer cancels the reply and sees no more of
  /// it; who wants to see how it ends calls `cancelReply` and reads on.
  func reply(to messages: [ChatMessage], stitch: String, options: ReplyOptions) -> AsyncStream<ReplyEvent>

  /// Asks the replies that were asked for until now to end. Their streams still deliver the last event: `finished` with
  /// `.cancelled`, unless it came first. Does nothing if there is none.
  func cancelReply() async

  /// What is cached of the conversation, again at each change; older states may be skipped.
  func cacheStatus() -> AsyncStream<CacheStatus>

  /// Begins to make more sizes of the family, where the backend is made for it, and tells how far that is. Called once.
  /// Ends after `grown` or `failed`.
  func growth() -> AsyncStream<FamilyGrowth>

  /// How many tokens a text has, by itself.
  func tokens(of text: String) async throws -> TokenCount

  /// As much of the beginning of a text as so many tokens hold, whole lines where it has them.
  func beginning(of text: String, tokens: Int) async throws -> String
}

extension ReplyBackend {
  /// A family that stays as it is.
  public func growth() -> AsyncStream<FamilyGrowth> { AsyncStream { $0.finish() } }

  /// Without a tokenizer at hand, about so many.
  public func tokens(of text: String) async throws -> TokenCount { TokenCount(estimating: text) }

  public func beginning(of text: String, tokens: Int) async throws -> String {
    TokenCount.beginning(of: text, tokens: tokens)
  }
}

/// What a chat with a training pane and a choice of adapters needs.
public typealias ChatBackend = ReplyBackend & TrainingBackend & AdapterBackend

/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable, Codable {
  public enum Role: String, Sendable, Codable { case system, user, assistant }
  public var role: Role
  public var content: String

  public init(role: Role, content: String) {
    self.role = role
    self.content = content
  }
}

/// How a reply is made. `temperature` 0 is greedy.
public struct ReplyOptions: Sendable, Equatable, Codable {
  /// What happens where the conversation is longer than the context.
  public enum Overflow: String, Sendable, Codable {
    /// The oldest messages are left out.
    case dropOldest = "oldest"
    /// No reply is made: `ReplyFailure.conversationTooLong`.
    case refuse = "ask"
  }

  /// More tokens than any context has.
  public static let unlimited = 1_000_000

  public var temperature: Double = 0
  public var topK: Int?
  public var topP: Double?
  public var minP: Double?
  public var repetitionPenalty: Double = 1
  public var seed: UInt64 = 0
  /// Longest reply; by default it goes on until the model ends it or the context is full.
  public var maxTokens: Int = Self.unlimited
  public var overflow = Overflow.dropOldest
  /// The reply ends before the first of these in its text; empty ones count for nothing. Not kept in files: they belong
  /// to the program that asks, not to the conversation.
  public var stopStrings: [String] = []
  /// What the reply is held to, token by token; `nil`: anything. Not kept in files either. A reply that is gone on with
  /// has none.
  public var form: ReplyFormSource?

  private enum CodingKeys: String, CodingKey {
    case temperature, topK, topP, minP, repetitionPenalty, seed, maxTokens, overflow
  }

  public init() {}

  /// What a model's makers would have, see `GenerationDefaults`.
  public init(_ sampling: SamplingOptions) {
    temperature = sampling.temperature
    topK = sampling.topK > 0 ? sampling.topK : nil
    topP = sampling.topP < 1 ? sampling.topP : nil
    minP = sampling.minP > 0 ? sampling.minP : nil
    repetitionPenalty = sampling.repetitionPenalty
    seed = sampling.seed
  }

  /// The same as the sampler knows it.
  public var sampling: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK ?? 0, topP: topP ?? 1, minP: minP ?? 0,
      repetitionPenalty: repetitionPenalty, seed: seed)
  }
}

/// What really made a reply, and what it took.
public struct ReplyStamp: Sendable, Equatable {
  /// Why a reply ended.
  public enum FinishReason: Sendable, Equatable {
    /// The model ended it.
    case stopToken
    /// One of `ReplyOptions.stopStrings` came.
    case stopString
    /// `ReplyOptions.maxTokens` are reached.
    case length
    /// The context is full.
    case context
    case cancelled
  }

  /// The same in the words of files, scripts and JSON.
  public enum Finish: String, Sendable, Codable { case stop, length, cancelled }

  public var stitch: String
  public var adapterStep: Int?
  /// SHA-256 of the adapter's file, if it is kept in one.
  public var adapterHash: String?
  /// What that adapter was made of, where it was made of others.
  public var adapterOrigin: AdapterOrigin?
  /// Tokens of the reply that were generated, those of a stop string included.
  public var tokens: Int
  public var tokensPerSecond: Double
  public var finishReason: FinishReason
  /// Tokens of context in use after the reply.
  public var contextTokens: Int
  /// Oldest messages that the reply was made without, because the context is too short for all.
  public var droppedMessages: Int

  /// Tokens of the prompt, and how many of them were cached.
  public var promptTokens = 0
  public var cachedPromptTokens = 0
  /// Tokens of the prompt that were computed, and how long that took: all that were not cached, unless the reply was
  /// cancelled meanwhile.
  public var prefillTokens = 0
  public var prefillSeconds = 0.0
  /// Tokens that a cheaper network drafted, and how many of them were accepted.
  public var draftedTokens = 0
  public var acceptedTokens = 0
  /// Tokens of the reply that were computed before, as part of an equal one: they took less time than tokens take.
  public var repeatedTokens = 0
  /// As in `CacheStatus`.
  public var cachedTokens: [String: Int] = [:]

  public init(
    stitch: String, adapterStep: Int?, tokens: Int, tokensPerSecond: Double, finishReason: FinishReason,
    contextTokens: Int, droppedMessages: Int = 0, adapterHash: String? = nil, adapterOrigin: AdapterOrigin? = nil
  ) {
    self.adapterHash = adapterHash
    self.adapterOrigin = adapterOrigin
    self.stitch = stitch
    self.adapterStep = adapterStep
    self.tokens = tokens
    self.tokensPerSecond = tokensPerSecond
    self.finishReason = finishReason
    self.contextTokens = contextTokens
    self.droppedMessages = droppedMessages
  }

  /// A stamp of which a file tells: its word stands for the most usual of the reasons that it may mean.
  public init(
    stitch: String, adapterStep: Int?, tokens: Int, tokensPerSecond: Double, finish: Finish,
    contextTokens: Int, droppedMessages: Int = 0, adapterHash: String? = nil, adapterOrigin: AdapterOrigin? = nil
  ) {
    let reason: FinishReason =
      switch finish {
      case .stop: .stopToken
      case .length: .length
      case .cancelled: .cancelled
      }
    self.init(
      stitch: stitch, adapterStep: adapterStep, tokens: tokens, tokensPerSecond: tokensPerSecond, finishReason: reason,
      contextTokens: contextTokens, droppedMessages: droppedMessages, adapterHash: adapterHash,
      adapterOrigin: adapterOrigin)
  }

  public var finish: Finish {
    switch finishReason {
    case .stopToken, .stopString: .stop
    case .length, .context: .length
    case .cancelled: .cancelled
    }
  }

  public var adapter: AdapterReference {
    AdapterReference(step: adapterStep, hash: adapterHash, origin: adapterOrigin)
  }

  /// Whether the speed says something of the stop: few tokens say little, and repeated ones nothing.
  public var tellsSpeed: Bool { tokens > 4 && tokensPerSecond > 0 && repeatedTokens <= tokens / 10 }
}

/// What a reply's stream delivers, in this order.
public enum ReplyEvent: Sendable, Equatable {
  /// The engine began, with this stitch and this adapter.
  case started(stitch: String, adapterStep: Int?, adapterHash: String? = nil, adapterOrigin: AdapterOrigin? = nil)
  /// The conversation is longer than the context: so many of its oldest messages are left out.
  case trimmed(droppedMessages: Int)
  /// What the engine waits for, such as a server that is busy; a line for people. May come before `started`.
  case waiting(String)
  /// More text; always whole characters. May hold control characters: views must not trust it.
  case text(String)
  case finished(ReplyStamp)
  case failed(ReplyFailure)

  /// Nothing comes after it.
  package var isLast: Bool {
    switch self {
    case .finished, .failed: true
    case .started, .trimmed, .waiting, .text: false
    }
  }
}

/// Why a reply was not made, or not to its end. The description is one line: cause and remedy.
public enum ReplyFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The family has no stitch of this name.
  case unknownStitch(String, message: String)
  /// The last message alone, with the system prompt, is longer than the context.
  case promptTooLong(tokens: Int, contextLength: Int)
  /// Nothing was made, as `ReplyOptions.Overflow.refuse` asks: so many of the oldest messages would have to be left out.
  case conversationTooLong(messagesToDrop: Int)
  /// A setting of the sampler is out of range.
  case badSampling(message: String)
  /// The family could not be opened.
  case cannotLoad(message: String)
  /// What the network computes is not a number: its weights or adapter are damaged.
  case notANumber(message: String)
  case other(message: String)

  /// What an error means that was thrown while a reply was made.
  package init(_ error: any Error) {
    switch error {
    case let failure as ReplyFailure: self = failure
    case FamilyError.unknownStitch(let id, _, _): self = .unknownStitch(id, message: "\(error)")
    case EngineError.promptTooLong(let tokens, let contextLength):
      self = .promptTooLong(tokens: tokens, contextLength: contextLength)
    case EngineError.conversationTooLong(let messages): self = .conversationTooLong(messagesToDrop: messages)
    case is SamplingError: self = .badSampling(message: "\(error)")
    case InferenceError.notANumber: self = .notANumber(message: "\(error)")
    default: self = .other(message: "\(error)")
    }
  }

  public var description: String {
    switch self {
    case .promptTooLong(let tokens, let contextLength):
      EngineError.promptTooLong(tokens: tokens, contextLength: contextLength).description
    case .conversationTooLong(let messages): EngineError.conversationTooLong(messagesToDrop: messages).description
    case .unknownStitch(_, let message), .badSampling(let message), .cannotLoad(let message), .notANumber(let message),
      .other(let message):
      message
    }
  }
}

/// What the stops have cached of the conversation; only the newest matters.
public struct CacheStatus: Sendable, Equatable {
  /// How many tokens from the beginning of the conversation each stop has cached, where it has any; those that only the
  /// blocks before its stitching layer have count in part.
  public var tokens: [String: Int]
  /// The stop that made the last reply computes the conversation again, for another adapter is in use now.
  public var isPrefilling: Bool

  public init(tokens: [String: Int] = [:], isPrefilling: Bool = false) {
    self.tokens = tokens
    self.isPrefilling = isPrefilling
  }
}

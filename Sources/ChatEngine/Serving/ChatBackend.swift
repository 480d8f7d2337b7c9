/// What a chat front end needs from the engine: a family's stops, streamed replies, and adaptation in the
/// background. The terminal UI sees only this protocol, so that it can be tested with a scripted backend.

/// One stop of the slider, cheapest first.
public struct Stop: Sendable, Equatable, Identifiable {
  /// The stitch's stable name: `small`, `large`, `small-large@3`.
  public var id: String
  /// For people: `small[0..<2] → large[3..<8]`.
  public var route: String
  public var parameters: Int
  /// FLOPs per token at zero context, head included.
  public var flopsPerToken: Double
  public var weightBytes: Int
  public var importance: Double?
  /// Measured quality in 0…1 (exact match on held-out questions), if it was measured.
  public var quality: Double?
  /// Measured mean loss (nats per token) on held-out text, if it was measured.
  public var loss: Double?
  /// Decoding speed, measured with the family and perhaps on another machine, if known.
  public var tokensPerSecond: Double?

  public init(
    id: String, route: String, parameters: Int, flopsPerToken: Double, weightBytes: Int,
    importance: Double? = nil, quality: Double? = nil, loss: Double? = nil,
    tokensPerSecond: Double? = nil
  ) {
    self.id = id
    self.route = route
    self.parameters = parameters
    self.flopsPerToken = flopsPerToken
    self.weightBytes = weightBytes
    self.importance = importance
    self.quality = quality
    self.loss = loss
    self.tokensPerSecond = tokensPerSecond
  }
}

/// An adapter as stamps and conversations name it; without a step there is none.
public struct AdapterReference: Sendable, Equatable, Codable {
  /// Steps of adaptation.
  public var step: Int?
  /// SHA-256 of its file; `nil` for one that was never kept.
  public var hash: String?

  public init(step: Int?, hash: String?) {
    self.step = step
    self.hash = hash
  }
}

/// What is known of a family once it is loaded.
public struct FamilySummary: Sendable, Equatable {
  public var name: String
  public var stops: [Stop]
  public var contextLength: Int
  /// Steps of adaptation in the adapter now in use; `nil` without an adapter.
  public var adapterStep: Int?
  /// SHA-256 of that adapter, if it is kept in a file.
  public var adapterHash: String?
  /// Steps of the adapter that quality and loss of the stops were measured with; `nil`: without one.
  public var measuredStep: Int?
  /// Lines to show once: what about the family could not be read, what does not quite hold.
  public var notes: [String]

  public init(
    name: String, stops: [Stop], contextLength: Int, adapterStep: Int?, adapterHash: String? = nil,
    measuredStep: Int? = nil,
    notes: [String] = []
  ) {
    self.adapterHash = adapterHash
    self.name = name
    self.stops = stops
    self.contextLength = contextLength
    self.adapterStep = adapterStep
    self.measuredStep = measuredStep
    self.notes = notes
  }
}

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
    /// No reply is made: `ReplyEvent.tooLong`.
    case refuse = "ask"
  }

  public var temperature: Double = 0
  public var topK: Int?
  public var topP: Double?
  public var minP: Double?
  public var repetitionPenalty: Double = 1
  public var seed: UInt64 = 0
  public var maxTokens: Int = 256
  public var overflow = Overflow.dropOldest

  public init() {}
}

/// What really made a reply.
public struct ReplyStamp: Sendable, Equatable {
  public enum Finish: String, Sendable, Codable { case stop, length, cancelled }
  public var stitch: String
  public var adapterStep: Int?
  public var tokens: Int
  public var tokensPerSecond: Double
  public var finish: Finish
  /// Tokens of context in use after the reply.
  public var contextTokens: Int
  /// Oldest messages that the reply was made without, because the context is too short for all.
  public var droppedMessages: Int
  /// SHA-256 of the adapter's file, if it is kept in one.
  public var adapterHash: String?

  public var adapter: AdapterReference { AdapterReference(step: adapterStep, hash: adapterHash) }
  /// Tokens of the prompt that were computed, and how long that took; the others were cached.
  public var readTokens = 0
  public var readSeconds = 0.0
  /// Tokens of the reply that were computed before, as part of an equal one: they took less time than tokens take.
  public var repeatedTokens = 0
  /// Whether the speed says something of the stop: few tokens say little, and repeated ones nothing.
  public var tellsSpeed: Bool { tokens > 4 && tokensPerSecond > 0 && repeatedTokens <= tokens / 10 }
  /// As in `CacheStatus`.
  public var cachedTokens: [String: Int] = [:]

  public init(
    stitch: String, adapterStep: Int?, tokens: Int, tokensPerSecond: Double, finish: Finish,
    contextTokens: Int, droppedMessages: Int = 0, adapterHash: String? = nil
  ) {
    self.adapterHash = adapterHash
    self.stitch = stitch
    self.adapterStep = adapterStep
    self.tokens = tokens
    self.tokensPerSecond = tokensPerSecond
    self.finish = finish
    self.contextTokens = contextTokens
    self.droppedMessages = droppedMessages
  }
}

public enum ReplyEvent: Sendable, Equatable {
  /// The engine began, with this stitch and this adapter.
  case started(stitch: String, adapterStep: Int?, adapterHash: String? = nil)
  /// The conversation is longer than the context: so many of its oldest messages are left out.
  case trimmed(droppedMessages: Int)
  /// Nothing was made, as `Overflow.refuse` asks: so many of the oldest messages would have to be left out. The last
  /// event.
  case tooLong(messages: Int)
  /// More text; always whole characters. May hold control characters: views must not trust it.
  case text(String)
  case finished(ReplyStamp)
  /// One line: cause and remedy.
  case failed(String)

  /// Nothing comes after it.
  package var isLast: Bool {
    switch self {
    case .finished, .failed, .tooLong: true
    case .started, .trimmed, .text: false
    }
  }
}

/// A loss and the step it was measured at.
public struct LossPoint: Sendable, Equatable {
  public var step: Int
  /// Nats per token.
  public var loss: Double

  public init(step: Int, loss: Double) {
    self.step = step
    self.loss = loss
  }
}

/// A data file that comes with a family, to teach it something.
public struct LessonFile: Sendable, Equatable {
  /// Short, and good for `startTraining` as well: `facts`.
  public var name: String
  public var file: String

  public init(name: String, file: String) {
    self.name = name
    self.file = file
  }
}

/// The state of background adaptation; only the newest matters.
public struct TrainingStatus: Sendable, Equatable {
  public enum Phase: String, Sendable { case idle, preparing, running, paused, stopping, finished, failed }
  public var phase: Phase = .idle
  public var dataFile: String = ""
  public var step = 0
  public var totalSteps = 0
  /// Smoothed training loss, nats per token.
  public var loss: Double?
  public var heldOutLoss: Double?
  /// (step, loss) so far, thinned to at most a few hundred points.
  public var lossCurve: [Double] = []
  /// Losses on examples that are not learnt from, thinned likewise; the first is from before the first step.
  public var heldOutCurve: [LossPoint] = []
  /// The same by stitch, and the step they were measured at; empty where they were not.
  public var stitchLosses: [String: Double] = [:]
  public var stitchLossesStep = 0
  public var tokensPerSecond: Double?
  public var secondsLeft: Double?
  /// How often each stitch was drawn.
  public var drawn: [String: Int] = [:]
  public var importance: [String: Double] = [:]
  /// A line to show: what was skipped in the data file, what failed and why.
  public var message: String = ""
  /// The adapter that the next reply is made with, once that is known.
  public var adapter: AdapterReference?

  public init() {}
}

/// What the stops have read of the conversation; only the newest matters.
public struct CacheStatus: Sendable, Equatable {
  /// How many tokens from the beginning of the conversation each stop has cached, where it has any; those that only the
  /// blocks before its stitching layer have count in part.
  public var tokens: [String: Int]
  /// The stop that made the last reply reads the conversation again, for another adapter is in use now.
  public var isReading: Bool

  public init(tokens: [String: Int] = [:], isReading: Bool = false) {
    self.tokens = tokens
    self.isReading = isReading
  }
}

public protocol ChatBackend: Sendable {
  /// Loads the family (once) and describes it as it is now: called again, it tells of an adapter taken into use
  /// meanwhile. Throws an error whose description is one line.
  func load() async throws -> FamilySummary

  /// Streams a reply of one stitch to a conversation that ends in a user's turn (or in an assistant's turn that is
  /// to be continued). Ends after `finished`, `failed` or `tooLong`. Cancelling the consuming task stops the reply; the
  /// stream then still delivers `finished` with `.cancelled`.
  func reply(to messages: [ChatMessage], stitch: String, options: ReplyOptions) -> AsyncStream<ReplyEvent>

  /// Asks the reply that is being streamed to end. Its stream still delivers `finished` with `.cancelled`, which a
  /// cancelled consumer would not see any more. Does nothing if there is none.
  func stopReply() async

  /// The data files that come with the family.
  func lessons() async -> [LessonFile]

  /// Starts adapting the family to a data file, or a lesson by its name, in the background. Throws a one-line error if the file is unusable.
  func startTraining(dataFile: String, steps: Int) async throws
  func pauseTraining() async
  func resumeTraining() async
  /// Writes a snapshot of the adapter as it is now, takes it into use for the next reply, and goes on.
  func saveTraining() async
  /// Stops and keeps: a snapshot is written and taken into use for the next reply.
  func stopTraining() async

  /// Goes back to the adapter that was in use before the last snapshot, from the next reply on.
  /// - Returns: one line that says what is in use now.
  func undoAdapter() async -> String

  /// Takes an adapter that was in use in another session into use again, from the next reply on.
  /// - Throws: a one-line error if it is not there any more; nothing changes then.
  func useAdapter(_ adapter: AdapterReference) async throws

  /// The newest state of training, again at each change; older ones may be skipped.
  func trainingStatus() -> AsyncStream<TrainingStatus>

  /// What is read ahead between replies, again at each change; older ones may be skipped.
  func cacheStatus() -> AsyncStream<CacheStatus>
}

extension ChatBackend {
  /// For backends that only know the cancelled consumer.
  public func stopReply() async {}
  /// For backends that read nothing ahead.
  public func cacheStatus() -> AsyncStream<CacheStatus> { AsyncStream { $0.finish() } }

  /// For backends with one adapter.
  public func useAdapter(_ adapter: AdapterReference) async throws {}
  /// For backends without any.
  public func lessons() async -> [LessonFile] { [] }

  /// For backends that keep no earlier adapters.
  public func undoAdapter() async -> String { "there is no earlier adapter to go back to" }
}

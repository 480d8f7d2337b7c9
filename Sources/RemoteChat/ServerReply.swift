import ChatEngine
import Support
import Synchronization

/// Makes one reply: asks, waits where the server is busy, asks for less where the conversation is too long, and hands on
/// what comes.
struct ServerReply {
  let server: ServerAddress
  let models: ServerModels
  /// The stop that was asked for.
  let stitch: String
  let cancellation: TransferCancellation
  /// How long a busy server is waited for, all together.
  var patience: Duration
  let emit: (ReplyEvent) -> Void

  /// What came of asking once.
  private enum Answer {
    case reply(ReplyStamp)
    case busy(retryAfter: Duration, ServerError)
    /// Longer than the context: tokens of the prompt and of the context, where the server says.
    case tooLong(tokens: Int?, contextLength: Int?, ServerError)
  }

  mutating func make(_ messages: [ChatMessage], _ options: ReplyOptions) throws(ReplyFailure) -> ReplyStamp {
    let call = ReplyCall(model: models.name(of: stitch), messages: messages, options: options)
    var drops = call.drops[...]
    var dropped = 0
    while true {
      switch try ask(dropped == 0 ? call : call.dropping(dropped), dropped: dropped) {
      case .reply(let stamp): return stamp
      case .busy(let retryAfter, let error):
        guard retryAfter <= patience else { throw .other(message: error.description) }
        patience -= retryAfter
        emit(.waiting("the server is busy; asking again in \(Self.seconds(retryAfter)) s"))
        if !cancellation.wait(retryAfter) { return cancelled(call, dropped: dropped) }
      case .tooLong(let tokens, let contextLength, let error):
        // As many of the oldest messages as seem to be too many, by their share of the text.
        let wanted = Self.excess(call, tokens: tokens, contextLength: contextLength)
        while let next = drops.first, drops.count > 1, call.size(ofOldest: next) < wanted { drops.removeFirst() }
        guard let next = drops.popFirst() else {
          guard let tokens, let contextLength else { throw .other(message: error.description) }
          throw .promptTooLong(tokens: tokens, contextLength: contextLength)
        }
        if options.overflow == .refuse { throw .conversationTooLong(messagesToDrop: next) }
        dropped = next
      }
    }
  }

  /// Bytes of text that there are too many; 0 where that is not known.
  private static func excess(_ call: ReplyCall, tokens: Int?, contextLength: Int?) -> Int {
    guard let tokens, let contextLength, tokens > 0, contextLength > 0 else { return 0 }
    // A reply needs room, too.
    let room = contextLength - contextLength / 10
    return tokens > room ? Int(Double(call.size) * Double(tokens - room) / Double(tokens)) : 0
  }

  private static func seconds(_ duration: Duration) -> Int { max(1, Int((duration / .seconds(1)).rounded(.up))) }

  private func cancelled(_ call: ReplyCall, dropped: Int) -> ReplyStamp {
    ReplyStream().stamp(
      stitch, adapterStep: models.summary.adapterStep, dropped: dropped, isCancelled: true, start: .now, about: 0)
  }

  // MARK: Once

  /// What has come so far; written while the transfer runs, read when it is over, on one thread.
  private final class Progress {
    var events = EventStream()
    var reply = ReplyStream()
    /// An answer that is no stream.
    var whole: [UInt8] = []
    var stitch: String
    var failure: String?

    init(stitch: String) { self.stitch = stitch }
  }

  private func ask(_ call: ReplyCall, dropped: Int) throws(ReplyFailure) -> Answer {
    let progress = Progress(stitch: stitch)
    let start = ContinuousClock.now
    let head: WebResponseHead
    do throws(WebError) {
      let transfer = try WebTransfer(server.request("/chat/completions", body: call.body))
      head = try cancellation.perform(transfer) { head, bytes in
        guard head.status == 200, head.fields["content-type"]?.lowercased().contains("event-stream") == true else {
          progress.whole += bytes
          return progress.whole.count <= ReplyStream.largest
        }
        do throws(EventStream.EventTooLong) {
          for data in try progress.events.next(bytes) where progress.failure == nil {
            take(progress.reply.next(data), progress, dropped: dropped)
          }
        } catch { progress.failure = "the server sends an event without an end" }
        return progress.failure == nil && !progress.reply.isDone
      }
    } catch {
      if progress.reply.isDone || cancellation.isCancelled { return .reply(stamp(progress, call, dropped, start)) }
      if let failure = progress.failure { throw .other(message: "\(server.name): \(failure)") }
      let cause = ServerError(server, error)
      throw .other(
        message: progress.reply.hasBegun ? "the reply was cut off: \(cause.description)" : cause.description)
    }
    if let failure = progress.failure { throw .other(message: "\(server.name): \(failure)") }
    if head.status != 200 { return try refusal(head, progress.whole) }
    // A server that does not stream.
    if !progress.whole.isEmpty { take(progress.reply.next(progress.whole), progress, dropped: dropped) }
    if let failure = progress.failure { throw .other(message: "\(server.name): \(failure)") }
    guard progress.reply.isWhole else {
      throw .other(
        message: progress.reply.hasBegun
          ? "the reply was cut off: \(server.name) has closed the connection before its end"
          : "\(server.name) has closed the connection without an answer; see what it says itself")
    }
    return .reply(stamp(progress, call, dropped, start))
  }

  /// Hands on what events mean.
  private func take(_ events: [ReplyStream.Event], _ progress: Progress, dropped: Int) {
    for event in events {
      switch event {
      case .begun(let model):
        progress.stitch = models.stop(of: model) ?? stitch
        emit(.started(stitch: progress.stitch, adapterStep: models.summary.adapterStep))
        if dropped > 0 { emit(.trimmed(droppedMessages: dropped)) }
      case .text(let text): emit(.text(text))
      case .failed(let message): progress.failure = message
      }
    }
  }

  private func stamp(
    _ progress: Progress, _ call: ReplyCall, _ dropped: Int, _ start: ContinuousClock.Instant
  ) -> ReplyStamp {
    progress.reply.stamp(
      progress.stitch, adapterStep: models.summary.adapterStep, dropped: dropped,
      isCancelled: cancellation.isCancelled && !progress.reply.isWhole, start: start,
      about: call.messages.reduce(0) { $0 + TokenCount(estimating: $1.content).count })
  }

  /// What a status other than 200 means.
  private func refusal(_ head: WebResponseHead, _ body: [UInt8]) throws(ReplyFailure) -> Answer {
    let report = ServerReport(body: body)
    let error = ServerError(server, status: head.status, report: report)
    if [429, 503].contains(head.status), let seconds = head.fields["retry-after"].flatMap({ Double($0) }),
      (0...86_400).contains(seconds)
    {
      return .busy(retryAfter: max(.milliseconds(100), .seconds(seconds)), error)
    }
    if report.code == "context_length_exceeded" {
      let (tokens, length) = Self.lengths(in: report.message)
      return .tooLong(
        tokens: tokens,
        contextLength: length ?? (models.summary.contextLength > 0 ? models.summary.contextLength : nil),
        error)
    }
    if report.code == "model_not_found" || head.status == 404 {
      throw .unknownStitch(stitch, message: error.description)
    }
    throw .other(message: error.description)
  }

  /// “maximum context length is 2048 tokens. However, your prompt has 3000 tokens”: the numbers, as OpenAI puts it and many
  /// after it.
  static func lengths(in message: String) -> (tokens: Int?, contextLength: Int?) {
    let length = message.firstMatch(of: /maximum context length is (\d{1,9}) tokens/)
    let rest = length.map { message[$0.range.upperBound...] } ?? message[...]
    let tokens = rest.firstMatch(of: /(\d{1,9}) tokens/)
    return (tokens.flatMap { Int($0.output.1) }, length.flatMap { Int($0.output.1) })
  }
}

extension ReplyCall {
  /// Bytes of all messages.
  var size: Int { messages.reduce(0) { $0 + $1.content.utf8.count } }

  /// Bytes of the oldest messages, the system prompt apart.
  func size(ofOldest count: Int) -> Int {
    messages.drop { $0.role == .system }.prefix(count).reduce(0) { $0 + $1.content.utf8.count }
  }
}

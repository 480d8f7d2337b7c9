import ChatEngine
import Support

/// A reply as it comes from a server, event by event.
package struct ReplyStream {
  /// What an event means.
  package enum Event: Equatable {
    /// The first that the server says: the model that it takes.
    case begun(model: String?)
    case text(String)
    /// What is wrong, in the server's words.
    case failed(String)
  }

  /// Bytes of a reply, at most: so much that no model has reason to say it.
  package static let largest = 16 << 20

  private(set) var hasBegun = false
  /// Bytes of text that came.
  private var size = 0
  /// Pieces of text that came: about as many as tokens.
  private(set) var pieces = 0
  private(set) var finish: String?
  /// The server said that nothing more comes.
  private(set) var isDone = false
  /// Of the prompt, of those cached, and of the reply; as far as the server says.
  private(set) var promptTokens: Int?
  private(set) var cachedTokens = 0
  private(set) var replyTokens: Int?
  private(set) var firstText: ContinuousClock.Instant?
  private(set) var lastText: ContinuousClock.Instant?

  /// Whether the reply came to its end.
  package var isWhole: Bool { isDone || finish != nil }

  package init() {}

  /// What the data of an event says.
  package mutating func next(_ data: [UInt8], at now: ContinuousClock.Instant = .now) -> [Event] {
    if data.elementsEqual("[DONE]".utf8) {
      isDone = true
      return []
    }
    let value: JSONValue
    do { value = try JSONValue(utf8: data) } catch { return [.failed("what the server sends is no JSON: \(error)")] }
    guard let object = value.object else { return [.failed("what the server sends is no event of a reply")] }
    if let error = object["error"], error != .null { return [.failed(ServerReport(error).message)] }
    var events: [Event] = []
    if !hasBegun {
      hasBegun = true
      events.append(.begun(model: object["model"]?.string))
    }
    if let choice = object["choices"]?.array?.first?.object {
      // Whole, where the server does not stream.
      let content = choice["delta"]?.object?["content"] ?? choice["message"]?.object?["content"]
      if let text = content?.string, !text.isEmpty {
        pieces += 1
        firstText = firstText ?? now
        lastText = now
        size += text.utf8.count
        if size > Self.largest { return events + [.failed("the reply is longer than \(Self.largest >> 20) MiB")] }
        events.append(.text(text))
      }
      if let reason = choice["finish_reason"]?.string { finish = reason }
    }
    if let usage = object["usage"]?.object {
      promptTokens = usage["prompt_tokens"]?.count ?? promptTokens
      replyTokens = usage["completion_tokens"]?.count ?? replyTokens
      cachedTokens = usage["prompt_tokens_details"]?.object?["cached_tokens"]?.count ?? cachedTokens
    }
    return events
  }

  /// What made the reply, and what it took.
  /// - Parameters:
  ///   - start: when it was asked for.
  ///   - about: tokens of the prompt, where the server does not say.
  package func stamp(
    _ stitch: String, adapterStep: Int?, dropped: Int, isCancelled: Bool, start: ContinuousClock.Instant, about: Int
  ) -> ReplyStamp {
    let tokens = replyTokens ?? pieces
    var speed = 0.0
    if let firstText, let lastText, tokens > 1, case let seconds = (lastText - firstText) / .seconds(1), seconds > 0 {
      speed = Double(tokens - 1) / seconds
    }
    let prompt = promptTokens ?? about
    var stamp = ReplyStamp(
      stitch: stitch, adapterStep: adapterStep, tokens: tokens, tokensPerSecond: speed,
      finishReason: isCancelled ? .cancelled : finish == "length" ? .length : .stopToken,
      contextTokens: prompt + tokens, droppedMessages: dropped)
    stamp.promptTokens = prompt
    stamp.cachedPromptTokens = min(prompt, cachedTokens)
    if promptTokens != nil, let firstText {
      stamp.prefillTokens = prompt - stamp.cachedPromptTokens
      stamp.prefillSeconds = (firstText - start) / .seconds(1)
    }
    stamp.cachedTokens = [stitch: prompt + tokens]
    return stamp
  }
}

/// An error in OpenAI's form, or in about that.
package struct ServerReport: Equatable {
  /// In the server's words, on one line.
  package var message: String
  var code: String?

  init(_ error: JSONValue) {
    let object = error.object
    let text = object?["message"]?.string ?? error.string ?? "the server does not say why"
    message = oneLine(text, limit: 300)
    code = object?["code"]?.string
  }

  /// Of an answer that is none.
  package init(body: [UInt8]) {
    let text: String
    do {
      let object = try JSONValue(utf8: body).object
      if let error = object?["error"] {
        self.init(error)
        return
      }
      text = object?["detail"]?.string ?? object?["message"]?.string ?? ""
    } catch { text = String(decoding: body.prefix(200), as: UTF8.self) }
    self.init(.string(String(text.prefix(200))))
  }
}

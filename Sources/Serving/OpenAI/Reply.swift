import Support
import WebServer

/// The reply to a request as its texts come.
struct Reply: Sendable {
  let order: TextOrder
  let scheduler: Scheduler
  let start: ContinuousClock.Instant
  let promptTokens: Int
  let documents: ReplyDocuments
  let choices: [ChoiceText]

  /// What a text's event means for its choice.
  private enum Step: Sendable {
    case piece(ChoiceText.Piece, choice: Int)
    case finished(ChoiceText.Finish, choice: Int)
  }

  /// Hands on what comes, until all choices are done.
  /// - Returns: what it took.
  /// - Throws: `APIError`, `CancellationError` where nobody waits any more, and what `body` throws.
  private func follow(_ body: (Step) async throws -> Void) async throws -> ReplyDocuments.Usage {
    var choices = choices
    var usage = ReplyDocuments.Usage(promptTokens: promptTokens)
    var hasBegun = false
    var open = choices.count
    defer { if open > 0 { scheduler.cancel(order) } }
    for await event in order.events {
      let index: Int
      let piece: ChoiceText.Piece?
      switch event {
      case .failed(let message): throw APIError.internalError(message)
      case .unfit(let message): throw APIError.invalid(nil, message, code: "form_not_kept")
      case .token(let token, let likelihoods, let text):
        if !hasBegun { scheduler.metrics.firstToken(after: .now - start) }
        hasBegun = true
        index = text
        if choices[index].finish != nil { continue }
        piece = try choices[index].next(token, likelihoods)
      case .finished(let result, let text):
        index = text
        let wasDone = choices[index].finish != nil
        piece = choices[index].end(result)
        // Further choices find the prompt of the first.
        if index % documents.call.choices == 0 { usage.cachedTokens += choices[index].cachedTokens }
        if wasDone { continue }
      }
      if let piece { try await body(.piece(piece, choice: index)) }
      guard let finish = choices[index].finish else { continue }
      if case .token = event { scheduler.cancel(order, text: index) }
      usage.completionTokens += choices[index].tokens
      open -= 1
      try await body(.finished(finish, choice: index))
    }
    // Who goes before the end is told so by a stream that ends.
    if open > 0 { throw CancellationError() }
    scheduler.metrics.replyMade(in: .now - start)
    return usage
  }

  func whole() async throws -> JSONValue {
    var wholes = choices.map { _ in ReplyDocuments.Whole(text: "", reports: [], finish: .stop) }
    let usage = try await follow { step in
      switch step {
      case .piece(let piece, let choice):
        wholes[choice].text += piece.text
        wholes[choice].reports += piece.reports
      case .finished(let finish, let choice): wholes[choice].finish = finish
      }
    }
    return try documents.whole(wholes, usage: usage)
  }

  /// Server-sent events: a document each, then `[DONE]`.
  func stream(to writer: HTTPBodyWriter) async throws {
    func send(_ document: JSONValue) async throws {
      try await writer.write(Array("data: ".utf8) + document.utf8 + Array("\n\n".utf8))
    }
    do {
      for index in choices.indices {
        if let beginning = documents.beginning(index) { try await send(beginning) }
      }
      let usage = try await follow { step in
        switch step {
        case .piece(let piece, let choice): try await send(documents.piece(choice, piece))
        case .finished(let finish, let choice): try await send(documents.end(choice, finish))
        }
      }
      if documents.call.includesUsage { try await send(documents.usage(usage)) }
    } catch let error as APIError { try await send(error.document) }
    try await writer.write(Array("data: [DONE]\n\n".utf8))
  }
}

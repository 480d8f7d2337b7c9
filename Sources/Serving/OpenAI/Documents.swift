import LLaMAStitch
import Support
import Tokenizer

/// Replies as OpenAI writes them.
struct ReplyDocuments: Sendable {
  let call: GenerationCall
  let id: String
  let created: Int
  let fingerprint: String
  let tokenizer: any Tokenizer

  /// What a request has taken.
  struct Usage: Sendable {
    var promptTokens = 0
    var completionTokens = 0
    var cachedTokens = 0

    var document: JSONValue {
      .object([
        "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
        "total_tokens": .integer(promptTokens + completionTokens),
        "prompt_tokens_details": .object(["cached_tokens": .integer(cachedTokens)]),
      ])
    }
  }

  private func document(_ object: String, _ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(id), "object": .string(object), "created": .integer(created), "model": .string(call.model),
      "system_fingerprint": .string(fingerprint), "choices": .array(choices),
    ]
    if let usage { members["usage"] = usage }
    return .object(members)
  }

  // MARK: Whole

  /// A choice that is complete.
  struct Whole {
    var text: String
    var reports: [ChoiceText.Report]
    var finish: ChoiceText.Finish
  }

  func whole(_ choices: [Whole], usage: Usage) throws -> JSONValue {
    let documents = try choices.enumerated().map { index, choice in
      var members: [String: JSONValue] = [
        "index": .integer(index), "finish_reason": .string(choice.finish.rawValue),
        "logprobs": try logprobs(choice.reports),
      ]
      switch call.kind {
      case .chat:
        members["message"] = .object([
          "role": "assistant", "content": .string(choice.text), "refusal": .null,
        ])
      case .completion: members["text"] = .string(choice.text)
      }
      return JSONValue.object(members)
    }
    return document(call.kind == .chat ? "chat.completion" : "text_completion", documents, usage: usage.document)
  }

  // MARK: Streamed

  /// What begins a choice.
  func beginning(_ index: Int) -> JSONValue? {
    guard call.kind == .chat else { return nil }
    return chunk(index, delta: ["role": "assistant", "content": ""], logprobs: .null, finish: nil)
  }

  func piece(_ index: Int, _ piece: ChoiceText.Piece) throws -> JSONValue {
    chunk(index, delta: ["content": .string(piece.text)], logprobs: try logprobs(piece.reports), finish: nil)
  }

  func end(_ index: Int, _ finish: ChoiceText.Finish) -> JSONValue {
    chunk(index, delta: [:], logprobs: .null, finish: finish)
  }

  func usage(_ usage: Usage) -> JSONValue {
    document(chunkObject, [], usage: usage.document)
  }

  private var chunkObject: String { call.kind == .chat ? "chat.completion.chunk" : "text_completion" }

  private func chunk(
    _ index: Int, delta: [String: JSONValue], logprobs: JSONValue, finish: ChoiceText.Finish?
  ) -> JSONValue {
    var members: [String: JSONValue] = [
      "index": .integer(index), "logprobs": logprobs, "finish_reason": finish.map { .string($0.rawValue) } ?? .null,
    ]
    switch call.kind {
    case .chat: members["delta"] = .object(delta)
    case .completion: members["text"] = delta["content"] ?? ""
    }
    return document(chunkObject, [.object(members)], usage: call.includesUsage ? .null : nil)
  }

  // MARK: Probabilities

  private func logprobs(_ reports: [ChoiceText.Report]) throws -> JSONValue {
    guard call.alternatives != nil else { return .null }
    if call.kind == .completion { return try completionLogprobs(reports) }
    let content = try reports.map { report in
      var members = try entry(report.token, report.likelihoods.logProbability)
      members["top_logprobs"] = .array(
        try report.likelihoods.likeliest.map { .object(try entry($0.token, $0.logProbability)) })
      return JSONValue.object(members)
    }
    return .object(["content": .array(content), "refusal": .null])
  }

  private func entry(_ token: Int, _ logProbability: Double) throws -> [String: JSONValue] {
    let bytes = try bytes(of: token)
    return [
      "token": .string(String(decoding: bytes, as: UTF8.self)), "logprob": .number(logProbability),
      "bytes": .array(bytes.map { .integer(Int($0)) }),
    ]
  }

  private func completionLogprobs(_ reports: [ChoiceText.Report]) throws -> JSONValue {
    var offset = 0
    var offsets: [JSONValue] = []
    var texts: [JSONValue] = []
    for report in reports {
      let text = String(decoding: try bytes(of: report.token), as: UTF8.self)
      offsets.append(.integer(offset))
      texts.append(.string(text))
      offset += text.count
    }
    let likeliest = try reports.map { report in
      var members: [String: JSONValue] = [:]
      for other in report.likelihoods.likeliest {
        members[String(decoding: try bytes(of: other.token), as: UTF8.self)] = .number(other.logProbability)
      }
      return JSONValue.object(members)
    }
    return .object([
      "tokens": .array(texts), "token_logprobs": .array(reports.map { .number($0.likelihoods.logProbability) }),
      "top_logprobs": .array(likeliest), "text_offset": .array(offsets),
    ])
  }

  /// A token's bytes within a text; of a control token, its spelling.
  private func bytes(of token: Int) throws -> [UInt8] {
    var isAtStart = false
    return try tokenizer.bytes(of: token, isAtStart: &isAtStart) ?? Array(tokenizer.piece(token).utf8)
  }
}

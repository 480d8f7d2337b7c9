import ChatEngine
import Support
import Tokenizer

/// Reads what a request begins with, and makes tokens of it.
struct PromptReader {
  let text: TextFamily
  let contextLength: Int

  /// A prompt, ready to be continued.
  struct Prompt: Sendable {
    var tokens: [Int]
    /// The reply goes on with a text: its first character may have begun in the prompt.
    var continues: Bool
  }

  private static let mostPrompts = 64

  // MARK: Chat

  /// - Throws: `APIError`.
  func chat(_ fields: RequestFields) throws(APIError) -> Prompt {
    guard let list = fields["messages"]?.array, !list.isEmpty else {
      throw .invalid("messages", "messages is to be a list of at least one message")
    }
    var messages: [ChatTemplate.Message] = []
    for (index, value) in list.enumerated() { messages.append(try message(value, "messages[\(index)]")) }
    let continues = messages.last?.role == .assistant
    let tokens: [Int]
    do {
      tokens = try text.template.encode(messages, tokenizer: text.tokenizer, continueFinalMessage: continues)
    } catch { throw .invalid("messages", "\(error)") }
    return try fitting(Prompt(tokens: tokens, continues: continues), "messages")
  }

  private func message(_ value: JSONValue, _ place: String) throws(APIError) -> ChatTemplate.Message {
    guard let members = value.object else { throw .invalid(place, "\(place) is \(value.kind), not a message") }
    let role: ChatTemplate.Message.Role
    switch members["role"]?.string {
    case "system", "developer": role = .system
    case "user": role = .user
    case "assistant": role = .assistant
    case let other:
      throw .invalid(
        "\(place).role",
        "\(place).role is \(other.map { "“\(oneLine($0, limit: 40))”" } ?? "missing"); system, developer, user and assistant are known"
      )
    }
    return .init(role: role, content: try content(members["content"], "\(place).content"))
  }

  /// A string, or parts that are text.
  private func content(_ value: JSONValue?, _ place: String) throws(APIError) -> String {
    if let string = value?.string { return string }
    guard let parts = value?.array else { throw .invalid(place, "\(place) is to be a string or a list of parts") }
    var text = ""
    for part in parts {
      guard let members = part.object, members["type"]?.string == "text", let piece = members["text"]?.string else {
        throw .invalid(place, "\(place) has a part that is not text; the model reads text only")
      }
      text += piece
    }
    return text
  }

  // MARK: Completion

  /// - Throws: `APIError`.
  func completion(_ fields: RequestFields) throws(APIError) -> [Prompt] {
    try texts(fields, "prompt", atMost: Self.mostPrompts)
  }

  /// The texts of a field: one string, one list of tokens, or a list of either.
  /// - Throws: `APIError`.
  func texts(_ fields: RequestFields, _ field: String, atMost most: Int) throws(APIError) -> [Prompt] {
    let value = fields[field] ?? .string("")
    var prompts: [[Int]] = []
    if let string = value.string {
      prompts = [try tokens(string, field)]
    } else if let list = value.array, let first = list.first {
      guard list.count <= (first.integer == nil ? most : .max) else {
        throw .invalid(field, "there are \(list.count) texts in \(field); at most \(most) go at once")
      }
      if first.integer != nil {
        prompts = [try ids(value, field)]
      } else {
        for element in list {
          if let string = element.string {
            prompts.append(try tokens(string, field))
          } else {
            prompts.append(try ids(element, field))
          }
        }
      }
    }
    guard !prompts.isEmpty else { throw .invalid(field, "\(field) is to be a string, tokens, or a list of them") }
    return try prompts.map { tokens throws(APIError) in
      try fitting(Prompt(tokens: tokens, continues: true), field)
    }
  }

  private func tokens(_ string: String, _ field: String) throws(APIError) -> [Int] {
    let tokenizer = text.tokenizer
    do {
      let tokens = try tokenizer.textStart + tokenizer.encode(bytes: Array(string.utf8))
      if !tokens.isEmpty { return tokens }
    } catch { throw .invalid(field, "\(error)") }
    guard let first = tokenizer.bosToken ?? tokenizer.eosToken else {
      throw .invalid(field, "\(field) is empty, and no token begins a text; give some text")
    }
    return [first]
  }

  private func ids(_ value: JSONValue, _ field: String) throws(APIError) -> [Int] {
    guard let list = value.array, !list.isEmpty else {
      throw .invalid(field, "\(field) is to be a string, tokens, or a list of them")
    }
    let ids = list.compactMap(\.integer)
    guard ids.count == list.count, ids.allSatisfy({ (0..<text.tokenizer.vocabularySize).contains($0) }) else {
      throw .invalid(field, "a token of \(field) is none of 0 to \(text.tokenizer.vocabularySize - 1)")
    }
    return ids
  }

  private func fitting(_ prompt: Prompt, _ parameter: String) throws(APIError) -> Prompt {
    guard prompt.tokens.count < contextLength else {
      throw .contextLengthExceeded(parameter, tokens: prompt.tokens.count, contextLength: contextLength)
    }
    return prompt
  }
}

import Jinja
import Support

/// What a chat template is given, in the form of OpenAI and transformers: an object with `messages` and, if it likes,
/// `tools`, `documents`, `add_generation_prompt` and other variables by name; or a list, which is the messages.
public struct TemplateRequest: Sendable, Equatable {
  /// By name.
  private(set) var variables: [String: TemplateValue]
  private var source: [[UInt8]]
  private var messages: [[(key: String, value: TemplateValue)]]

  /// Reads a request.
  /// - Parameter tools: a list of tools, for a request that brings none.
  /// - Throws: `TokenizerError.badRequest`.
  public init(utf8 bytes: some Collection<UInt8>, tools: [UInt8]? = nil) throws(TokenizerError) {
    source = [Array(bytes), tools ?? []]
    let document = try Self.document(bytes, "the messages")
    let members: [(key: String, value: TemplateValue)] =
      switch document {
      case .list: [("messages", document)]
      case .dict(let members, _): members
      default: throw .badRequest(reason: "neither an object with messages nor a list of messages")
      }
    // What transformers passes where nothing is given.
    var variables: [String: TemplateValue] = ["tools": .none, "documents": .none, "add_generation_prompt": .bool(true)]
    for (name, value) in members { variables[name] = value }
    guard case .list(let list)? = variables["messages"] else {
      throw .badRequest(reason: "“messages” is missing or no list")
    }
    if let tools, case .none? = variables["tools"] {
      let tools = try Self.document(tools, "the tools")
      guard case .list = tools else { throw .badRequest(reason: "the tools are no list") }
      variables["tools"] = tools
    }
    var messages: [[(key: String, value: TemplateValue)]] = []
    for message in list {
      guard case .dict(let members, _) = message else {
        throw .badRequest(reason: "message \(messages.count + 1) is no object")
      }
      messages.append(Self.marked(Self.withReasoning(members), number: messages.count))
    }
    self.messages = messages
    variables["messages"] = .list(messages.map { .dict($0) })
    self.variables = variables
  }

  /// Of the same text.
  public static func == (left: TemplateRequest, right: TemplateRequest) -> Bool { left.source == right.source }

  /// The same without what makes the model reply.
  func complete() -> TemplateRequest {
    var request = self
    request.variables["add_generation_prompt"] = .bool(false)
    return request
  }

  /// What the messages say.
  public var texts: [String] {
    messages.flatMap(\.self).compactMap { key, value in
      if key == "content", case .string(let text, _) = value { text } else { nil }
    }
  }

  /// The replies that are read and not learned, by number: of weight 0, as OpenAI has it.
  var unlearned: Set<Int> {
    Set(
      messages.indices.filter { index in
        messages[index].contains { key, value in
          guard key == "weight" else { return false }
          return switch value {
          case .integer(let weight): weight == 0
          case .number(let weight): weight == 0
          default: false
          }
        }
      })
  }

  // MARK: Tools

  private static func text(_ name: String, of message: [(key: String, value: TemplateValue)]) -> String? {
    message.lazy.compactMap { key, value in
      if key == name, case .string(let text, _) = value { text } else { nil }
    }.first
  }

  private static func isToolsAnswer(_ message: [(key: String, value: TemplateValue)]) -> Bool {
    toolRoles.contains(text("role", of: message) ?? "")
  }

  private static func calls(_ message: [(key: String, value: TemplateValue)]) -> [TemplateValue] {
    message.lazy.compactMap { key, value in
      if key == "tool_calls", case .list(let calls) = value { calls } else { nil }
    }.first ?? []
  }

  /// What tools answered, and the names of those that were called.
  var toolTexts: [String] {
    messages.flatMap { message -> [String] in
      if Self.isToolsAnswer(message) { return [Self.text("content", of: message) ?? ""] }
      return Self.calls(message).compactMap { call in
        guard case .dict(let members, _) = call else { return nil }
        for case ("function", .dict(let function, _)) in members { return Self.text("name", of: function) }
        return Self.text("name", of: members)
      }
    }
  }

  /// Whether tools are called, or answer.
  public var usesTools: Bool { messages.contains { Self.isToolsAnswer($0) || !Self.calls($0).isEmpty } }

  /// The same without tools, calls of them and their answers, for templates that have no place for them.
  /// - Returns: the rest, and how many turns were left out.
  public func withoutTools() -> (request: TemplateRequest, leftOut: Int) {
    var request = self
    request.variables["tools"] = TemplateValue.none
    request.messages = messages.compactMap { message in
      if Self.isToolsAnswer(message) { return nil }
      if Self.calls(message).isEmpty { return message }
      // What else was said beside a call.
      guard let content = Self.text("content", of: message), !content.isEmpty else { return nil }
      return message.filter { $0.key != "tool_calls" }
    }
    request.variables["messages"] = .list(request.messages.map { .dict($0) })
    request.source.append(Array("without tools".utf8))
    return (request, messages.count - request.messages.count)
  }

  private static func document(
    _ bytes: some Collection<UInt8>, _ what: String
  ) throws(TokenizerError) -> TemplateValue {
    do { return try TemplateValue(utf8: bytes) } catch { throw .badRequest(reason: "\(what): \(error)") }
  }

  /// Reasoning under all the names that templates know it by, as transformers has it.
  private static func withReasoning(
    _ members: [(key: String, value: TemplateValue)]
  ) -> [(key: String, value: TemplateValue)] {
    let given = ["reasoning_content", "thinking", "reasoning"].lazy.compactMap { name in
      members.first { $0.key == name }?.value
    }.first { if case .none = $0 { false } else { true } }
    guard let given else { return members }
    var result = members
    if let place = result.firstIndex(where: { $0.key == "reasoning_content" }) {
      result[place].value = given
    } else {
      result.append(("reasoning_content", given))
    }
    let thinking = result.firstIndex { $0.key == "thinking" }.map { result.remove(at: $0) }
    return [thinking ?? ("thinking", given)] + result
  }

  /// Roles that are known, which templates make markers of. Any other counts as typed.
  private static let roles: Set<String> = toolRoles.union(["system", "developer", "user", "assistant"])

  /// Those of what tools answer.
  private static let toolRoles: Set<String> = ["tool", "function", "ipython", "observation", "tool_response"]

  /// A message with the origin of its texts: what an assistant says is a reply.
  private static func marked(
    _ members: [(key: String, value: TemplateValue)], number: Int
  ) -> [(key: String, value: TemplateValue)] {
    var role = ""
    for case ("role", .string(let name, _)) in members { role = name }
    let origin: TextOrigin = role == "assistant" ? .reply(message: number % TextOrigin.numberedMessages) : .typed
    return members.map { key, value in
      key == "role" && roles.contains(role)
        ? (key, .string(role, .template)) : (key, value.written(by: origin))
    }
  }

  /// The messages as the templates in Swift take them.
  /// - Throws: `TokenizerError.badRequest` for what only a model's own template could take.
  func plainMessages(template: String) throws(TokenizerError) -> [ChatTemplate.Message] {
    if case .list(let tools)? = variables["tools"], !tools.isEmpty {
      throw .badRequest(reason: "the built-in template \(template) has no place for tools")
    }
    var plain: [ChatTemplate.Message] = []
    let unlearned = unlearned
    for (index, message) in messages.enumerated() {
      var role: ChatTemplate.Message.Role?
      var content: String?
      for case (let key, .string(let text, _)) in message {
        if key == "role" { role = ChatTemplate.Message.Role(rawValue: text) }
        if key == "content" { content = text }
      }
      guard let role, let content else {
        throw .badRequest(
          reason:
            "message \(plain.count + 1): the built-in template \(template) takes text of system, user and assistant")
      }
      plain.append(.init(role: role, content: content))
      plain[plain.count - 1].isLearned = !unlearned.contains(index)
    }
    return plain
  }

  /// Whether the text is to end with what makes the model reply.
  var addsGenerationPrompt: Bool {
    if case .bool(let value)? = variables["add_generation_prompt"] { value } else { false }
  }
}

extension TemplateValue: JSONDocument {
  public static var null: TemplateValue { .none }
  public static func string(_ value: String) -> TemplateValue { .string(value, .typed) }
  public static func array(_ elements: [TemplateValue]) -> TemplateValue { .list(elements) }

  public static func object(
    members: [(key: String, value: TemplateValue)]
  ) throws(JSONDuplicateName) -> TemplateValue {
    var names: Set<String> = []
    for (key, _) in members where !names.insert(key).inserted { throw JSONDuplicateName(name: key) }
    return .dict(members)
  }

  /// The same value with all of its texts by one author.
  func written(by origin: TextOrigin) -> TemplateValue {
    switch self {
    case .none, .bool, .integer, .number: self
    case .string(let text, _): .string(text, origin)
    case .list(let items): .list(items.map { $0.written(by: origin) })
    case .dict(let members, _): .dict(members.map { ($0.key, $0.value.written(by: origin)) }, keys: origin)
    }
  }
}

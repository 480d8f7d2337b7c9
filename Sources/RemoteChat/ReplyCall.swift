import ChatEngine
import Forms
import Support

/// What is asked of `/chat/completions`.
package struct ReplyCall: Sendable {
  var model: String
  var messages: [ChatMessage]
  var options: ReplyOptions

  package init(model: String, messages: [ChatMessage], options: ReplyOptions) {
    self.model = model
    self.messages = messages
    self.options = options
  }

  /// The body. Its fields keep their order: a schema's properties have one.
  package var body: [UInt8] {
    var fields: [(key: String, value: OrderedJSON)] = [
      ("model", .string(model)),
      (
        "messages",
        .array(
          messages.map {
            .object([(key: "role", value: .string($0.role.rawValue)), (key: "content", value: .string($0.content))])
          })
      ),
      ("stream", .bool(true)), ("stream_options", .object([(key: "include_usage", value: .bool(true))])),
      ("temperature", .number(options.temperature)),
      ("seed", .integer(Int(Int64(bitPattern: options.seed)))),
    ]
    // What others than stitch may not know is left out where it says nothing.
    if let value = options.topP { fields.append(("top_p", .number(value))) }
    if let value = options.topK { fields.append(("top_k", .integer(value))) }
    if let value = options.minP { fields.append(("min_p", .number(value))) }
    if options.repetitionPenalty != 1 { fields.append(("repetition_penalty", .number(options.repetitionPenalty))) }
    if options.maxTokens < ReplyOptions.unlimited { fields.append(("max_tokens", .integer(options.maxTokens))) }
    let stops = options.stopStrings.filter { !$0.isEmpty }
    if !stops.isEmpty { fields.append(("stop", .array(stops.map { .string($0) }))) }
    if let form = options.form { fields.append(Self.form(form)) }
    return Array(OrderedJSON.object(fields).text.utf8)
  }

  private static func form(_ source: ReplyFormSource) -> (key: String, value: OrderedJSON) {
    switch source {
    case .grammar(let text): return ("grammar", .string(text))
    case .jsonObject: return ("response_format", .object([(key: "type", value: .string("json_object"))]))
    case .schema(let text):
      let schema: OrderedJSON
      // One that is none is for the server to refuse.
      do { schema = try OrderedJSON(utf8: text.utf8) } catch { schema = .string(text) }
      return (
        "response_format",
        .object([
          (key: "type", value: .string("json_schema")),
          (
            key: "json_schema",
            value: .object([
              (key: "name", value: .string("reply")), (key: "schema", value: schema),
              (key: "strict", value: .bool(true)),
            ])
          ),
        ])
      )
    }
  }

  // MARK: What does not fit

  /// The user's turns that the conversation may begin with instead, the earliest first: how many messages go then.
  var drops: [Int] {
    let systems = messages.prefix { $0.role == .system }.count
    return messages.indices.dropFirst(systems + 1).filter { messages[$0].role == .user }.map { $0 - systems }
  }

  /// The same without its oldest messages; the system prompt stays.
  func dropping(_ count: Int) -> ReplyCall {
    var call = self
    let systems = messages.prefix { $0.role == .system }.count
    call.messages.removeSubrange(systems..<(systems + count))
    return call
  }
}

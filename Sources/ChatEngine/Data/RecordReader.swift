import Foundation
import Tokenizer

/// Makes records of training data of JSON objects, in any of the spellings people have.
struct RecordReader {
  let purpose: DataFile.Purpose

  struct Reason: Error { var text: String }
  typealias Found = (format: DataFile.Format, records: [DataFile.Record])

  /// - Parameter source: the value's text, where it has one of its own: tools keep the order of their names.
  func records(in value: Any, source: Data?) throws(Reason) -> Found {
    guard let object = value as? [String: Any] else { throw Reason(text: "not a JSON object") }
    if let turns = object["messages"] {
      return (.messages, [try conversation(turns, of: object, source: source)])
    }
    if let turns = object["conversations"] ?? object["conversation"] {
      return (.shareGPT, [try conversation(turns, of: object, source: nil)])
    }
    if let found = try promptAndReply(object) { return found }
    if let instruction = object["instruction"] as? String { return try instructed(instruction, object) }
    if let text = object["text"] as? String {
      if text.isEmpty { throw Reason(text: "“text” is empty") }
      return (.text, [.text(text)])
    }
    throw Reason(
      text: "none of the fields messages, conversations, prompt, question, instruction or text is there")
  }

  // MARK: Instructions

  /// Alpaca's and self-instruct's fields.
  private func instructed(_ instruction: String, _ object: [String: Any]) throws(Reason) -> Found {
    func record(_ input: String, _ output: String) -> DataFile.Record {
      .conversation([
        ChatMessage(role: .user, content: input.isEmpty ? instruction : instruction + "\n\n" + input),
        ChatMessage(role: .assistant, content: output),
      ])
    }
    func isMissing(_ output: String) -> Bool { purpose == .training && Self.isBlank(output) }
    if let instances = object["instances"] as? [[String: Any]] {
      let found = instances.compactMap { instance -> DataFile.Record? in
        let output = instance["output"] as? String ?? ""
        return isMissing(output) ? nil : record(instance["input"] as? String ?? "", output)
      }
      if found.isEmpty { throw Reason(text: "no instance has an output") }
      return (.selfInstruct, found)
    }
    let output = (object["output"] ?? object["response"]) as? String ?? ""
    if isMissing(output) { throw Reason(text: "“instruction” without “output”") }
    return (.alpaca, [record(object["input"] as? String ?? "", output)])
  }

  // MARK: Prompts with their replies

  /// Fields of a prompt, and those that its reply may have.
  private static let pairs: [(prompt: String, replies: [String])] = [
    ("prompt", ["completion", "response", "chosen", "answer"]), ("question", ["answer", "response"]),
    ("query", ["response", "answer"]), ("input", ["output"]),
  ]

  /// A prompt and a reply, each a text or a list of turns; `nil` where an object is spelled otherwise.
  private func promptAndReply(_ object: [String: Any]) throws(Reason) -> Found? {
    if object["instruction"] is String { return nil }
    for (name, replies) in Self.pairs {
      guard let prompt = object[name], !(prompt is NSNull) else { continue }
      let reply = replies.lazy.compactMap { object[$0] }.first
      if reply == nil {
        if object["text"] != nil || name == "input" { continue }
        if purpose == .training { throw Reason(text: "“\(name)” without a reply (“\(replies[0])”)") }
        if let text = prompt as? String {
          if text.isEmpty { throw Reason(text: "“\(name)” is empty") }
          return (.prompt, [.text(text)])
        }
      }
      var turns = try Self.turns(prompt, role: "user", field: name)
      if let reply {
        let said = try Self.turns(reply, role: "assistant", field: replies.first { object[$0] != nil }!)
        // Preferences have the whole conversation on both sides.
        turns =
          said.count > turns.count && said.starts(with: turns, by: { $0 as NSDictionary == $1 as NSDictionary })
          ? said : turns + said
      }
      return (.prompt, [try conversation(turns, of: object, source: nil)])
    }
    return nil
  }

  private static func turns(_ value: Any, role: String, field: String) throws(Reason) -> [[String: Any]] {
    if let text = value as? String { return [["role": role, "content": text]] }
    guard let turns = value as? [[String: Any]] else {
      throw Reason(text: "“\(field)” is neither a text nor a list of turns")
    }
    return turns
  }

  // MARK: Conversations

  /// Who speaks, under the names that people use.
  private static let roles: [String: String] = [
    "user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant",
    "model": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "bot": "assistant",
    "system": "system", "developer": "system", "tool": "tool", "function": "tool", "observation": "tool",
    "function_response": "tool", "tool_response": "tool", "ipython": "tool", "function_call": "call",
    "tool_call": "call",
  ]

  private func conversation(
    _ value: Any, of object: [String: Any], source: Data?
  ) throws(Reason) -> DataFile.Record {
    guard var given = value as? [[String: Any]] else { throw Reason(text: "the turns are not a list of objects") }
    // Where nothing is spelled otherwise, templates get what is written.
    var isAsGiven = object["messages"] != nil
    if let system = (object["system"] ?? object["system_prompt"]) as? String, !system.isEmpty,
      given.first.map({ ($0["role"] ?? $0["from"]) as? String != "system" }) ?? true
    {
      given.insert(["role": "system", "content": system], at: 0)
      isAsGiven = false
    }
    var turns: [[String: Any]] = []
    for (index, turn) in given.enumerated() { turns.append(try Self.turn(turn, number: index + 1)) }
    let tools = Self.tools(object["tools"])
    let isPlain =
      tools == nil && turns.allSatisfy { Set($0.keys) == ["role", "content"] && $0["role"] as? String != "tool" }
    func learns(_ turn: [String: Any]) -> Bool { turn["role"] as? String == "assistant" && turn["weight"] == nil }
    if purpose == .training {
      if !turns.contains(where: learns) { throw Reason(text: "no turn of the assistant to learn from") }
      let isEmpty = turns.contains { turn in
        learns(turn) && turn["tool_calls"] == nil && Self.isBlank(turn["content"] as? String ?? "")
      }
      if isEmpty { throw Reason(text: "a reply is empty") }
    }
    if isPlain {
      let messages = turns.compactMap { turn -> ChatMessage? in
        guard let role = (turn["role"] as? String).flatMap(ChatMessage.Role.init),
          let content = turn["content"] as? String
        else { return nil }
        return ChatMessage(role: role, content: content)
      }
      return .conversation(messages)
    }
    isAsGiven =
      isAsGiven
      && zip(given, turns).allSatisfy { given, turn in
        given["role"] as? String == turn["role"] as? String
          && (given["content"] is String || given["content"] is NSNull)
          && (given["weight"] == nil) == (turn["weight"] == nil) && given["function_call"] == nil
      }
    var request: [String: Any] = ["messages": turns]
    if let tools { request["tools"] = tools }
    do {
      // Names in an order, whatever it is, make the same example every time.
      let data =
        try isAsGiven && source != nil
        ? source! : JSONSerialization.data(withJSONObject: request, options: .sortedKeys)
      return .request(try TemplateRequest(utf8: data))
    } catch { throw Reason(text: "\(error)") }
  }

  /// A turn as OpenAI spells it, its parts joined; with a weight only where it is not to be learned.
  private static func turn(_ turn: [String: Any], number: Int) throws(Reason) -> [String: Any] {
    guard let name = (turn["role"] ?? turn["from"] ?? turn["speaker"]) as? String else {
      throw Reason(text: "turn \(number) does not say who speaks (“role” or “from”)")
    }
    guard let role = roles[name.lowercased()] else {
      throw Reason(text: "a turn has the unknown role “\(name.prefix(20))”")
    }
    var result: [String: Any] = ["role": role == "call" ? "assistant" : role]
    for name in ["name", "tool_call_id", "tool_calls", "function_call", "reasoning_content", "thinking", "reasoning"] {
      if let value = turn[name], !(value is NSNull) { result[name] = value }
    }
    if let weight = turn["weight"] as? Double, weight == 0 { result["weight"] = 0 }
    if turn["train"] as? Bool == false { result["weight"] = 0 }
    let said = turn["content"] ?? turn["value"] ?? turn["text"]
    if role == "call" {
      guard let calls = (said as? String).flatMap(calls) else {
        throw Reason(text: "turn \(number) is a call of a tool that is not JSON with a “name”")
      }
      result["tool_calls"] = calls
      result["content"] = ""
      return result
    }
    switch said {
    case let text as String: result["content"] = text
    case let parts as [Any]: result["content"] = try joined(parts, number: number)
    case nil where result["tool_calls"] != nil || result["function_call"] != nil,
      is NSNull where result["tool_calls"] != nil || result["function_call"] != nil:
      result["content"] = ""
    default: throw Reason(text: "turn \(number) lacks a text (“content” or “value”)")
    }
    if let call = result.removeValue(forKey: "function_call"), result["tool_calls"] == nil {
      result["tool_calls"] = [["type": "function", "function": call] as [String: Any]]
    }
    return result
  }

  /// The parts of a message as one text, a line feed between them.
  private static func joined(_ parts: [Any], number: Int) throws(Reason) -> String {
    var texts: [String] = []
    for part in parts {
      if let text = part as? String {
        texts.append(text)
        continue
      }
      let object = part as? [String: Any] ?? [:]
      let kind = object["type"] as? String ?? "unknown"
      guard ["text", "input_text", "output_text"].contains(kind), let text = object["text"] as? String else {
        throw Reason(text: "turn \(number) has a part of the type “\(kind.prefix(20))”; only text can be learned")
      }
      texts.append(text)
    }
    return texts.joined(separator: "\n")
  }

  /// A call, or several, that are written as JSON in the text of a turn.
  private static func calls(_ text: String) -> [[String: Any]]? {
    guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8)) else { return nil }
    let calls = (value as? [String: Any]).map { [$0] } ?? value as? [[String: Any]] ?? []
    guard !calls.isEmpty, calls.allSatisfy({ $0["name"] is String }) else { return nil }
    return calls.map { call in
      ["type": "function", "function": ["name": call["name"]!, "arguments": call["arguments"] ?? [String: Any]()]]
    }
  }

  /// Tools as a list, which some write as JSON in a text; `nil` for none.
  private static func tools(_ value: Any?) -> [Any]? {
    var value = value
    if let text = value as? String { value = try? JSONSerialization.jsonObject(with: Data(text.utf8)) }
    guard let tools = value as? [Any], !tools.isEmpty else { return nil }
    return tools
  }

  private static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }
}

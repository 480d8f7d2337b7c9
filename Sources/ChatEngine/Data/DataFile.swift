import Foundation
import Tokenizer

/// Training data as people have it, read into conversations and texts.
///
/// JSON Lines, a JSON array, or plain text. Records are recognised one by one: `messages` (OpenAI), `conversations`
/// (ShareGPT), `instruction`/`input`/`output` (Alpaca), `instruction`/`instances` (self-instruct), `text`.
/// A record that cannot be used is named by its line and skipped.
public struct DataFile: Sendable {
  public enum Record: Sendable, Equatable {
    case text(String)
    case conversation([ChatMessage])
    /// With tools, tool calls or content in parts: for a model's own template.
    case request(TemplateRequest)
  }

  /// What a file is read for.
  public enum Purpose: Sendable {
    /// To learn its replies: every conversation has one.
    case training
    /// To have its questions answered: replies may be missing, and every line of plain text is a record.
    case prompts
  }

  /// How records are spelled.
  public enum Format: String, Sendable, CaseIterable {
    case messages, shareGPT = "ShareGPT", alpaca = "Alpaca", selfInstruct = "self-instruct", prompt, text, plainText =
      "plain text"
  }

  /// Where a record comes from.
  public struct Source: Sendable, Equatable {
    /// Line in the file, or place in its JSON array, from 1.
    public var line: Int
    public var format: Format
  }

  /// A record that was left out, and why.
  public struct Skipped: Sendable, Equatable, CustomStringConvertible {
    /// Line in the file, or place in its JSON array, from 1.
    public var line: Int
    public var isInArray = false
    public var reason: String
    public var description: String { "\(isInArray ? "element" : "line") \(line): \(reason)" }
  }

  public let url: URL
  public let records: [Record]
  /// Of each record.
  public let sources: [Source]
  public let skipped: [Skipped]

  /// The conversations of nothing but text.
  public var conversations: [[ChatMessage]] {
    records.compactMap { if case .conversation(let messages) = $0 { messages } else { nil } }
  }

  /// - Throws: `DataError`, also if not one record can be used.
  public init(_ url: URL, for purpose: Purpose = .training) throws(DataError) {
    self.url = url
    let data: Data
    do { data = try Data(contentsOf: url) } catch {
      throw .unreadable(
        file: url.path,
        cause: FileManager.default.fileExists(atPath: url.path)
          ? "it cannot be read" : "there is no such file")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw .unreadable(file: url.path, cause: "it is not UTF-8 text")
    }
    var records: [Record] = []
    var sources: [Source] = []
    var skipped: [Skipped] = []
    func take(_ value: Any, _ data: Data?, _ line: Int, isInArray: Bool = false) {
      switch Self.records(in: value, data, purpose) {
      case .success((let format, let found)):
        records += found
        sources += found.map { _ in Source(line: line, format: format) }
      case .failure(let reason): skipped.append(Skipped(line: line, isInArray: isInArray, reason: reason.text))
      }
    }
    let start = text.first { !$0.isWhitespace }
    if start == "[" {
      guard let array = try? JSONSerialization.jsonObject(with: data) as? [Any] else {
        throw .unreadable(file: url.path, cause: "it begins like a JSON array and is not one")
      }
      for (index, value) in array.enumerated() { take(value, nil, index + 1, isInArray: true) }
    } else if start == "{" {
      for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if line.allSatisfy(\.isWhitespace) { continue }
        guard let value = try? JSONSerialization.jsonObject(with: Data(line.utf8)) else {
          skipped.append(Skipped(line: index + 1, reason: "not valid JSON"))
          continue
        }
        take(value, Data(line.utf8), index + 1)
      }
    } else if purpose == .prompts {
      for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
      where !line.allSatisfy(\.isWhitespace) {
        records.append(.text(line.trimmingCharacters(in: .whitespaces)))
        sources.append(Source(line: index + 1, format: .plainText))
      }
    } else {
      // Plain text: paragraphs divided by empty lines.
      var line = 1
      for paragraph in text.split(separator: "\n\n", omittingEmptySubsequences: false) {
        if !paragraph.allSatisfy(\.isWhitespace) {
          records.append(.text(String(paragraph)))
          sources.append(Source(line: line + paragraph.prefix { $0.isNewline }.count, format: .plainText))
        }
        line += paragraph.count { $0.isNewline } + 2
      }
    }
    guard !records.isEmpty else {
      throw .nothingUsable(file: url.path, first: skipped.first?.description)
    }
    self.records = records
    self.sources = sources
    self.skipped = skipped
  }

  private struct Reason: Error { var text: String }

  /// - Parameter data: the value's text, where it has one of its own.
  private static func records(
    in value: Any, _ data: Data?, _ purpose: Purpose
  ) -> Result<(Format, [Record]), Reason> {
    guard let object = value as? [String: Any] else { return .failure(Reason(text: "not a JSON object")) }
    if let messages = object["messages"] {
      if needsTemplate(object) { return request(object, data).map { (.messages, [$0]) } }
      return conversation(messages, role: "role", content: "content", purpose).map { (.messages, [$0]) }
    }
    if let turns = object["conversations"] {
      return conversation(turns, role: "from", content: "value", purpose).map { (.shareGPT, [$0]) }
    }
    if purpose == .prompts, let prompt = object["prompt"] as? String {
      return prompt.isEmpty ? .failure(Reason(text: "“prompt” is empty")) : .success((.prompt, [.text(prompt)]))
    }
    if let instruction = object["instruction"] as? String {
      func record(_ input: String, _ output: String) -> Record {
        .conversation([
          ChatMessage(role: .user, content: input.isEmpty ? instruction : instruction + "\n\n" + input),
          ChatMessage(role: .assistant, content: output),
        ])
      }
      if let instances = object["instances"] as? [[String: Any]] {
        let found = instances.compactMap { instance -> Record? in
          let output = instance["output"] as? String ?? ""
          if output.isEmpty && purpose == .training { return nil }
          return record(instance["input"] as? String ?? "", output)
        }
        return found.isEmpty ? .failure(Reason(text: "no instance has an output")) : .success((.selfInstruct, found))
      }
      let output = (object["output"] ?? object["response"]) as? String ?? ""
      if output.isEmpty && purpose == .training { return .failure(Reason(text: "“instruction” without “output”")) }
      return .success((.alpaca, [record(object["input"] as? String ?? "", output)]))
    }
    if let text = object["text"] as? String {
      return text.isEmpty ? .failure(Reason(text: "“text” is empty")) : .success((.text, [.text(text)]))
    }
    return .failure(
      Reason(text: "none of the fields messages, conversations, instruction or text is there"))
  }

  /// Whether only a model's own template has a place for what a record says.
  private static func needsTemplate(_ object: [String: Any]) -> Bool {
    if let tools = object["tools"] as? [Any], !tools.isEmpty { return true }
    guard let turns = object["messages"] as? [[String: Any]] else { return false }
    return turns.contains { turn in
      if turn["tool_calls"] is [Any] || turn["content"] is [Any] || turn["reasoning_content"] is String { return true }
      return ["tool", "function", "developer"].contains(turn["role"] as? String)
    }
  }

  private static func request(_ object: [String: Any], _ data: Data?) -> Result<Record, Reason> {
    do {
      // Names in an order, whatever it is, make the same example every time.
      let data = try data ?? JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
      let request = try TemplateRequest(utf8: data)
      guard request.hasReply else { return .failure(Reason(text: "no turn of the assistant to learn from")) }
      return .success(.request(request))
    } catch { return .failure(Reason(text: "\(error)")) }
  }

  private static func conversation(
    _ value: Any, role: String, content: String, _ purpose: Purpose
  ) -> Result<Record, Reason> {
    guard let turns = value as? [[String: Any]] else {
      return .failure(Reason(text: "the turns are not a list of objects"))
    }
    var messages: [ChatMessage] = []
    for turn in turns {
      guard let name = turn[role] as? String, let text = turn[content] as? String else {
        return .failure(Reason(text: "a turn lacks “\(role)” or “\(content)”"))
      }
      switch name {
      case "user", "human": messages.append(ChatMessage(role: .user, content: text))
      case "assistant", "gpt", "model", "chatgpt": messages.append(ChatMessage(role: .assistant, content: text))
      case "system": messages.append(ChatMessage(role: .system, content: text))
      default: return .failure(Reason(text: "a turn has the unknown role “\(name.prefix(20))”"))
      }
    }
    guard purpose == .prompts || messages.contains(where: { $0.role == .assistant }) else {
      return .failure(Reason(text: "no turn of the assistant to learn from"))
    }
    return .success(.conversation(messages))
  }
}

/// Why a data file cannot be used. The description is one line: cause, file, remedy.
public enum DataError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(file: String, cause: String)
  case nothingUsable(file: String, first: String?)
  case allTooLong(file: String, contextLength: Int)
  case notALog(file: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let cause): "\(file): \(cause); name a JSON, JSON Lines or text file in UTF-8"
    case .nothingUsable(let file, let first):
      "\(file) has no usable example\(first.map { " (\($0))" } ?? ""); see `stitch adapt --help` for the formats"
    case .allTooLong(let file, let contextLength):
      "\(file) has no example that fits the context of \(contextLength) tokens; shorten the examples"
    case .notALog(let file): "\(file) is there and is not a log of losses; name another file with --log"
    }
  }
}

import Foundation
import LLaMAStitch

/// A conversation as a file for people or for other programs.
public enum ConversationExport {
  public enum Kind: Sendable { case markdown, json }

  /// What a file's ending asks for.
  /// - Throws: `ConversationError.exportKind`.
  public static func kind(of file: URL) throws(ConversationError) -> Kind {
    switch file.pathExtension.lowercased() {
    case "md", "markdown": .markdown
    case "json": .json
    default: throw .exportKind(file: file.path)
    }
  }

  /// Writes a new file; one that is there stays as it is.
  /// - Throws: `ConversationError.exportKind`, `.exportExists`, `.unwritable`.
  public static func write(_ conversation: SavedConversation, to file: URL) throws(ConversationError) {
    let content =
      switch try kind(of: file) {
      case .markdown: Array(markdown(conversation).utf8)
      case .json: Array(json(conversation))
      }
    let descriptor = open(file.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    if descriptor < 0 {
      if errno == EEXIST { throw .exportExists(file: file.path) }
      throw .unwritable(file.path, code: errno)
    }
    defer { close(descriptor) }
    var rest = content
    while !rest.isEmpty {
      let count = Foundation.write(descriptor, rest, rest.count)
      if count >= 0 {
        rest.removeFirst(count)
      } else if errno != EINTR {
        let code = errno
        // Half of it is of no use.
        unlink(file.path)
        throw .unwritable(file.path, code: code)
      }
    }
    if fsync(descriptor) != 0 { throw .unwritable(file.path, code: errno) }
  }

  // MARK: Markdown

  /// Headings, questions and replies, and under each reply what made it.
  public static func markdown(_ conversation: SavedConversation) -> String {
    var text = "# \(line(conversation.title ?? conversation.firstQuestion))\n\n"
    var about: [String] = []
    if !conversation.id.isEmpty { about.append(conversation.id) }
    if let family = conversation.family { about.append("family \(line(family.name))") }
    about.append(conversation.created.formatted(.iso8601))
    text += about.joined(separator: " · ") + "\n"
    if !conversation.settings.system.isEmpty {
      text += "\n## System\n\n\(harmless(conversation.settings.system))\n"
    }
    for item in conversation.items {
      switch item {
      case .user(let question): text += "\n## You\n\n\(harmless(question))\n"
      case .reply(let reply):
        text += "\n## Assistant\n\n"
        let body = harmless(reply.text).trimmingCharacters(in: .whitespacesAndNewlines)
        if !body.isEmpty { text += body + "\n\n" }
        text += "*\(label(reply))*\n"
      case .notice(let notice, _): text += "\n> \(line(notice))\n"
      }
    }
    return text
  }

  private static func label(_ reply: SavedConversation.Reply) -> String {
    var parts = [line(reply.stitch)]
    if let step = reply.adapter?.step { parts.append("step \(step)") }
    if let hash = reply.adapter?.hash { parts.append("adapter \(line(String(hash.prefix(8))))") }
    if let options = reply.options {
      parts.append("temperature \(options.temperature)")
      parts.append("seed \(options.seed)")
    }
    switch reply.end {
    case .finished(let stamp):
      parts.append("\(stamp.tokens) tokens")
      if stamp.finish != .stop { parts.append(stamp.finish == .length ? "cut" : "stopped") }
    case .failed(let message): parts.append("failed: \(line(message))")
    case .stopped, nil: parts.append("stopped")
    }
    return parts.joined(separator: " · ")
  }

  private static func line(_ text: String) -> String { oneLine(text, limit: 200) }

  /// Text without controls that a terminal would obey when the file is printed.
  private static func harmless(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
      scalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return String(scalars)
  }

  // MARK: JSON

  /// One document; its `messages` are what training and other programs take.
  struct Document: Encodable {
    struct Message: Encodable {
      var role: String
      var content: String
      var stitch: String?
      var adapter: AdapterReference?
      var sampling: ReplyOptions?
      var finish: String?
      var tokens: Int?
      var tokensPerSecond: Double?
    }

    var id: String?
    var title: String?
    var created: Date
    var family: FamilyReference?
    var parent: ConversationParent?
    var messages: [Message] = []

    init(_ conversation: SavedConversation) {
      id = conversation.id.isEmpty ? nil : conversation.id
      title = conversation.title
      created = conversation.created
      family = conversation.family
      parent = conversation.parent
      let system = conversation.settings.system
      if !system.isEmpty { messages.append(Message(role: "system", content: system)) }
      for item in conversation.items {
        switch item {
        case .user(let text): messages.append(Message(role: "user", content: text))
        case .reply(let reply) where !reply.text.isEmpty:
          var message = Message(role: "assistant", content: reply.text)
          message.stitch = reply.stitch
          message.adapter = reply.adapter
          message.sampling = reply.options
          if case .finished(let stamp)? = reply.end {
            message.finish = stamp.finish.rawValue
            message.tokens = stamp.tokens
            message.tokensPerSecond = stamp.tokensPerSecond
          } else {
            message.finish = ReplyStamp.Finish.cancelled.rawValue
          }
          messages.append(message)
        default: break
        }
      }
    }
  }

  public static func json(_ conversation: SavedConversation) -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do { return try encoder.encode(Document(conversation)) + Data("\n".utf8) } catch {
      preconditionFailure("a conversation is made of texts and numbers: \(error)")
    }
  }
}

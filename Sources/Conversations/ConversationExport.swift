import ChatEngine
import Foundation
import Support

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
      case .user(let question, _): text += "\n## You\n\n\(harmless(question))\n"
      case .reply(let reply): text += "\n## Assistant\n" + self.body(reply)
      case .comparison(let comparison):
        text += "\n## Assistant, at \(comparison.stitches.count) sizes\n"
        for (index, reply) in comparison.replies.enumerated() {
          let mark = index == comparison.inUse ? ", which the conversation goes on with" : ""
          text += "\n### \(index + 1): \(line(reply.stitch))\(mark)\n" + self.body(reply)
        }
      case .notice(let notice, _): text += "\n> \(line(notice))\n"
      }
    }
    return text
  }

  private static func body(_ reply: SavedReply) -> String {
    let text = harmless(reply.text).trimmingCharacters(in: .whitespacesAndNewlines)
    return (text.isEmpty ? "" : "\n" + text + "\n") + "\n*\(label(reply))*\n"
  }

  private static func label(_ reply: SavedReply) -> String {
    var parts = [line(reply.stitch)]
    if let step = reply.adapter?.step { parts.append("step \(step)") }
    if let hash = reply.adapter?.hash { parts.append("adapter \(line(String(hash.prefix(8))))") }
    if let origin = reply.adapter?.origin { parts.append("made of \(line(origin.text))") }
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
      /// Of a user's message, whose text ends it.
      var files: [MessageFile]?
      var stitch: String?
      var adapter: AdapterReference?
      var sampling: ReplyOptions?
      var finish: String?
      var tokens: Int?
      var tokensPerSecond: Double?
      /// Of a comparison, the replies that the conversation does not go on with.
      var alternatives: [Message]?

      init(role: String, content: String) {
        self.role = role
        self.content = content
      }

      init(_ reply: SavedReply) {
        self.init(role: "assistant", content: reply.text)
        stitch = reply.stitch
        adapter = reply.adapter
        sampling = reply.options
        if case .finished(let stamp)? = reply.end {
          finish = stamp.finish.rawValue
          tokens = stamp.tokens
          tokensPerSecond = stamp.tokensPerSecond
        } else {
          finish = ReplyStamp.Finish.cancelled.rawValue
        }
      }
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
        if case .user(let text, let files) = item {
          var message = Message(role: "user", content: text)
          message.files = files.isEmpty ? nil : files
          messages.append(message)
        }
        guard let reply = item.reply, !reply.text.isEmpty else { continue }
        var message = Message(reply)
        if case .comparison(let comparison) = item {
          message.alternatives = comparison.replies.indices.filter { $0 != comparison.inUse }
            .map { Message(comparison.replies[$0]) }
        }
        messages.append(message)
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

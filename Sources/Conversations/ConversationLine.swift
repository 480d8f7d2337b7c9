import ChatEngine
import Foundation
import Support

/// A record as a line of JSON. Fields that a type of record does not have are left out.
struct ConversationLine: Codable {
  static let currentFormat = 1

  var type: String
  // conversation
  var format: Int?
  var id: String?
  var created: Date?
  var program: String?
  var family: FamilyReference?
  var parent: ConversationParent?
  // settings
  var settings: ConversationSettings?
  // user, text, notice, title; why a reply failed
  var text: String?
  var isWarning: Bool?
  // user
  var files: [MessageFile]?
  // reply
  var stitch: String?
  var adapter: AdapterReference?
  var sampling: ReplyOptions?
  var continues: Bool?
  // end
  var finish: String?
  var tokens: Int?
  var tokensPerSecond: Double?
  var contextTokens: Int?
  var droppedMessages: Int?
  // compare
  var stitches: [String]?
  // keep
  var column: Int?
  // drop
  var keep: Int?

  private init(_ type: String, text: String? = nil) {
    self.type = type
    self.text = text
  }

  // MARK: Writing

  /// The first line of a file.
  static func header(
    id: String, created: Date, program: String, family: FamilyReference?, parent: ConversationParent?
  ) -> [UInt8] {
    var line = ConversationLine("conversation")
    line.format = currentFormat
    line.id = id
    line.created = created
    line.program = program
    line.family = family
    line.parent = parent
    return line.encoded
  }

  /// The line of a record that is no beginning.
  static func encode(_ record: ConversationRecord) -> [UInt8] {
    var line: ConversationLine
    switch record {
    case .begin: preconditionFailure("a conversation's first line has its id")
    case .settings(let settings):
      line = ConversationLine("settings")
      line.settings = settings
    case .user(let text, let files):
      line = ConversationLine("user", text: text)
      line.files = files.isEmpty ? nil : files
    case .reply(let start):
      line = ConversationLine("reply")
      line.stitch = start.stitch
      line.adapter = start.adapter
      line.sampling = start.options
      line.continues = start.continues ? true : nil
    case .compare(let stitches):
      line = ConversationLine("compare")
      line.stitches = stitches
    case .keep(let column):
      line = ConversationLine("keep")
      line.column = column
    // The most frequent one by far, and the one for which time counts.
    case .text(let text): return textPrefix + escaped(text) + textSuffix
    case .end(.finished(let stamp)):
      line = ConversationLine("end")
      line.finish = stamp.finish.rawValue
      line.stitch = stamp.stitch
      line.adapter = stamp.adapter
      line.tokens = stamp.tokens
      line.tokensPerSecond = stamp.tokensPerSecond.isFinite ? stamp.tokensPerSecond : 0
      line.contextTokens = stamp.contextTokens
      line.droppedMessages = stamp.droppedMessages
    case .end(.stopped):
      line = ConversationLine("end")
      line.finish = "stopped"
    case .end(.failed(let message)):
      line = ConversationLine("end", text: message)
      line.finish = "failed"
    case .notice(let text, let isWarning):
      line = ConversationLine("notice", text: text)
      line.isWarning = isWarning
    case .title(let text): line = ConversationLine("title", text: text)
    case .drop(let keep):
      line = ConversationLine("drop")
      line.keep = keep
    }
    return line.encoded
  }

  private var encoded: [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    } catch {
      preconditionFailure("a record is made of texts and finite numbers: \(error)")
    }
  }

  private static let textPrefix = Array(#"{"type":"text","text":""#.utf8)
  private static let textSuffix = Array("\"}\n".utf8)

  /// The inside of a JSON string.
  private static func escaped(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += Array(#"\n"#.utf8)
      case 0..<0x20, 0x7F: bytes += Array(String(format: "\\u%04x", Int(byte)).utf8)
      default: bytes.append(byte)
      }
    }
    return bytes
  }

  // MARK: Reading

  /// Why a line is no record of this format.
  struct Damage: Error { var cause: String }

  /// What a line other than the first says.
  static func decode(_ bytes: ArraySlice<UInt8>) throws(Damage) -> ConversationRecord {
    if let text = plainText(bytes) { return .text(text) }
    let line = try read(bytes)
    func need<Value>(_ value: Value?) throws(Damage) -> Value {
      guard let value else { throw Damage(cause: "a field of “\(line.type)” is missing") }
      return value
    }
    switch line.type {
    case "settings":
      let settings = try need(line.settings)
      try check(settings.sampling)
      guard settings.forgotten?.isCount != false else { throw Damage(cause: "“forgotten” cannot be") }
      return .settings(settings)
    case "user":
      let files = line.files ?? []
      guard files.allSatisfy({ $0.bytes.isCount && $0.tokens.isCount && $0.length.isCount }) else {
        throw Damage(cause: "what “files” says of them cannot be")
      }
      return .user(try need(line.text), files: files)
    case "text": return .text(try need(line.text))
    case "title": return .title(try need(line.text))
    case "notice": return .notice(try need(line.text), isWarning: line.isWarning ?? false)
    case "reply":
      if let sampling = line.sampling { try check(sampling) }
      return .reply(
        .init(
          stitch: try need(line.stitch), adapter: line.adapter, options: line.sampling,
          continues: line.continues ?? false))
    case "compare":
      let stitches = try need(line.stitches)
      guard !stitches.isEmpty else { throw Damage(cause: "“stitches” is empty") }
      return .compare(stitches: stitches)
    case "keep":
      let column = try need(line.column)
      guard column >= 1 else { throw Damage(cause: "“column” is \(column)") }
      return .keep(column)
    case "end":
      switch try need(line.finish) {
      case "stopped": return .end(.stopped)
      case "failed": return .end(.failed(try need(line.text)))
      case let name:
        guard let finish = ReplyStamp.Finish(rawValue: name) else { throw Damage(cause: "unknown finish “\(name)”") }
        guard [line.tokens, line.contextTokens, line.droppedMessages].allSatisfy({ $0?.isCount != false }) else {
          throw Damage(cause: "a number of “end” cannot be")
        }
        return .end(
          .finished(
            ReplyStamp(
              stitch: try need(line.stitch), adapterStep: line.adapter?.step, tokens: try need(line.tokens),
              tokensPerSecond: try need(line.tokensPerSecond), finish: finish,
              contextTokens: try need(line.contextTokens), droppedMessages: line.droppedMessages ?? 0,
              adapterHash: line.adapter?.hash, adapterOrigin: line.adapter?.origin)))
      }
    case "drop":
      let keep = try need(line.keep)
      guard keep >= 0 else { throw Damage(cause: "“keep” is negative") }
      return .drop(keep: keep)
    default: throw Damage(cause: "unknown record “\(line.type)”")
    }
  }

  /// Reads any line.
  static func read(_ bytes: ArraySlice<UInt8>) throws(Damage) -> ConversationLine {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.dateDecodingStrategy = .iso8601
    do {
      return try decoder.decode(ConversationLine.self, from: Data(bytes))
    } catch {
      throw Damage(cause: "not a record")
    }
  }

  /// Fast reading of nearly all lines: pieces of text in which nothing is escaped.
  private static func plainText(_ bytes: ArraySlice<UInt8>) -> String? {
    let suffix = textSuffix.dropLast()
    guard bytes.count >= textPrefix.count + suffix.count, bytes.starts(with: textPrefix),
      bytes.suffix(suffix.count).elementsEqual(suffix)
    else { return nil }
    let text = bytes.dropFirst(textPrefix.count).dropLast(suffix.count)
    guard text.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) else { return nil }
    return String(validating: text, as: UTF8.self)
  }

  /// The sampler is checked whenever a reply begins, its length is not.
  private static func check(_ options: ReplyOptions) throws(Damage) {
    if options.maxTokens < 1 { throw Damage(cause: "max_tokens is \(options.maxTokens)") }
  }
}

import ChatEngine
import Support

/// What can go wrong with saved conversations. The description is one line: cause, file, remedy.
public enum ConversationError: Error, Equatable, Sendable, CustomStringConvertible {
  case noneYet(directory: String)
  case noneOfFamily(name: String, directory: String)
  case notAnID(String)
  case unknown(id: String, directory: String)
  case ambiguous(prefix: String, matches: [String])
  /// Only the whole id will do, because the file will be gone.
  case incompleteID(String, whole: String)
  case inUse(id: String)
  case unreadable(file: String, cause: String, remedy: String)
  case unwritable(file: String, cause: String, remedy: String)
  /// The first line is missing, or is that of something else.
  case notAConversation(file: String)
  case unknownFormat(file: String, format: Int)
  case exportExists(file: String)
  case exportKind(file: String)

  public var description: String {
    switch self {
    case .noneYet(let directory):
      "no conversation is saved in \(oneLine(directory)) yet; begin one with `stitch chat`"
    case .noneOfFamily(let name, let directory):
      "no conversation with the family \(oneLine(name)) is saved in \(oneLine(directory)) yet; leave --resume out, or name one (`stitch conversations` lists them)"
    case .notAnID(let name):
      "“\(oneLine(name, limit: 60))” is no conversation's id, such as 20261121-143205-ab12 or its beginning; `stitch conversations` lists them"
    case .unknown(let id, let directory):
      "no conversation in \(oneLine(directory)) has an id that begins with \(id); `stitch conversations` lists them"
    case .ambiguous(let prefix, let matches):
      "\(prefix) fits \(matches.count) conversations (\(matches.prefix(3).joined(separator: ", "))\(matches.count > 3 ? ", …" : "")); give more of the id"
    case .incompleteID(let given, let whole):
      "\(given) is only the beginning of an id; to delete that conversation, give all of it: \(whole)"
    case .inUse(let id): "conversation \(id) is open in another program; close it there first"
    case .unreadable(let file, let cause, let remedy): "cannot read \(oneLine(file)): \(cause); \(remedy)"
    case .unwritable(let file, let cause, let remedy): "cannot write \(oneLine(file)): \(cause); \(remedy)"
    case .notAConversation(let file):
      "\(oneLine(file)) is no saved conversation: its first line does not say so; remove it, or restore the file from a backup"
    case .unknownFormat(let file, let format):
      "\(oneLine(file)) has format \(format), this program reads \(ConversationLine.currentFormat); use a newer program"
    case .exportExists(let file): "\(oneLine(file)) exists already; name another file"
    case .exportKind(let file):
      "the ending of \(oneLine(file)) does not say what to write; use .md for Markdown or .json for JSON"
    }
  }

  static func unreadable(_ file: String, code: Int32) -> ConversationError {
    let reason = SystemErrorText(code: code)
    return .unreadable(file: file, cause: "\(reason)", remedy: reason.remedy)
  }

  static func unwritable(_ file: String, code: Int32) -> ConversationError {
    let reason = SystemErrorText(code: code)
    return .unwritable(file: file, cause: "\(reason)", remedy: reason.remedy)
  }
}

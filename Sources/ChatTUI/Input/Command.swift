import ChatEngine
import Support

/// What can be written after a slash.
package enum Command: Sendable, Equatable {
  case help
  /// `nil`: list the stops.
  case stitch(String?)
  /// - Parameter distills: whether the largest size teaches.
  case train(file: String, steps: Int?, distills: Bool = false)
  /// List the data files that come with the family.
  case lessons
  /// `nil`: the usual target.
  case auto(Double?)
  case autoOff
  /// Stops by name or number, none for the usual ones; the last question where there is no text.
  case compare(stops: [String], text: String?)
  case keep(Int)
  case pause, resume, save, stop, undo
  case adapters(AdapterCommand)
  case set(name: String, value: String)
  case showSettings
  /// `nil`: show it.
  case system(String?)
  case clear, regen, quit
  case search(String)
  case copy(CopyTarget)
  case edit(EditTarget)
  case continueReply
  case drop(DropTarget)
  case file(FileCommand)

  package enum AdapterCommand: Sendable, Equatable {
    case list
    /// By name alone.
    case use(String)
    /// - Parameter percent: what the right one counts; `nil`: half.
    case mix(left: String, right: String, percent: Int?)
  }
  package enum CopyTarget: Sendable, Equatable {
    case reply
    /// Counted from the end, from 1.
    case message(Int)
    case code(Int)
  }
  package enum EditTarget: Sendable, Equatable {
    /// The user's turn, counted from the end, from 1.
    case turn(Int)
    case text(String)
    case undo
  }
  package enum FileCommand: Sendable, Equatable {
    case list
    case add([String])
    /// By number from 1 or by path; none: all.
    case remove([String])
    /// What is too long is to be cut.
    case cut
  }
  package enum DropTarget: Sendable, Equatable {
    /// Whatever does not fit, from now on.
    case oldest
    case count(Int)
  }
  /// A list of saved conversations that hold a text.
  case chats(String)
  /// `nil`: choose from the list.
  case open(String?)
  /// `nil`: all messages.
  case branch(Int?)
  /// `nil`: show it.
  case title(String?)
  case export(String)
}

extension Command {
  /// It is about what a model on this machine alone can do.
  var needsLocalModel: Bool {
    switch self {
    case .train, .lessons, .pause, .resume, .save, .stop, .undo, .adapters: true
    default: false
    }
  }
}

/// Why a line that begins with a slash is no command; one line for the user.
package struct CommandError: Error, Equatable {
  package var message: String
}

extension Command {
  /// What Tab completes after a command's name.
  package enum Completion: Sendable {
    case file
    /// A file or the name of a lesson.
    case data
  }

  /// A command's name, what follows it, and what it does: the table behind `/help` and completion.
  package struct Usage: Sendable {
    package var name: String
    package var arguments: String
    package var help: String
    /// Makes sense only where there is a screen.
    package var needsScreen = false
    /// What its last argument names, where Tab can complete that.
    package var completes: Completion?
  }

  /// The usage of the command that a line names.
  static func usage(of line: String) -> Usage? {
    let name = line.dropFirst().prefix { !$0.isWhitespace }.lowercased()
    return usages.first { $0.name == name }
  }

  package static let usages: [Usage] = [
    Usage(
      name: "stitch", arguments: "[N|ID]", help: "use stop N of the slider, or the stitch of that name; alone: list"),
    Usage(
      name: "auto", arguments: "[TOK/S|off]",
      help:
        "use the best size that makes so many tokens a second (alone: 20, or the configuration's “auto”), as measured after each reply"
    ),
    Usage(
      name: "compare", arguments: "[A B [C]] [-- TEXT]",
      help: "answer TEXT or the last question at several sizes side by side; alone: smallest, middle, largest"),
    Usage(name: "keep", arguments: "N", help: "make reply N of the comparison the one the conversation goes on with"),
    Usage(
      name: "train", arguments: "[FILE [STEPS]]",
      help: "adapt all sizes to a data file or a lesson in the background; alone: list the lessons", completes: .data),
    Usage(
      name: "distill", arguments: "FILE [STEPS]",
      help: "let the largest size teach the others on what a data file or a text holds, in the background",
      completes: .data),
    Usage(name: "pause", arguments: "", help: "pause training"),
    Usage(name: "resume", arguments: "", help: "resume training"),
    Usage(name: "save", arguments: "", help: "use what was learned so far from the next reply on"),
    Usage(name: "stop", arguments: "", help: "stop training and keep what was learned"),
    Usage(name: "undo", arguments: "", help: "go back to the weights in use before the last /save or /stop"),
    Usage(
      name: "adapters", arguments: "[A [B [%]]]",
      help:
        "mix what the family was taught: B to so many percent (alone: half), the rest A, from the next reply on; A alone: use it; alone: list"
    ),
    Usage(
      name: "set", arguments: "[NAME VALUE]",
      help:
        "temperature, top_p, top_k, min_p, repeat, max_tokens, seed, overflow (ask, oldest); theme, mouse, ascii; alone: show"
    ),
    Usage(name: "system", arguments: "[TEXT]", help: "set the system prompt; alone: show it; “-” removes it"),
    Usage(
      name: "file", arguments: "[FILE…|- [N]]",
      help: "send files of text with the next message, as @FILE in it does; - takes them away; alone: list",
      completes: .file),
    Usage(name: "regen", arguments: "", help: "answer the last question again, at the size chosen now"),
    Usage(name: "continue", arguments: "", help: "go on with the last reply"),
    Usage(
      name: "edit", arguments: "[N|TEXT]",
      help: "send your last message (or the Nth from the end) anew, changed; /edit undo brings the old one back"),
    Usage(name: "search", arguments: "[TEXT]", help: "find text in the conversation", needsScreen: true),
    Usage(
      name: "copy", arguments: "[N|code [N]]",
      help: "copy the last reply, message N counted from the end, or a block of code", needsScreen: true),
    Usage(name: "drop", arguments: "N|oldest", help: "forget the oldest N messages, or always what does not fit"),
    Usage(name: "clear", arguments: "", help: "begin a new conversation; this one stays saved"),
    Usage(name: "chats", arguments: "[TEXT]", help: "saved conversations: type to search them, Enter opens one"),
    Usage(name: "open", arguments: "[ID]", help: "go on with the saved conversation whose id begins like this"),
    Usage(name: "branch", arguments: "[N]", help: "a new conversation with the first N messages; alone: with all"),
    Usage(name: "title", arguments: "[TEXT]", help: "give the conversation a title; alone: show it; “-” removes it"),
    Usage(
      name: "export", arguments: "FILE", help: "write the conversation to a new .md or .json file", completes: .file),
    Usage(name: "help", arguments: "", help: "keys and commands"),
    Usage(name: "quit", arguments: "", help: "leave"),
  ]

  /// Whether a line is meant as a command: a slash and a letter. Two slashes begin an ordinary message.
  package static func isCommand(_ line: String) -> Bool {
    guard line.first == "/", let second = line.dropFirst().first else { return line == "/" }
    return second.isLetter || second == "?"
  }

  /// Reads a line for which `isCommand` holds.
  package static func parse(_ line: String) throws(CommandError) -> Command {
    let body = line.dropFirst()
    let name = String(body.prefix { !$0.isWhitespace }).lowercased()
    let rest = body.drop { !$0.isWhitespace }.trimmingWhitespace
    let words = rest.split(whereSeparator: \.isWhitespace).map(String.init)
    switch name {
    case "help", "?", "h": return .help
    case "stitch" where words == ["auto"]: return .auto(nil)
    case "stitch", "size":
      if words.count > 1 { throw CommandError(message: "/stitch takes one name or number") }
      return .stitch(words.first)
    case "auto": return try parseAuto(words)
    case "compare": return try parseCompare(rest)
    case "keep":
      guard words.count == 1, let number = Int(words[0]), number > 0 else {
        throw CommandError(message: "/keep takes the number of a reply: /keep 1")
      }
      return .keep(number)
    case "train": return rest.isEmpty ? .lessons : try parseTrain(rest, name)
    case "distill": return try parseTrain(rest, name)
    case "pause": return .pause
    case "resume": return .resume
    case "save": return .save
    case "stop": return .stop
    case "undo", "rollback": return .undo
    case "adapters", "adapter", "mix": return .adapters(try parseAdapters(words))
    case "set":
      if words.isEmpty { return .showSettings }
      guard words.count == 2 else {
        throw CommandError(message: "/set takes a name and a value: /set temperature 0.7")
      }
      return .set(name: words[0].lowercased(), value: words[1])
    case "system": return .system(rest.isEmpty ? nil : rest)
    case "file", "files", "attach": return .file(parseFile(PathWords.split(rest)))
    case "clear", "new": return .clear
    case "regen": return .regen
    case "search", "find": return .search(rest)
    case "copy": return .copy(try parseCopy(words))
    case "edit":
      if rest == "undo" { return .edit(.undo) }
      return .edit(rest.isEmpty ? .turn(1) : Int(rest).map(EditTarget.turn) ?? .text(rest))
    case "continue": return .continueReply
    case "drop":
      if rest == "oldest" { return .drop(.oldest) }
      guard let count = Int(rest), count > 0 else {
        throw CommandError(message: "/drop takes a number of messages, or “oldest”: /drop 4")
      }
      return .drop(.count(count))
    case "chats", "list", "conversations": return .chats(rest)
    case "open":
      if words.count > 1 { throw CommandError(message: "/open takes one id; /chats finds conversations by text") }
      return .open(words.first)
    case "branch":
      if words.isEmpty { return .branch(nil) }
      guard words.count == 1, let turns = Int(words[0]) else {
        throw CommandError(message: "/branch takes the number of a message, or nothing: /branch 4")
      }
      return .branch(turns)
    case "title": return .title(rest.isEmpty ? nil : rest)
    case "export":
      let file = unquoted(rest)
      if file.isEmpty { throw CommandError(message: "/export needs a file: /export chat.md") }
      return .export(file)
    case "quit", "exit", "q": return .quit
    default:
      let nearest = nearestName(to: name, among: usages.map(\.name), within: (name.count + 1) / 2)
      let hint = nearest.map { "did you mean /\($0)?" } ?? "/help lists them"
      throw CommandError(message: "no command /\(name); \(hint) (a message may begin with //)")
    }
  }

  private static func parseTrain(_ rest: String, _ name: String) throws(CommandError) -> Command {
    var file = rest
    var steps: Int?
    if let space = rest.lastIndex(where: \.isWhitespace), let number = Int(rest[rest.index(after: space)...]) {
      steps = number
      file = String(rest[..<space]).trimmingWhitespace
    }
    file = unquoted(file)
    if file.isEmpty { throw CommandError(message: "/\(name) needs a data file before the steps: /\(name) facts 300") }
    if let steps, steps < 1 { throw CommandError(message: "/\(name) takes at least 1 step") }
    return .train(file: file, steps: steps, distills: name == "distill")
  }

  private static func parseFile(_ words: [String]) -> FileCommand {
    if words.isEmpty { return .list }
    if words[0] == "-" { return .remove(Array(words.dropFirst())) }
    return words == ["cut"] ? .cut : .add(words)
  }

  private static func parseAdapters(_ words: [String]) throws(CommandError) -> AdapterCommand {
    if words.isEmpty { return .list }
    if words.count == 1 { return .use(words[0]) }
    let percent = words.count < 3 ? nil : Int(words[2].hasSuffix("%") ? String(words[2].dropLast()) : words[2])
    guard words.count == 2 || (words.count == 3 && (0...100).contains(percent ?? -1)) else {
      throw CommandError(message: "/adapters takes two adapters and what the second counts: /adapters own 1a2b3c4d 40")
    }
    return .mix(left: words[0], right: words[1], percent: percent)
  }

  private static func parseCopy(_ words: [String]) throws(CommandError) -> CopyTarget {
    let isCode = words.first?.lowercased() == "code"
    let numbers = isCode ? words.dropFirst() : words[...]
    if numbers.isEmpty { return isCode ? .code(1) : .reply }
    guard numbers.count == 1, let number = Int(numbers.first!), number > 0 else {
      throw CommandError(message: "/copy takes a number, or “code” and a number: /copy code 2")
    }
    return isCode ? .code(number) : .message(number)
  }

  /// A file name without the quotes around it.
  private static func unquoted(_ file: String) -> String {
    guard file.count > 1, let quote = file.first, quote == "\"" || quote == "'", file.last == quote else { return file }
    return String(file.dropFirst().dropLast())
  }

  private static func parseAuto(_ words: [String]) throws(CommandError) -> Command {
    if words.isEmpty { return .auto(nil) }
    if words == ["off"] { return .autoOff }
    guard words.count == 1, let target = Double(words[0]), target > 0, target.isFinite else {
      throw CommandError(message: "/auto takes tokens per second, or off: /auto 50")
    }
    return .auto(target)
  }

  private static func parseCompare(_ rest: String) throws(CommandError) -> Command {
    var names = rest
    var text: String?
    if let mark = rest.firstRange(of: /(^|\s)--(\s|$)/) {
      names = String(rest[..<mark.lowerBound])
      text = rest[mark.upperBound...].trimmingWhitespace
      if text?.isEmpty == true { throw CommandError(message: "after -- comes the text: /compare 1 9 -- who are you?") }
    }
    let stops = names.split(whereSeparator: \.isWhitespace).map(String.init)
    guard stops.isEmpty || (2...3).contains(stops.count) else {
      throw CommandError(message: "/compare takes two or three sizes, by number or name: /compare 1 9")
    }
    return .compare(stops: stops, text: text)
  }

  /// What Tab makes of a line: the longest beginning that all matching commands share.
  package static func complete(_ line: String) -> String? {
    guard line.first == "/", !line.contains(where: \.isWhitespace) else { return nil }
    let matches = usages.filter { $0.name.hasPrefix(line.dropFirst()) }
    guard let first = matches.first else { return nil }
    if matches.count == 1 { return "/" + first.name + (first.arguments.isEmpty ? "" : " ") }
    let shared = matches.dropFirst().reduce(first.name) { $0.commonPrefix(with: $1.name) }
    return "/" + shared
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  package var trimmingWhitespace: String {
    var slice = self[...]
    while slice.first?.isWhitespace == true { slice = slice.dropFirst() }
    while slice.last?.isWhitespace == true { slice = slice.dropLast() }
    return String(slice)
  }

  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}

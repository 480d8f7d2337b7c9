/// What can be written after a slash.
package enum Command: Sendable, Equatable {
  case help
  /// `nil`: list the stops.
  case stitch(String?)
  case train(file: String, steps: Int?)
  /// List the data files that come with the family.
  case lessons
  /// `nil`: the usual target.
  case auto(Double?)
  case autoOff
  /// Stops by name or number, none for the usual ones; the last question where there is no text.
  case compare(stops: [String], text: String?)
  case keep(Int)
  case pause, resume, save, stop, undo
  case set(name: String, value: String)
  case showSettings
  /// `nil`: show it.
  case system(String?)
  case clear, regen, quit
}

/// Why a line that begins with a slash is no command; one line for the user.
package struct CommandError: Error, Equatable {
  package var message: String
}

extension Command {
  /// A command's name, what follows it, and what it does: the table behind `/help` and completion.
  package struct Usage: Sendable {
    package var name: String
    package var arguments: String
    package var help: String
  }

  package static let usages: [Usage] = [
    Usage(
      name: "stitch", arguments: "[N|ID]", help: "use stop N of the slider, or the stitch of that name; alone: list"),
    Usage(
      name: "auto", arguments: "[TOK/S|off]",
      help: "use the best size that makes so many tokens a second (alone: 20), as measured after each reply"),
    Usage(
      name: "compare", arguments: "[A B [C]] [-- TEXT]",
      help: "answer TEXT or the last question at several sizes side by side; alone: smallest, middle, largest"),
    Usage(name: "keep", arguments: "N", help: "make reply N of the comparison the one the conversation goes on with"),
    Usage(
      name: "train", arguments: "[FILE [STEPS]]",
      help: "adapt all sizes to a data file or a lesson in the background; alone: list the lessons"),
    Usage(name: "pause", arguments: "", help: "pause training"),
    Usage(name: "resume", arguments: "", help: "resume training"),
    Usage(name: "save", arguments: "", help: "use what was learned so far from the next reply on"),
    Usage(name: "stop", arguments: "", help: "stop training and keep what was learned"),
    Usage(name: "undo", arguments: "", help: "go back to the weights in use before the last /save or /stop"),
    Usage(
      name: "set", arguments: "[NAME VALUE]",
      help: "temperature, top_p, top_k, min_p, repeat, max_tokens, seed; alone: show"),
    Usage(name: "system", arguments: "[TEXT]", help: "set the system prompt; alone: show it; “-” removes it"),
    Usage(name: "regen", arguments: "", help: "answer the last question again, at the size chosen now"),
    Usage(name: "clear", arguments: "", help: "forget the conversation"),
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
    case "train": return rest.isEmpty ? .lessons : try parseTrain(rest)
    case "pause": return .pause
    case "resume": return .resume
    case "save": return .save
    case "stop": return .stop
    case "undo", "rollback": return .undo
    case "set":
      if words.isEmpty { return .showSettings }
      guard words.count == 2 else {
        throw CommandError(message: "/set takes a name and a value: /set temperature 0.7")
      }
      return .set(name: words[0].lowercased(), value: words[1])
    case "system": return .system(rest.isEmpty ? nil : rest)
    case "clear", "new": return .clear
    case "regen": return .regen
    case "quit", "exit", "q": return .quit
    default:
      let nearest = usages.map(\.name).min { distance(name, $0) < distance(name, $1) } ?? "help"
      throw CommandError(message: "no command /\(name); did you mean /\(nearest)? (a message may begin with //)")
    }
  }

  private static func parseTrain(_ rest: String) throws(CommandError) -> Command {
    var file = rest
    var steps: Int?
    if let space = rest.lastIndex(where: \.isWhitespace), let number = Int(rest[rest.index(after: space)...]) {
      steps = number
      file = String(rest[..<space]).trimmingWhitespace
    }
    if file.count > 1, let quote = file.first, quote == "\"" || quote == "'", file.last == quote {
      file = String(file.dropFirst().dropLast())
    }
    if file.isEmpty { throw CommandError(message: "/train needs a data file before the steps: /train facts 300") }
    if let steps, steps < 1 { throw CommandError(message: "/train takes at least 1 step") }
    return .train(file: file, steps: steps)
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

  /// Edits (insert, delete, change, swap of neighbours) between two words.
  static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a)
    let b = Array(b)
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
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

import Foundation

/// Completes the path at the end of a command that takes one, or behind an `@` in a message.
package enum PathCompletion {
  /// What stands before a path that is begun, the quotation mark around it, and the path.
  private typealias Begun = (head: Substring, quote: Character?, path: Substring)

  /// Whether a line has a path to complete.
  /// - Parameter mentions: whether an `@` begins one.
  package static func applies(to line: String, mentions: Bool = true) -> Bool {
    split(line) != nil && (mentions || Command.isCommand(line))
  }

  private static func split(_ line: String) -> Begun? {
    guard Command.isCommand(line) else {
      return line.contains("@") ? PathWords.begun(line[...], marker: "@") : nil
    }
    guard !line.contains("\n"), let space = line.firstIndex(where: \.isWhitespace),
      let usage = Command.usage(of: line), usage.completes != nil
    else { return nil }
    let start = line[space...].firstIndex { !$0.isWhitespace } ?? line.endIndex
    // One path may have spaces; of several, those in quotation marks.
    guard usage.name == "file", let word = PathWords.begun(line[start...], marker: "") else {
      return (line[..<start], nil, line[start...])
    }
    return (line[..<word.path.startIndex], word.quote, word.path)
  }

  /// - Parameters:
  ///   - lessons: names that are good without a directory.
  ///   - list: the names in a directory, those of directories with a slash at their end.
  /// - Returns: the line with what is certain added; what there is to choose from, where that is more than one.
  package static func complete(
    _ line: String, lessons: [String] = [], home: String = NSHomeDirectory(),
    list: (String) -> [String] = PathCompletion.names(in:)
  ) -> (line: String, choices: [String]) {
    guard let (head, quote, path) = split(line) else { return (line, []) }
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { path[...$0] } ?? ""
    let begun = path[(slash.map { path.index(after: $0) } ?? path.startIndex)...]
    if path == "~" { return ("\(head)~/", []) }
    let place = directory.isEmpty ? "." : directory.hasPrefix("~/") ? home + directory.dropFirst(1) : String(directory)
    let usage = Command.isCommand(line) ? Command.usage(of: line) : nil
    var found = list(place).filter { $0.hasPrefix(begun) && (begun.hasPrefix(".") || !$0.hasPrefix(".")) }
    // A name with a control character in it cannot be written.
    found.removeAll { $0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
    if directory.isEmpty, usage?.completes == .data {
      found += lessons.filter { $0.hasPrefix(begun) && !found.contains($0) }
    }
    found.sort()
    guard let first = found.first else { return (line, []) }
    let shared = found.dropFirst().reduce(first) { String(zip($0, $1).prefix { $0 == $1 }.map(\.0)) }
    let takesOne = usage != nil && usage?.name != "file"
    let needsQuote = !takesOne && quote == nil && (directory + shared).contains(where: \.isWhitespace)
    let mark = needsQuote ? "\"" : ""
    // Whole, it ends the word.
    let isWhole = found.count == 1 && !shared.hasSuffix("/")
    let end = !isWhole || takesOne ? "" : (quote.map(String.init) ?? mark) + " "
    return ("\(head)\(mark)\(directory)\(shared)\(end)", found.count > 1 ? found : [])
  }

  /// The names in a directory; none where it cannot be read.
  package static func names(in directory: String) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else { return [] }
    return names.map { name in
      var isDirectory = ObjCBool(false)
      _ = FileManager.default.fileExists(atPath: directory + "/" + name, isDirectory: &isDirectory)
      return isDirectory.boolValue ? name + "/" : name
    }
  }
}

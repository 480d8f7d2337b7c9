import Foundation

/// Completes the path at the end of a command that takes one.
package enum PathCompletion {
  /// Whether a line has a path to complete.
  package static func applies(to line: String) -> Bool { split(line) != nil }

  /// The command with the white space after it, and the path begun.
  private static func split(_ line: String) -> (head: Substring, path: Substring)? {
    guard line.first == "/", !line.contains("\n"), let space = line.firstIndex(where: \.isWhitespace),
      Command.usage(of: line)?.completes != nil
    else { return nil }
    let start = line[space...].firstIndex { !$0.isWhitespace } ?? line.endIndex
    return (line[..<start], line[start...])
  }

  /// - Parameters:
  ///   - lessons: names that are good without a directory.
  ///   - list: the names in a directory, those of directories with a slash at their end.
  /// - Returns: the line with what is certain added; what there is to choose from, where that is more than one.
  package static func complete(
    _ line: String, lessons: [String] = [], home: String = NSHomeDirectory(),
    list: (String) -> [String] = PathCompletion.names(in:)
  ) -> (line: String, choices: [String]) {
    guard let (head, path) = split(line) else { return (line, []) }
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { path[...$0] } ?? ""
    let begun = path[(slash.map { path.index(after: $0) } ?? path.startIndex)...]
    if path == "~" { return ("\(head)~/", []) }
    let place = directory.isEmpty ? "." : directory.hasPrefix("~/") ? home + directory.dropFirst(1) : String(directory)
    var found = list(place).filter { $0.hasPrefix(begun) && (begun.hasPrefix(".") || !$0.hasPrefix(".")) }
    if directory.isEmpty, Command.usage(of: line)?.completes == .data {
      found += lessons.filter { $0.hasPrefix(begun) && !found.contains($0) }
    }
    found.sort()
    guard let first = found.first else { return (line, []) }
    let shared = found.dropFirst().reduce(first) { String(zip($0, $1).prefix { $0 == $1 }.map(\.0)) }
    return ("\(head)\(directory)\(shared)", found.count > 1 ? found : [])
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

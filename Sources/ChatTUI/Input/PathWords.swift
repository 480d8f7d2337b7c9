import Foundation

/// Paths in what is written: `@notes.txt` in a message, and the words after `/file`.
package enum PathWords {
  /// Mentions of a message that are looked at.
  private static let most = 32

  /// What a message mentions: what follows an `@` that begins a word, each once, in order. `@"my notes.txt"` has spaces.
  package static func mentions(in characters: [Character]) -> [String] {
    var found: [String] = []
    var index = 0
    while index < characters.count && found.count < most {
      guard characters[index] == "@", index == 0 || characters[index - 1].isWhitespace else {
        index += 1
        continue
      }
      let (word, end) = word(characters, from: index + 1)
      if !word.isEmpty && !found.contains(word) { found.append(word) }
      index = max(end, index + 1)
    }
    return found
  }

  /// The words of a line; a word in quotation marks may have spaces.
  package static func split(_ line: String) -> [String] {
    let characters = Array(line)
    var words: [String] = []
    var index = 0
    while index < characters.count {
      if characters[index].isWhitespace {
        index += 1
        continue
      }
      let (word, end) = word(characters, from: index)
      if !word.isEmpty { words.append(word) }
      index = max(end, index + 1)
    }
    return words
  }

  /// A word, and where it ends.
  private static func word(_ characters: [Character], from start: Int) -> (String, end: Int) {
    guard start < characters.count else { return ("", start) }
    if let quote = characters[start...].first, quote == "\"" || quote == "'",
      let end = characters[(start + 1)...].firstIndex(where: { $0 == quote || $0.isNewline }), characters[end] == quote
    {
      return (String(characters[(start + 1)..<end]), end + 1)
    }
    let end = characters[start...].firstIndex(where: \.isWhitespace) ?? characters.count
    return (String(characters[start..<end]), end)
  }

  /// The paths that a mention may mean: as it is, or without what ends a sentence.
  static func candidates(_ word: String) -> [String] {
    var short = word[...]
    while let last = short.last, ".,;:!?)]}>\"'".contains(last) { short.removeLast() }
    return short.isEmpty || short.count == word.count ? [word] : [word, String(short)]
  }

  /// The path that is being written at the end of a text, behind an `@` or in quotation marks.
  /// - Parameter marker: what stands before it: `@`, or nothing.
  /// - Returns: what stands before the path, marker and quotation mark included, whether there is one, and the path.
  static func begun(_ text: Substring, marker: String) -> (head: Substring, quote: Character?, path: Substring)? {
    // A quotation mark that is still open, or the last word.
    for quote in ["\"", "'"] as [Character] {
      guard let open = text.lastIndex(of: quote) else { continue }
      let path = text[text.index(after: open)...]
      let before = text[..<open]
      if before.count(where: { $0 == quote }) % 2 == 0, before.hasSuffix(marker), !path.contains(where: \.isNewline),
        isWordStart(before.dropLast(marker.count))
      {
        return (text[..<path.startIndex], quote, path)
      }
    }
    let start = text.lastIndex(where: \.isWhitespace).map { text.index(after: $0) } ?? text.startIndex
    guard text[start...].hasPrefix(marker) else { return nil }
    let path = text[start...].dropFirst(marker.count)
    return (text[..<path.startIndex], nil, path)
  }

  private static func isWordStart(_ before: Substring) -> Bool { before.last.map(\.isWhitespace) ?? true }
}

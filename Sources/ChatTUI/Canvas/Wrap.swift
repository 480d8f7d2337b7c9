/// Breaks text into lines no wider than a number of columns, between words where possible, never within a grapheme.
package enum Wrap {
  /// Ranges of `characters`, one for each line. Spaces at which a line was broken stay at its end and may hang over
  /// the width; a `\n` belongs to no range. The text `"a\n"` has two lines, the empty text has one.
  package static func ranges(_ characters: [Character], width: Int) -> [Range<Int>] {
    var lines: [Range<Int>] = []
    var start: Int? = 0
    while let from = start {
      let line = line(characters, from: from, width: width)
      lines.append(line.range)
      start = line.next
    }
    return lines
  }

  /// The line that begins at a place, and where the next one begins; `nil`: it was the last. Where a line ends depends
  /// on nothing before it.
  package static func line(
    _ characters: [Character], from start: Int, width: Int
  ) -> (range: Range<Int>, next: Int?) {
    let limit = max(1, width)
    var column = 0
    /// The index after the last place where the line could be broken.
    var breakAfter: Int?
    var index = start
    while index < characters.count {
      let character = characters[index]
      if character == "\n" { return (start..<index, index + 1) }
      let size = Glyphs.width(of: character)
      if character == " " {
        column += size
        index += 1
        breakAfter = index
        continue
      }
      if column + size > limit && index > start {
        let end = breakAfter ?? index
        return (start..<end, end)
      }
      column += size
      index += 1
      // Wide scripts have no spaces: a line may break after any of their characters.
      if size == 2 { breakAfter = index }
    }
    return (start..<characters.count, nil)
  }

  /// Ranges as long as the width allows, wherever that breaks: for code.
  static func columns(_ characters: [Character], width: Int) -> [Range<Int>] {
    var lines: [Range<Int>] = []
    var start = 0
    var column = 0
    for (index, character) in characters.enumerated() {
      let size = Glyphs.width(of: character)
      if column + size > max(1, width) && index > start {
        lines.append(start..<index)
        start = index
        column = 0
      }
      column += size
    }
    lines.append(start..<characters.count)
    return lines
  }

  /// The lines as text, without the spaces they were broken at.
  package static func lines(_ text: String, width: Int) -> [String] {
    let characters = Array(text)
    return ranges(characters, width: width).map { range in
      var end = range.upperBound
      while end > range.lowerBound && characters[end - 1] == " " { end -= 1 }
      return String(characters[range.lowerBound..<end])
    }
  }

  /// The beginning of a line that fits, with an ellipsis where something was cut off.
  package static func truncate(_ text: String, width: Int, ellipsis: Character = "…") -> String {
    if Glyphs.width(of: text) <= width { return text }
    if width < 1 { return "" }
    var result = ""
    var column = 0
    for character in text {
      let size = Glyphs.width(of: character)
      if column + size > width - 1 { break }
      result.append(character)
      column += size
    }
    result.append(ellipsis)
    return result
  }
}

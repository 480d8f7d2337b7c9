/// Breaks text into lines no wider than a number of columns, between words where possible, never within a grapheme.
package enum Wrap {
  /// Ranges of `characters`, one for each line. Spaces at which a line was broken stay at its end and may hang over
  /// the width; a `\n` belongs to no range. The text `"a\n"` has two lines, the empty text has one.
  package static func ranges(_ characters: [Character], width: Int) -> [Range<Int>] {
    let limit = max(1, width)
    var lines: [Range<Int>] = []
    var start = 0
    var column = 0
    /// Where the line could be broken: the index after the last space, and the column there.
    var breakAfter: Int?
    var breakColumn = 0
    var index = 0
    while index < characters.count {
      let character = characters[index]
      if character == "\n" {
        lines.append(start..<index)
        start = index + 1
        column = 0
        breakAfter = nil
        index += 1
        continue
      }
      let size = Glyphs.width(of: character)
      if character == " " {
        column += size
        index += 1
        breakAfter = index
        breakColumn = column
        continue
      }
      if column + size > limit && index > start {
        if let position = breakAfter, position > start {
          lines.append(start..<position)
          start = position
          column -= breakColumn
        } else {
          lines.append(start..<index)
          start = index
          column = 0
        }
        breakAfter = nil
        // The rest of a long word may itself be too long.
        if column + size > limit { continue }
      }
      column += size
      index += 1
      if size == 2 {
        // Wide scripts have no spaces: a line may break after any of their characters.
        breakAfter = index
        breakColumn = column
      }
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

/// Light Markdown: headings, fenced and inline code, strong text, lists with hanging lines. What is not understood
/// shows as it is.
enum Markup {
  static func lines(_ text: String, width: Int, glyphs: GlyphSet) -> [[Span]] {
    var result: [[Span]] = []
    var inFence = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        inFence.toggle()
        continue
      }
      if inFence {
        result += wrap(line.map { ($0, .code) }, hanging: 0, width: width)
      } else if let heading = heading(line) {
        result += wrap(heading.map { ($0, .title) }, hanging: 0, width: width)
      } else {
        result += wrap(inline(line), hanging: hanging(line, width: width), width: width)
      }
    }
    return result
  }

  private static func heading(_ line: Substring) -> Substring? {
    let marks = line.prefix { $0 == "#" }.count
    guard (1...6).contains(marks), line.dropFirst(marks).first == " " else { return nil }
    return line.dropFirst(marks + 1)
  }

  /// Columns by which the following lines of a list item are indented.
  private static func hanging(_ line: Substring, width: Int) -> Int {
    let indent = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(indent)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }.count
    var mark = 0
    if digits > 0, digits < 4, rest.dropFirst(digits).hasPrefix(". ") { mark = digits + 2 }
    if rest.hasPrefix("- ") || rest.hasPrefix("* ") { mark = 2 }
    return mark > 0 && indent + mark < width / 2 ? indent + mark : 0
  }

  private static func inline(_ line: Substring) -> [(Character, Style)] {
    let characters = Array(line)
    var result: [(Character, Style)] = []
    var index = 0
    while index < characters.count {
      if characters[index] == "`", let end = close(characters, from: index + 1, mark: ["`"]) {
        result += characters[(index + 1)..<end].map { ($0, .code) }
        index = end + 1
      } else if characters[index] == "*", index + 1 < characters.count, characters[index + 1] == "*",
        let end = close(characters, from: index + 2, mark: ["*", "*"])
      {
        result += characters[(index + 2)..<end].map { ($0, .strong) }
        index = end + 2
      } else {
        result.append((characters[index], .assistant))
        index += 1
      }
    }
    return result
  }

  /// Where a mark closes that encloses at least one character and no white space at its ends.
  private static func close(_ characters: [Character], from start: Int, mark: [Character]) -> Int? {
    guard start < characters.count, characters[start] != " " else { return nil }
    var index = start + 1
    while index + mark.count <= characters.count {
      if Array(characters[index..<(index + mark.count)]) == mark && characters[index - 1] != " " { return index }
      index += 1
    }
    return nil
  }

  private static func wrap(_ styled: [(Character, Style)], hanging: Int, width: Int) -> [[Span]] {
    let characters = styled.map(\.0)
    var ranges = Wrap.ranges(characters, width: width)
    if hanging > 0, ranges.count > 1 {
      let first = ranges[0]
      let rest = Wrap.ranges(Array(characters[first.upperBound...]), width: width - hanging)
      ranges = [first] + rest.map { ($0.lowerBound + first.upperBound)..<($0.upperBound + first.upperBound) }
    }
    return ranges.enumerated().map { number, range in
      var spans: [Span] = number > 0 && hanging > 0 ? [Span(String(repeating: " ", count: hanging))] : []
      for (character, style) in styled[range] {
        if spans.last?.style == style {
          spans[spans.count - 1].text.append(character)
        } else {
          spans.append(Span(String(character), style))
        }
      }
      return spans
    }
  }
}

/// Light Markdown as lines of a width: headings, lists, quotes, rules, tables, fenced code, marks within a line. What
/// is not understood shows as it is.
///
/// A text may come in pieces. Lines that nothing can change any more are laid out once; `Markup` remembers how far that
/// is and what is open there. So a reply of thousands of lines costs no more for each word than a short one.
struct Markup: Sendable, Equatable {
  /// What was open where the final lines end.
  private struct Place: Sendable, Equatable {
    /// Bytes of the text before it.
    var offset = 0
    var fence: Fence?
    /// Empty lines, which show only if something follows.
    var blanks = 0
    var hasBegun = false
  }

  private struct Fence: Sendable, Equatable {
    var mark: Character
    var count: Int
    var indent: Int
  }

  private struct Line {
    var text: Substring
    /// Where the next line begins, in bytes of the whole text.
    var end: Int
    /// Its end has come.
    var isComplete: Bool
  }

  let width: Int
  let glyphs: GlyphSet
  private var place = Place()

  init(width: Int, glyphs: GlyphSet) {
    self.width = max(1, width)
    self.glyphs = glyphs
  }

  /// A whole text.
  static func lines(_ text: String, width: Int, glyphs: GlyphSet, isOpen: Bool = false) -> [TextLine] {
    var markup = Markup(width: width, glyphs: glyphs)
    let (final, rest) = markup.next(text, isOpen: isOpen)
    return final + rest
  }

  /// Lays out what follows the lines that are final already.
  /// - Parameters:
  ///   - text: the text so far; of the part that is final nothing may have changed.
  ///   - isOpen: more will come.
  /// - Returns: lines that are final from now on, and lines that more text may change.
  mutating func next(_ text: String, isOpen: Bool) -> (final: [TextLine], rest: [TextLine]) {
    let lines = Self.split(text, from: place.offset)
    var now = place
    var isFinal = true
    var result: (final: [TextLine], rest: [TextLine]) = ([], [])
    var index = 0
    while index < lines.count {
      let (count, shown, isDone) = step(lines[index...], isOpen: isOpen, &now)
      index += count
      isFinal = isFinal && isDone
      if isFinal {
        now.offset = lines[index - 1].end
        place = now
        result.final += shown
      } else {
        result.rest += shown
      }
    }
    return result
  }

  /// Lines of a text, made safe. (A line may hold line ends of other kinds, which come out as lines of their own.)
  private static func split(_ text: String, from offset: Int) -> [Line] {
    let bytes = text.utf8
    var start = bytes.index(bytes.startIndex, offsetBy: min(offset, bytes.count))
    var end = offset
    var lines: [Line] = []
    while start < bytes.endIndex {
      let stop = bytes[start...].firstIndex(of: 0x0A) ?? bytes.endIndex
      let isComplete = stop < bytes.endIndex
      end += bytes.distance(from: start, to: stop) + (isComplete ? 1 : 0)
      var content = text[start..<stop].unicodeScalars
      if content.last == "\r" { content.removeLast() }
      for part in sanitise(String(content)).split(separator: "\n", omittingEmptySubsequences: false) {
        lines.append(Line(text: part, end: end, isComplete: isComplete))
      }
      start = isComplete ? bytes.index(after: stop) : stop
    }
    return lines
  }

  /// Lays out the first of some lines, with those that belong to it.
  private func step(
    _ lines: ArraySlice<Line>, isOpen: Bool, _ place: inout Place
  ) -> (count: Int, shown: [TextLine], isFinal: Bool) {
    let line = lines[lines.startIndex]
    let isUnfinished = isOpen && !line.isComplete
    let trimmed = line.text.trimmingWhitespace
    if let fence = place.fence {
      let marks = trimmed.prefix { $0 == fence.mark }.count
      if marks >= fence.count && marks == trimmed.count {
        place.fence = nil
        return (1, [], line.isComplete)
      }
      // The beginning of the closing fence, probably.
      if isUnfinished && marks > 0 && marks == trimmed.count { return (1, [], false) }
      return (1, code(line.text, in: fence), line.isComplete)
    }
    if trimmed.isEmpty {
      if place.hasBegun { place.blanks += 1 }
      return (1, [], line.isComplete)
    }
    // Not yet to be told what it will be.
    if isUnfinished && trimmed.allSatisfy({ "#*_`~>+-|:= ".contains($0) }) { return (1, [], false) }

    var content = line.text
    if !place.hasBegun { content = content.drop { $0 == " " } }
    let blanks = Array(repeating: TextLine([]), count: place.blanks)
    place.hasBegun = true
    place.blanks = 0
    if content.contains("|") {
      if let (count, table, isFinal) = table(lines) { return (count, blanks + table, isFinal) }
      // The next line may make it the head of a table.
      let mayBecomeTable = lines.count < 2 || !lines[lines.startIndex + 1].isComplete
      if mayBecomeTable {
        return (1, blanks + leaf(content, width: width, isUnfinished: isUnfinished), false)
      }
    }
    if let (fence, language) = fence(content) {
      place.fence = fence
      return (1, blanks + [header(of: fence, language: language)], line.isComplete)
    }
    return (1, blanks + leaf(content, width: width, isUnfinished: isUnfinished), line.isComplete)
  }

  // MARK: Code

  private func fence(_ line: Substring) -> (Fence, language: Substring)? {
    let indent = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(indent)
    guard let mark = rest.first, mark == "`" || mark == "~" else { return nil }
    let count = rest.prefix { $0 == mark }.count
    let language = rest.dropFirst(count)
    guard count >= 3, mark == "~" || !language.contains("`") else { return nil }
    return (Fence(mark: mark, count: count, indent: indent), language[...])
  }

  private func margin(of fence: Fence) -> Int { min(fence.indent, width / 4) }

  private func header(of fence: Fence, language: Substring) -> TextLine {
    let margin = margin(of: fence)
    let name = Wrap.truncate(
      language.trimmingWhitespace, width: max(0, width - margin - 4), ellipsis: glyphs.ellipsis)
    let line = "\(glyphs.corner)\(glyphs.horizontal)"
    return TextLine(
      [Span(String(repeating: " ", count: margin)), Span(line, .rule), Span(name.isEmpty ? "" : " \(name)", .dim)],
      kind: .ornament)
  }

  private func code(_ line: Substring, in fence: Fence) -> [TextLine] {
    let margin = margin(of: fence)
    let own = line.prefix(fence.indent).prefix { $0 == " " }.count
    let characters = Array(line.dropFirst(own))
    return Wrap.columns(characters, width: width - margin - 2).enumerated().map { index, range in
      let edge = "\(glyphs.vertical)\(index == 0 ? " " : glyphs.continued)"
      return TextLine(
        [
          Span(String(repeating: " ", count: margin)), Span(edge, .rule),
          Span(String(characters[range]), .code),
        ], indent: margin + 2, kind: index == 0 ? .text : .continuation)
    }
  }

  /// What stands in the fenced blocks of a text, as it was written; an unfinished block counts.
  static func codeBlocks(_ text: String) -> [String] {
    let markup = Markup(width: 80, glyphs: .ascii)
    var blocks: [String] = []
    var open: Fence?
    for line in split(text, from: 0) {
      if let fence = open {
        let trimmed = line.text.trimmingWhitespace
        if trimmed.count >= fence.count && trimmed.allSatisfy({ $0 == fence.mark }) {
          open = nil
        } else {
          let own = line.text.prefix(fence.indent).prefix { $0 == " " }.count
          blocks[blocks.count - 1] += line.text.dropFirst(own) + "\n"
        }
      } else if let (fence, _) = markup.fence(line.text) {
        open = fence
        blocks.append("")
      }
    }
    return blocks
  }

  // MARK: Tables

  private func table(_ lines: ArraySlice<Line>) -> (count: Int, shown: [TextLine], isFinal: Bool)? {
    guard lines.count > 1, let alignments = MarkupTable.alignments(lines[lines.startIndex + 1].text) else { return nil }
    let header = MarkupTable.cells(lines[lines.startIndex].text)
    guard header.count == alignments.count else { return nil }
    let rows = lines.dropFirst(2).prefix { $0.text.contains("|") }
    let count = 2 + rows.count
    let table = MarkupTable(
      header: header, alignments: alignments, rows: rows.map { MarkupTable.cells($0.text) })
    let shown =
      table.lines(width: width, glyphs: glyphs)
      ?? lines.prefix(count).flatMap { leaf($0.text, width: width, isUnfinished: false) }
    return (count, shown, count < lines.count && lines[lines.startIndex + count].isComplete)
  }
}

/// Lines that stand for themselves.
extension Markup {
  /// A heading, an item, a quote, a rule or plain text.
  func leaf(_ line: Substring, width: Int, isUnfinished: Bool) -> [TextLine] {
    if isRule(line) {
      return [TextLine([Span(String(repeating: glyphs.horizontal, count: width), .rule)], kind: .ornament)]
    }
    if let title = heading(line) { return wrap(title, base: .title, width: width, isUnfinished: isUnfinished) }
    let indent = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(indent)
    // Narrower than that, nothing could be read.
    if rest.first == ">", width >= 8 {
      let inner = rest.dropFirst(rest.dropFirst().first == " " ? 2 : 1)
      return leaf(inner, width: width - 2, isUnfinished: isUnfinished).map {
        $0.indented(by: Span("\(glyphs.vertical) ", .rule))
      }
    }
    let (mark, text) = item(rest)
    let margin = min(indent, max(0, width / 2 - Glyphs.width(of: mark)))
    let first = String(repeating: " ", count: margin) + mark
    let hanging = String(repeating: " ", count: Glyphs.width(of: first))
    return wrap(text, base: .assistant, width: width - hanging.count, isUnfinished: isUnfinished).enumerated().map {
      $1.indented(by: Span($0 == 0 ? first : hanging, .accent))
    }
  }

  private func isRule(_ line: Substring) -> Bool {
    let marks = line.filter { $0 != " " }
    guard let mark = marks.first, "-*_".contains(mark), marks.count >= 3 else { return false }
    return marks.allSatisfy { $0 == mark }
  }

  private func heading(_ line: Substring) -> Substring? {
    let marks = line.prefix { $0 == "#" }.count
    guard (1...6).contains(marks), line.dropFirst(marks).first == " " else { return nil }
    let title = line.dropFirst(marks).drop { $0 == " " }
    return title.isEmpty ? nil : title
  }

  /// The mark of a list item, as it is shown, and what follows it.
  private func item(_ line: Substring) -> (mark: String, text: Substring) {
    if let mark = line.first, "-*+".contains(mark), line.dropFirst().first == " " {
      return ("\(glyphs.item) ", line.dropFirst(2))
    }
    let digits = line.prefix { $0.isASCII && $0.isNumber }
    let after = line.dropFirst(digits.count)
    if (1...9).contains(digits.count), after.hasPrefix(". ") || after.hasPrefix(") ") {
      return (String(line.prefix(digits.count + 2)), after.dropFirst(2))
    }
    return ("", line)
  }

  private func wrap(_ text: Substring, base: Style, width: Int, isUnfinished: Bool) -> [TextLine] {
    let styled = InlineMarkup.styled(text, base: base, isUnfinished: isUnfinished)
    return Wrap.ranges(styled.map(\.character), width: width).enumerated().map { index, range in
      TextLine([Span](styled[range]), kind: index == 0 ? .text : .continuation)
    }
  }
}

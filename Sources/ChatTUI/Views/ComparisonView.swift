import ChatEngine

/// The replies of a comparison: side by side where columns are wide enough to read, else one below the other.
enum ComparisonView {
  private static let narrowest = 22

  static func lines(_ comparison: Comparison, width: Int, glyphs: GlyphSet) -> [TextLine] {
    let count = comparison.columns.count
    let gap = " \(glyphs.vertical) "
    let columnWidth = (width - (count - 1) * 3) / max(1, count)
    guard columnWidth >= narrowest else {
      return comparison.columns.indices.flatMap { column(comparison, $0, width: width, glyphs: glyphs) + [[]] }
        .map { TextLine($0) }
    }
    let columns = comparison.columns.indices.map { column(comparison, $0, width: columnWidth, glyphs: glyphs) }
    let height = columns.map(\.count).max() ?? 0
    return (0..<height).map { row in
      var line: [Span] = []
      for (index, column) in columns.enumerated() {
        if index > 0 { line.append(Span(gap, .rule)) }
        line += padded(row < column.count ? column[row] : [], width: columnWidth)
      }
      return TextLine(line)
    } + [.blank]
  }

  /// One reply: what made it, then its text.
  private static func column(_ comparison: Comparison, _ index: Int, width: Int, glyphs: GlyphSet) -> [[Span]] {
    let reply = comparison.columns[index].reply
    let isInUse = !comparison.isOpen && comparison.inUse == index
    let mark = isInUse ? "\(glyphs.currentStop) " : ""
    let name = "\(mark)\(index + 1) \(sanitiseLine(reply.stitch))"
    let rest = TranscriptLines.label(reply, glyphs: glyphs).dropFirst(sanitiseLine(reply.stitch).count)
    let style: Style = isInUse ? .mark : .dim
    var lines: [[Span]]
    if Glyphs.width(of: name + rest) <= width {
      lines = [[Span(name + rest, style)]]
    } else {
      lines = Wrap.lines(name, width: width).map { [Span($0, style)] }
      // Without the separator.
      lines += Wrap.lines(String(rest.dropFirst(3)), width: width).map { [Span($0, .dim)] }
    }
    let text = sanitise(reply.text).trimmingWhitespace
    if !text.isEmpty { lines += Markup.lines(text, width: width, glyphs: glyphs).map(\.spans) }
    if case .failed(let message) = reply.state {
      lines += Wrap.lines("failed: " + sanitiseLine(message), width: width).map { [Span($0, .error)] }
    }
    return lines
  }

  /// Exactly `width` columns: spaces added, or those at which the line was broken taken off.
  private static func padded(_ line: [Span], width: Int) -> [Span] {
    var result: [Span] = []
    var column = 0
    for span in line {
      var text = ""
      for character in span.text {
        let size = Glyphs.width(of: character)
        if column + size > width { break }
        text.append(character)
        column += size
      }
      result.append(Span(text, span.style))
    }
    if column < width { result.append(Span(String(repeating: " ", count: width - column))) }
    return result
  }
}

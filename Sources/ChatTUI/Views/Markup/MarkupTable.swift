/// A table with aligned columns.
struct MarkupTable {
  enum Alignment { case left, center, right }

  private let alignments: [Alignment]
  /// The head first.
  private let rows: [[[StyledCharacter]]]

  init(header: [String], alignments: [Alignment], rows: [[String]]) {
    self.alignments = alignments
    let count = alignments.count
    func row(_ cells: [String], _ style: Style) -> [[StyledCharacter]] {
      // Cells that are missing are empty; more than there are columns go into the last.
      let last = cells.dropFirst(count - 1).joined(separator: " | ")
      return (0..<count).map { column in
        let text = column == count - 1 ? last : column < cells.count ? cells[column] : ""
        return InlineMarkup.styled(text[...], base: style, isUnfinished: false)
      }
    }
    self.rows = [row(header, .title)] + rows.map { row($0, .assistant) }
  }

  /// The cells of a line, without the spaces around them.
  static func cells(_ line: Substring) -> [String] {
    var cells = [""]
    var isEscaped = false
    for character in line.trimmingWhitespace {
      if character == "|" && !isEscaped {
        cells.append("")
      } else {
        cells[cells.count - 1].append(character)
      }
      isEscaped = character == "\\" && !isEscaped
    }
    // Bars at the edges enclose no cell.
    if cells.count > 1 && cells[0].isEmpty { cells.removeFirst() }
    if cells.count > 1 && cells[cells.count - 1].isEmpty { cells.removeLast() }
    return cells.map(\.trimmingWhitespace)
  }

  /// What the line under a head says of the columns; `nil`: it is no such line.
  static func alignments(_ line: Substring) -> [Alignment]? {
    guard line.contains("|"), line.contains("-"), line.allSatisfy({ "|-: ".contains($0) }) else { return nil }
    var alignments: [Alignment] = []
    for cell in cells(line) {
      let isLeft = cell.hasPrefix(":")
      let isRight = cell.count > 1 && cell.hasSuffix(":")
      let dashes = cell.dropFirst(isLeft ? 1 : 0).dropLast(isRight ? 1 : 0)
      guard !dashes.isEmpty, dashes.allSatisfy({ $0 == "-" }) else { return nil }
      alignments.append(isRight ? (isLeft ? .center : .right) : .left)
    }
    return alignments
  }

  /// - Returns: `nil` where the columns do not fit side by side.
  func lines(width: Int, glyphs: GlyphSet) -> [TextLine]? {
    guard let widths = widths(room: width - 3 * (alignments.count - 1)) else { return nil }
    let vertical = Span(" \(glyphs.vertical) ", .rule)
    var lines: [TextLine] = []
    for (number, row) in rows.enumerated() {
      let cells: [[[StyledCharacter]]] = zip(row, widths).map { cell, width in
        Wrap.ranges(cell.map(\.character), width: width).map { range in
          // The space at which a cell was broken would stand in the next column.
          var end = range.upperBound
          while end > range.lowerBound && cell[end - 1].character == " " { end -= 1 }
          return Array(cell[range.lowerBound..<end])
        }
      }
      for height in 0..<(cells.map(\.count).max() ?? 0) {
        var spans: [Span] = []
        for column in cells.indices {
          if column > 0 { spans.append(vertical) }
          let part = height < cells[column].count ? cells[column][height] : []
          spans += pad(part, to: widths[column], alignments[column])
        }
        lines.append(TextLine(spans))
      }
      if number == 0 {
        let rules = widths.map { String(repeating: glyphs.horizontal, count: $0) }
        let crossing = "\(glyphs.horizontal)\(glyphs.crossing)\(glyphs.horizontal)"
        lines.append(TextLine([Span(rules.joined(separator: crossing), .rule)], kind: .ornament))
      }
    }
    return lines
  }

  /// Every column as wide as it likes if there is room; else the widest give way.
  private func widths(room: Int) -> [Int]? {
    let wanted = alignments.indices.map { column in
      max(1, rows.map { $0[column].reduce(0) { $0 + Glyphs.width(of: $1.character) } }.max() ?? 1)
    }
    let narrowest = 4
    var widest = min(room, wanted.max() ?? 1)
    if widest < narrowest && widest < (wanted.max() ?? 1) { return nil }
    while wanted.reduce(0, { $0 + min($1, widest) }) > room {
      widest -= 1
      if widest < narrowest { return nil }
    }
    // What is left over goes to the columns that gave way.
    var left = room - wanted.reduce(0) { $0 + min($1, widest) }
    return wanted.map { wanted in
      if wanted <= widest || left == 0 { return min(wanted, widest) }
      left -= 1
      return widest + 1
    }
  }

  private func pad(_ part: [StyledCharacter], to width: Int, _ alignment: Alignment) -> [Span] {
    let room = max(0, width - part.reduce(0) { $0 + Glyphs.width(of: $1.character) })
    let before =
      switch alignment {
      case .left: 0
      case .center: room / 2
      case .right: room
      }
    return [Span(String(repeating: " ", count: before))] + [Span](part)
      + [Span(String(repeating: " ", count: room - before))]
  }
}

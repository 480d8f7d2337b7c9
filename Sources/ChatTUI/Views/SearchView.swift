/// The line that says what is searched, in place of the composer.
enum SearchView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    guard let search = state.search else { return }
    canvas.rule("Search", in: rect, glyphs: state.glyphs)
    let count = " \(count(search)) "
    let line = rect.row(1)
    canvas.put("/", x: line.x + 1, y: line.y, style: .user, in: line)
    let text = line.inset(left: 3, right: Glyphs.width(of: count) + 1)
    // The end of what is written shows.
    let characters = search.editor.characters
    var first = 0
    while first < search.editor.cursor
      && Glyphs.width(of: String(characters[first..<search.editor.cursor])) >= text.width
    {
      first += 1
    }
    canvas.put(String(characters[first...].prefix(text.width)), x: text.x, y: text.y, in: text)
    canvas.putRight(
      count, in: line, y: line.y, style: search.current == nil && !search.editor.isEmpty ? .warning : .dim)
    if state.help == nil {
      let column = Glyphs.width(of: String(characters[first..<search.editor.cursor]))
      canvas.cursor = (min(text.x + column, rect.maxX - 1), text.y)
    }
  }

  /// `3 of 12`.
  static func count(_ search: Search) -> String {
    if let current = search.current { return "\(current + 1) of \(search.matches.count)" }
    return search.editor.isEmpty ? "" : "not found"
  }

  /// What keys do, for the lowest line.
  static func keys(_ glyphs: GlyphSet, room: Int) -> String {
    let all = glyphs.plain("Enter ↓ next · ↑ previous · Tab stays here · Esc back")
    return Glyphs.width(of: all) <= room ? all : glyphs.plain("Enter next · Esc back")
  }

  /// Marks what is found in the lines that show.
  static func mark(_ state: AppState, top: Int, on canvas: inout Canvas, in text: Rect) {
    guard let search = state.search, !search.matches.isEmpty else { return }
    var shown: [Int: [Int: Int]] = [:]  // entry → line → row
    for row in 0..<text.height {
      if let (_, entry, number) = state.transcript.line(top + row) { shown[entry, default: [:]][number] = row }
    }
    for (index, match) in search.matches.enumerated() {
      guard let rows = shown[match.entry] else { continue }
      for part in match.parts {
        guard let row = rows[part.line] else { continue }
        // Spaces at which a line was broken hang over.
        let columns = part.columns.clamped(to: 0..<text.width)
        if columns.isEmpty { continue }
        canvas.restyle(
          Rect(x: text.x + columns.lowerBound, y: text.y + row, width: columns.count, height: 1),
          index == search.current ? .selection : .match)
      }
    }
  }
}

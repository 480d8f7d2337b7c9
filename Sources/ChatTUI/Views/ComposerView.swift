import ChatEngine

/// What the user writes.
enum ComposerView {
  /// The files that go with it, and what they take; `nil`: none do.
  private static func attached(_ state: AppState) -> String? {
    let files = state.attachments.all
    guard let first = files.first else { return nil }
    let share = state.summary.flatMap { summary in
      summary.contextLength > 0
        ? ", \(Format.percent(Double(files.tokens.count) / Double(summary.contextLength))) of the context" : nil
    }
    if files.count == 1 { return "With \(Format.file(first))\(share ?? "")" }
    let bytes = Format.bytes(files.reduce(0) { $0 + $1.bytes })
    let names = files.map { sanitiseLine($0.path) }.joined(separator: ", ")
    return "With \(files.count) files, \(bytes), \(Format.tokens(files.tokens))\(share ?? ""): \(names)"
  }

  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let title = [state.editing == nil ? nil : "Instead of what was sent", attached(state)].compactMap(\.self)
    canvas.rule(state.glyphs.plain(title.joined(separator: " · ")), in: rect, glyphs: state.glyphs)
    let rows = rect.height - 1
    let lines = state.editor.lines
    let (row, column) = state.editor.position
    // The rows around the cursor.
    let first = min(max(0, row - rows + 1), max(0, lines.count - rows))
    let text = rect.inset(left: 3, top: 1)
    canvas.put(String(state.glyphs.prompt), x: rect.x + 1, y: rect.y + 1, style: .user, in: rect)
    for index in 0..<min(rows, lines.count - first) {
      let line = state.editor.characters[lines[first + index]].prefix(rect.width)
      canvas.put(String(line), x: text.x, y: text.y + index, in: text)
    }
    if first > 0 { canvas.putRight("\(first) more above ", in: rect, y: rect.y, style: .dim) }
    if state.help == nil { canvas.cursor = (min(text.x + column, rect.maxX - 1), text.y + row - first) }
  }
}

/// What the user writes.
enum ComposerView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    canvas.rule(state.editing == nil ? "" : "Instead of what was sent", in: rect, glyphs: state.glyphs)
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

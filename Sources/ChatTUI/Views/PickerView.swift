/// A list over the chat: the text that filters it, then the rows.
package enum PickerView {
  static func frame(in state: AppState) -> Rect {
    let width = min(100, state.width - 2)
    let height = min(30, state.height - 2)
    return Rect(x: (state.width - width) / 2, y: (state.height - height) / 2, width: width, height: height)
  }

  /// Where the rows are.
  static func list(in state: AppState) -> Rect { frame(in: state).inset(left: 1, top: 2, right: 1, bottom: 1) }

  static func draw(_ picker: Picker, _ state: AppState, on canvas: inout Canvas) {
    let glyphs = state.glyphs
    let frame = frame(in: state)
    let list = list(in: state)
    let position = picker.rows.isEmpty ? "" : "\(picker.selected + 1) of \(picker.rows.count) · "
    let choice = picker.lists == .adapters ? "Enter mixes it in" : "Enter opens"
    let remark = frame.width >= 50 ? " \(position)\(choice) · Esc closes " : " Esc closes "
    canvas.box(picker.title, remark: remark, in: frame, glyphs: glyphs)
    drawQuery(picker, on: &canvas, in: frame.inset(left: 2, top: 1, right: 2), glyphs: glyphs)
    if picker.rows.isEmpty {
      let text = picker.isLoading ? "…" : picker.query.isEmpty ? picker.emptyText : "Nothing fits."
      canvas.put(glyphs.plain(text), x: list.x + 1, y: list.y, style: .dim, in: list)
      return
    }
    var y = list.y
    for index in picker.visible(lines: list.height) {
      let row = picker.rows[index]
      let place = Rect(x: list.x, y: y, width: list.width, height: min(row.height, list.maxY - y))
      draw(row, isSelected: index == picker.selected, on: &canvas, in: place, glyphs: glyphs)
      y += row.height
    }
  }

  private static func drawQuery(_ picker: Picker, on canvas: inout Canvas, in rect: Rect, glyphs: GlyphSet) {
    let prompt = "\(glyphs.prompt) "
    canvas.put(prompt, x: rect.x, y: rect.y, style: .user, in: rect)
    if picker.query.isEmpty {
      canvas.put(glyphs.plain("type to search"), x: rect.x + 2, y: rect.y, style: .dim, in: rect)
      canvas.cursor = (rect.x + 2, rect.y)
      return
    }
    // The end is what is being written.
    var shown = Substring(sanitiseLine(picker.query))
    while Glyphs.width(of: shown) > rect.width - 3 { shown = shown.dropFirst() }
    let end = canvas.put(shown, x: rect.x + 2, y: rect.y, in: rect)
    canvas.cursor = (min(end, rect.maxX - 1), rect.y)
  }

  private static func draw(
    _ row: Picker.Row, isSelected: Bool, on canvas: inout Canvas, in rect: Rect, glyphs: GlyphSet
  ) {
    let detail = glyphs.plain(sanitiseLine(row.detail))
    // A title of some length comes before all details.
    let room = rect.width - Glyphs.width(of: detail) - 4
    let hasDetail = room >= 16
    let title = Wrap.truncate(
      glyphs.plain(sanitiseLine(row.title)), width: hasDetail ? room : rect.width - 2, ellipsis: glyphs.ellipsis)
    canvas.put(title, x: rect.x + 1, y: rect.y, style: .text, in: rect)
    if hasDetail { canvas.putRight(detail, in: rect.inset(right: 1), y: rect.y, style: .dim) }
    if let match = row.match, rect.height > 1 {
      let line = Wrap.truncate(glyphs.plain(sanitiseLine(match)), width: rect.width - 6, ellipsis: glyphs.ellipsis)
      canvas.put(line, x: rect.x + 4, y: rect.y + 1, style: .dim, in: rect)
    }
    if isSelected { canvas.restyle(rect.row(0), .selection) }
  }
}

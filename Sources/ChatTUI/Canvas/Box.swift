extension Canvas {
  /// Clears a rectangle and draws a frame around it: a title above, a remark at the right below.
  package mutating func box(_ title: String, remark: String, in frame: Rect, glyphs: GlyphSet) {
    fill(frame)
    rule(title, in: frame, glyphs: glyphs)
    rule(in: frame.row(frame.height - 1), glyphs: glyphs)
    for y in (frame.y + 1)..<max(frame.y + 1, frame.maxY - 1) {
      put(String(glyphs.vertical), x: frame.x, y: y, style: .rule)
      put(String(glyphs.vertical), x: frame.maxX - 1, y: y, style: .rule)
    }
    let corners: [(Int, Int, String)] = [
      (frame.x, frame.y, "┌"), (frame.maxX - 1, frame.y, "┐"), (frame.x, frame.maxY - 1, "└"),
      (frame.maxX - 1, frame.maxY - 1, "┘"),
    ]
    for (x, y, corner) in corners { put(glyphs.isASCII ? "+" : corner, x: x, y: y, style: .rule) }
    putRight(glyphs.plain(remark), in: frame.inset(left: 1, right: 2), y: frame.maxY - 1, style: .dim)
  }
}

/// Keys and commands, from the tables that bind them.
package enum HelpView {
  static func frame(in state: AppState) -> Rect {
    let width = min(78, state.width - 2)
    let height = min(46, state.height - 2)
    return Rect(x: (state.width - width) / 2, y: (state.height - height) / 2, width: width, height: height)
  }

  package static func lines(glyphs: GlyphSet, width: Int, keymap: Keymap = .standard) -> [[Span]] {
    var lines: [[Span]] = []
    func add(_ name: String, _ text: String, column: Int) {
      let name = glyphs.plain(name)
      let text = glyphs.plain(text)
      let pad = max(1, column - Glyphs.width(of: name))
      let fits = Glyphs.width(of: name) < column && width - column >= 16
      let indent = fits ? column : 4
      let body = Wrap.lines(text, width: max(8, width - indent))
      if fits {
        lines.append([Span(name, .key), Span(String(repeating: " ", count: pad)), Span(body[0])])
      } else {
        lines.append([Span(name, .key)])
        lines.append([Span("    "), Span(body[0])])
      }
      for more in body.dropFirst() { lines.append([Span(String(repeating: " ", count: indent)), Span(more)]) }
    }
    for group in keymap.groups {
      lines.append([Span(group.title, .title)])
      for binding in group.bindings {
        add(binding.keys.map { $0.name(ascii: glyphs.isASCII) }.joined(separator: ", "), binding.help, column: 22)
      }
      lines.append([])
    }
    lines.append([Span("Commands", .title)])
    for usage in Command.usages {
      add("/\(usage.name) \(usage.arguments)".trimmingWhitespace, usage.help, column: 22)
    }
    return lines
  }

  static func draw(_ state: AppState, on canvas: inout Canvas) {
    let glyphs = state.glyphs
    let frame = frame(in: state)
    let inner = frame.inset(left: 2, top: 1, right: 2, bottom: 1)
    let lines = lines(glyphs: glyphs, width: inner.width)
    let top = min(max(0, state.help ?? 0), max(0, lines.count - inner.height))
    let more =
      lines.count > inner.height
      ? " \(top + 1)-\(min(top + inner.height, lines.count)) of \(lines.count) · PgDn · Esc closes " : " Esc closes "
    canvas.box("Help", remark: more, in: frame, glyphs: glyphs)
    for row in 0..<min(inner.height, lines.count - top) {
      canvas.put(lines[top + row], x: inner.x, y: inner.y + row, in: inner)
    }
  }
}

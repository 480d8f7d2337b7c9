import ChatEngine

/// The conversation.
enum TranscriptView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    if state.conversation.entries.isEmpty {
      drawWelcome(state, on: &canvas, in: rect)
      return
    }
    let top = state.transcript.top(state.scroll, height: rect.height)
    // A short conversation stands at the top, like a page being filled.
    let text = rect.inset(left: 1, right: 1)
    for row in 0..<min(rect.height, max(0, state.transcript.total - top)) {
      canvas.put(state.transcript.line(top + row)?.line.spans ?? [], x: text.x, y: text.y + row, in: text)
    }
    SearchView.mark(state, top: top, on: &canvas, in: text)
    if state.scroll != .end {
      let below = max(0, state.transcript.total - top - rect.height)
      let mark = state.hasNews ? " \(state.glyphs.down) new " : " \(state.glyphs.down) \(below) lines "
      canvas.putRight(mark, in: rect.inset(right: 1), y: rect.maxY - 1, style: .selection)
    }
  }

  private static func drawWelcome(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    var lines: [(String, Style)] = []
    func key(_ intent: Intent) -> String { Keymap.standard.name(of: intent, ascii: state.glyphs.isASCII) }
    switch state.family {
    case .loading:
      lines = [("The family is loading. You can write already.", .dim)]
    case .failed(let message): lines = [(sanitiseLine(message), .error)]
    case .ready(let summary):
      lines = [
        ("One chatbot in \(summary.stops.count) sizes.", .strong),
        ("", .text),
        (
          "Ask something, then move the slider with \(key(.smaller)) and \(key(.larger)): the next reply comes from a smaller or larger network.",
          .dim
        ),
        ("", .text),
        ("/train FILE teaches all sizes at once. \(key(.help)) shows everything else.", .dim),
      ]
    }
    let text = rect.inset(left: 2, top: 1, right: 2)
    var y = text.y
    for (line, style) in lines {
      for part in Wrap.lines(state.glyphs.plain(line), width: max(1, text.width)) {
        canvas.put(part, x: text.x, y: y, style: style, in: text)
        y += 1
      }
    }
  }
}

import ChatEngine

/// Draws the whole screen. Pure: the same state gives the same cells.
package func view(_ state: AppState, _ canvas: inout Canvas) {
  let layout = state.layout
  if layout.isTooSmall {
    let text = "stitch needs \(ScreenLayout.minimumWidth)x\(ScreenLayout.minimumHeight); make the window larger"
    for (row, line) in Wrap.lines(text, width: max(1, canvas.width)).enumerated() {
      canvas.put(line, x: 0, y: row, style: .warning)
    }
    return
  }
  TitleView.draw(state, on: &canvas, in: layout.title)
  TranscriptView.draw(state, on: &canvas, in: layout.transcript)
  if !layout.divider.isEmpty {
    canvas.fill(layout.divider, state.glyphs.vertical, style: .rule)
    FrontierView.draw(state, on: &canvas, in: layout.frontier)
    if !layout.training.isEmpty { TrainingView.draw(state, on: &canvas, in: layout.training) }
  }
  drawJunctions(state, layout, &canvas)
  if !layout.trainingLine.isEmpty { TrainingView.drawLine(state, on: &canvas, in: layout.trainingLine) }
  SliderView.draw(state, on: &canvas, in: layout.slider)
  if !layout.mixer.isEmpty { MixerView.draw(state, on: &canvas, in: layout.mixer) }
  if state.search == nil {
    ComposerView.draw(state, on: &canvas, in: layout.composer)
  } else {
    SearchView.draw(state, on: &canvas, in: layout.composer)
  }
  StatusView.draw(state, on: &canvas, in: layout.status)
  if let picker = state.picker { PickerView.draw(picker, state, on: &canvas) }
  if state.help != nil { HelpView.draw(state, on: &canvas) }
}

/// Where rules meet the line between the chat and the panes.
private func drawJunctions(_ state: AppState, _ layout: ScreenLayout, _ canvas: inout Canvas) {
  if layout.divider.isEmpty { return }
  for pane in [layout.frontier, layout.training] where !pane.isEmpty {
    canvas.put(state.glyphs.isASCII ? "+" : "├", x: layout.divider.x, y: pane.y, style: .rule)
  }
}

/// The uppermost line: what is loaded.
enum TitleView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    var x = canvas.put(" stitch ", x: rect.x, y: rect.y, style: .title, in: rect)
    switch state.family {
    case .loading: x = canvas.put("loading the family\(dots(state))", x: x, y: rect.y, style: .dim, in: rect)
    case .failed: x = canvas.put("no family", x: x, y: rect.y, style: .error, in: rect)
    case .ready(let summary):
      let kind =
        if let model = summary.model { "template \(sanitiseLine(model.template))" } else {
          Format.stops(of: summary) + (Format.place(of: summary).map { " · at \($0)" } ?? "")
        }
      let growth = state.growth.map { " · slider: \(sanitiseLine($0))" } ?? ""
      let text = "\(sanitiseLine(summary.name)) · \(kind)\(growth)"
      x = canvas.put(state.glyphs.plain(text), x: x, y: rect.y, style: .dim, in: rect)
    }
    var parts: [String] = []
    if let step = state.adapterStep {
      parts.append(state.adapter?.origin == nil ? "adapter step \(step)" : "adapter mixed")
    }
    if state.sampling.temperature > 0 { parts.append("temperature \(Format.short(state.sampling.temperature))") }
    let text = state.glyphs.plain(parts.joined(separator: " · "))
    var end = rect.maxX - 1
    if x + Glyphs.width(of: text) + 2 < rect.maxX {
      canvas.putRight(text, in: rect.inset(right: 1), y: rect.y, style: .dim)
      end -= Glyphs.width(of: text) + 2
    }
    if let title = state.conversation.title, end - x >= 12 {
      let line = state.glyphs.plain(" · " + sanitiseLine(title))
      canvas.put(Wrap.truncate(line, width: end - x, ellipsis: state.glyphs.ellipsis), x: x, y: rect.y, in: rect)
    }
  }

  private static func dots(_ state: AppState) -> String { state.glyphs.isASCII ? "..." : "…" }
}

/// The lowest line: what has just happened or what keys do, and the context in use.
enum StatusView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    var right = ""
    var isWarning = false
    if let use = state.contextUse {
      right = "context \(Format.percent(use))"
      if use >= 0.8 {
        isWarning = true
        if rect.width >= 60 { right += use >= 0.97 ? " full: /clear" : " nearly full" }
      }
    }
    let room = rect.width - Glyphs.width(of: right) - 3
    let (text, style) = left(state, room: room)
    canvas.put(
      Wrap.truncate(state.glyphs.plain(text), width: room, ellipsis: state.glyphs.ellipsis), x: rect.x + 1, y: rect.y,
      style: style,
      in: rect)
    canvas.putRight(right, in: rect.inset(right: 1), y: rect.y, style: isWarning ? .warning : .dim)
  }

  private static func left(_ state: AppState, room: Int) -> (String, Style) {
    if let hint = state.hint { return (hint.text, hint.isWarning ? .warning : .accent) }
    if state.search != nil { return (SearchView.keys(state.glyphs, room: room), .dim) }
    if state.isCancelling { return ("stopping…", .dim) }
    func key(_ intent: Intent) -> String { Keymap.standard.name(of: intent, ascii: state.glyphs.isASCII) }
    let size = "\(key(.smaller)) \(key(.larger)) size"
    let help = "\(key(.help)) help"
    if state.editor.isEmpty, let entry = state.conversation.openChoice {
      let count = state.conversation.comparison(entry)?.columns.count ?? 0
      let digits = (1...max(1, count)).map(String.init).joined(separator: " ")
      let long = "\(digits) keeps that reply · \(key(.send)) the largest"
      return (Glyphs.width(of: long) <= room ? long : "1-\(count) keeps · \(key(.send)) largest", .accent)
    }
    let candidates =
      state.activeReply != nil
      ? ["\(key(.cancelReply)) stops · \(size) · \(help)"]
      : ["\(key(.send)) sends · \(key(.newline)) new line · \(size) · \(help)", "\(key(.send)) sends · \(help)"]
    let fitting = candidates.first { Glyphs.width(of: state.glyphs.plain($0)) <= room }
    return (fitting ?? help, .dim)
  }
}

import ChatEngine

/// Adaptation in the background.
enum TrainingView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let glyphs = state.glyphs
    let training = state.training
    canvas.rule("Training", in: rect, glyphs: glyphs)
    let body = rect.inset(left: 1, top: 1, right: 1)
    if training.phase == .idle {
      var y = body.y
      for (text, style) in [("Idle.", Style.dim), ("/train FILE [STEPS] adapts all sizes while you chat.", .dim)] {
        for line in Wrap.lines(text, width: max(1, body.width)) {
          canvas.put(line, x: body.x, y: y, style: style, in: body)
          y += 1
        }
      }
      return
    }
    var y = body.y
    let head = canvas.put(training.phase.rawValue, x: body.x, y: y, style: phaseStyle(training.phase), in: body)
    if !training.dataFile.isEmpty {
      let name = sanitiseLine(String(training.dataFile.split(separator: "/").last ?? ""))
      let room = body.maxX - head - 2
      if room > 4 {
        canvas.putRight(Wrap.truncate(name, width: room, ellipsis: glyphs.ellipsis), in: body, y: y, style: .dim)
      }
    }
    y += 1
    drawProgress(training, glyphs: glyphs, on: &canvas, in: body.row(1))
    y += 1
    for line in numbers(training, glyphs: glyphs, width: body.width) where y < body.maxY {
      canvas.put(line, x: body.x, y: y, in: body)
      y += 1
    }
    let message =
      training.message.isEmpty
      ? [] : Array(Wrap.lines(glyphs.plain(sanitiseLine(training.message)), width: max(1, body.width)).prefix(2))
    let bars = histogram(state, width: body.width)
    let below = (bars == nil ? 0 : 1) + message.count
    let curve = Rect(x: body.x, y: y, width: body.width, height: body.maxY - y - below)
    if curve.height >= 2 {
      drawCurve(training, glyphs: glyphs, on: &canvas, in: curve)
      y = curve.maxY
    }
    if let bars, y < body.maxY {
      canvas.put(bars, x: body.x, y: y, in: body)
      y += 1
    }
    for line in message where y < body.maxY {
      canvas.put(line, x: body.x, y: y, style: training.phase == .failed ? .error : .dim, in: body)
      y += 1
    }
  }

  /// One line, where there is no room for a pane.
  static func drawLine(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let training = state.training
    var x = canvas.put(" training ", x: rect.x, y: rect.y, style: .title, in: rect)
    x = canvas.put(training.phase.rawValue, x: x, y: rect.y, style: phaseStyle(training.phase), in: rect)
    var parts = ["\(training.step)/\(training.totalSteps)"]
    if let loss = training.loss { parts.append("loss \(Format.loss(loss))") }
    if training.phase == .running, let left = training.secondsLeft { parts.append("\(Format.duration(left)) left") }
    if training.phase == .failed { parts = [sanitiseLine(training.message)] }
    let text = state.glyphs.plain(" " + parts.joined(separator: " · "))
    canvas.put(
      Wrap.truncate(text, width: rect.maxX - x, ellipsis: state.glyphs.ellipsis), x: x, y: rect.y, style: .dim,
      in: rect)
  }

  private static func phaseStyle(_ phase: TrainingStatus.Phase) -> Style {
    switch phase {
    case .running, .finished: .mark
    case .failed: .error
    case .paused, .stopping: .warning
    case .idle, .preparing: .dim
    }
  }

  private static func drawProgress(
    _ training: TrainingStatus, glyphs: GlyphSet, on canvas: inout Canvas, in rect: Rect
  ) {
    let text = " \(training.step)/\(training.totalSteps)"
    let bar = rect.inset(right: Glyphs.width(of: text))
    let part = training.totalSteps > 0 ? min(1, Double(training.step) / Double(training.totalSteps)) : 0
    let done = Int((part * Double(bar.width)).rounded())
    canvas.fill(bar, glyphs.trackAhead, style: .dim)
    canvas.fill(Rect(x: bar.x, y: bar.y, width: done, height: 1), glyphs.trackDone, style: .mark)
    canvas.putRight(text, in: rect, y: rect.y)
  }

  /// Losses, speed and time left, in as few lines as hold them.
  private static func numbers(_ training: TrainingStatus, glyphs: GlyphSet, width: Int) -> [String] {
    var parts: [String] = []
    if let loss = training.loss { parts.append("loss \(Format.loss(loss))") }
    if let loss = training.heldOutLoss { parts.append("held-out \(Format.loss(loss))") }
    if let speed = training.tokensPerSecond { parts.append("\(Format.rate(speed)) tok/s") }
    if training.phase == .running, let left = training.secondsLeft { parts.append("\(Format.duration(left)) left") }
    var lines: [String] = []
    for part in parts {
      let longer = (lines.last.map { $0 + glyphs.plain(" · ") } ?? "") + part
      if !lines.isEmpty && Glyphs.width(of: longer) <= width {
        lines[lines.count - 1] = longer
      } else {
        lines.append(part)
      }
    }
    return lines
  }

  private static func drawCurve(_ training: TrainingStatus, glyphs: GlyphSet, on canvas: inout Canvas, in rect: Rect)
  {
    let values = training.lossCurve.filter(\.isFinite)
    guard values.count > 1, let low = values.min(), let high = values.max() else { return }
    let top = String(Format.loss(high).prefix(4))
    let bottom = String(Format.loss(low).prefix(4))
    let plotRect = rect.inset(left: 5)
    canvas.put(top, x: rect.x, y: rect.y, style: .dim, in: rect)
    canvas.put(bottom, x: rect.x, y: rect.maxY - 1, style: .dim, in: rect)
    var plot = Plot(columns: plotRect.width, rows: plotRect.height, isASCII: glyphs.isASCII)
    func y(_ value: Double) -> Int { plot.y(high > low ? (value - low) / (high - low) : 0.5) }
    for index in values.indices.dropFirst() {
      let x0 = plot.x(Double(index - 1) / Double(values.count - 1))
      let x1 = plot.x(Double(index) / Double(values.count - 1))
      plot.line(x0, y(values[index - 1]), x1, y(values[index]))
    }
    plot.draw(on: &canvas, in: plotRect, style: .graph)
  }

  /// How often each stop was drawn: one column for a stop (or for several, where there are many).
  private static func histogram(_ state: AppState, width: Int) -> [Span]? {
    guard !state.training.drawn.isEmpty, !state.stops.isEmpty else { return nil }
    var counts = state.stops.map { state.training.drawn[$0.id] ?? 0 }
    let others = state.training.drawn.values.reduce(0, +) - counts.reduce(0, +)
    let room = max(1, width - 8)
    if counts.count > room {
      let size = (counts.count + room - 1) / room
      counts = stride(from: 0, to: counts.count, by: size).map {
        counts[$0..<min($0 + size, counts.count)].reduce(0, +)
      }
    }
    let most = max(1, counts.max() ?? 1)
    let levels = state.glyphs.levels
    let bars = counts.map { count in
      count == 0
        ? levels[0] : levels[max(1, Int((Double(count) / Double(most) * Double(levels.count - 1)).rounded()))]
    }
    var spans = [Span("drawn ", .dim), Span(String(bars), .graphSecond)]
    if others > 0 && width > counts.count + 20 { spans.append(Span(" +\(others) others", .dim)) }
    return spans
  }
}

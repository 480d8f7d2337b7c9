import ChatEngine

/// Adaptation in the background.
enum TrainingView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let glyphs = state.glyphs
    let training = state.training
    canvas.rule("Training", in: rect, glyphs: glyphs)
    drawKeys(state, on: &canvas, in: rect)
    let body = rect.inset(left: 1, top: 1, right: 1)
    if training.phase == .idle && training.step == 0 { return drawIdle(on: &canvas, in: body) }
    drawHead(training, glyphs: glyphs, on: &canvas, in: body)
    drawProgress(training, glyphs: glyphs, on: &canvas, in: body.row(1))
    var y = body.y + 2
    for line in numbers(training, glyphs: glyphs, width: body.width) where y < body.maxY {
      canvas.put(line, x: body.x, y: y, in: body)
      y += 1
    }
    let message = messageLines(training.message, glyphs: glyphs, width: max(1, body.width))
    let bars = TrainingCharts.bars(state, width: body.width)
    let below = bars.count + message.count
    let curve = Rect(x: body.x, y: y, width: body.width, height: body.maxY - y - below)
    if curve.height >= 2 {
      TrainingCharts.drawCurves(training, glyphs: glyphs, on: &canvas, in: curve)
      y = curve.maxY
    }
    for line in bars where y < body.maxY {
      canvas.put(line, x: body.x, y: y, in: body)
      y += 1
    }
    for line in message where y < body.maxY {
      canvas.put(line, x: body.x, y: y, style: training.phase == .failed ? .error : .dim, in: body)
      y += 1
    }
  }

  private static func drawIdle(on canvas: inout Canvas, in body: Rect) {
    var y = body.y
    for text in ["Idle.", "/train lists lessons that teach all sizes while you chat; /train FILE takes your data."] {
      for line in Wrap.lines(text, width: max(1, body.width)) {
        canvas.put(line, x: body.x, y: y, style: .dim, in: body)
        y += 1
      }
    }
  }

  /// The phase, and what is learnt.
  private static func drawHead(
    _ training: TrainingStatus, glyphs: GlyphSet, on canvas: inout Canvas, in body: Rect
  ) {
    let end = canvas.put(
      training.phase.rawValue, x: body.x, y: body.y, style: phaseStyle(training.phase), in: body)
    if training.dataFile.isEmpty { return }
    let name = sanitiseLine(String(training.dataFile.split(separator: "/").last ?? ""))
    let room = body.maxX - end - 2
    if room > 4 {
      canvas.putRight(Wrap.truncate(name, width: room, ellipsis: glyphs.ellipsis), in: body, y: body.y, style: .dim)
    }
  }

  /// At most two lines; the transcript has the rest.
  private static func messageLines(_ text: String, glyphs: GlyphSet, width: Int) -> [String] {
    if text.isEmpty { return [] }
    var lines = Wrap.lines(glyphs.plain(sanitiseLine(text)), width: width)
    if lines.count > 2 {
      lines = [
        lines[0], Wrap.truncate(lines[1].trimmingWhitespace + " " + lines[2], width: width, ellipsis: glyphs.ellipsis),
      ]
    }
    return lines
  }

  /// In the pane's upper edge: what its keys do now.
  private static func drawKeys(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    func key(_ intent: Intent) -> String { Keymap.standard.name(of: intent, ascii: state.glyphs.isASCII) }
    let pause: [String] =
      switch state.training.phase {
      case .running, .preparing: ["\(key(.toggleTraining)) pauses"]
      case .paused: ["\(key(.toggleTraining)) resumes"]
      case .idle, .ending, .finished, .failed: []
      }
    let rest =
      switch state.training.phase {
      case .running, .paused: ["/save", "/stop"]
      case .finished, .idle: state.training.step > 0 ? ["/undo"] : []
      case .preparing, .ending, .failed: [String]()
      }
    let fold = ["\(key(.collapseTraining)) folds"]
    let candidates = [pause + rest + fold, pause + rest, pause, []].map {
      state.glyphs.plain($0.joined(separator: " · "))
    }
    let text = candidates.first { Glyphs.width(of: $0) + 16 <= rect.width } ?? ""
    if !text.isEmpty { canvas.putRight(" \(text) ", in: rect.inset(right: 1), y: rect.y, style: .dim) }
  }

  /// One line, where there is no room for a pane.
  static func drawLine(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let training = state.training
    var x = canvas.put(" training ", x: rect.x, y: rect.y, style: .title, in: rect)
    x = canvas.put(training.phase.rawValue, x: x, y: rect.y, style: phaseStyle(training.phase), in: rect)
    var parts = ["\(training.step)/\(training.totalSteps)"]
    if let loss = training.loss { parts.append("loss \(Format.loss(loss))") }
    if training.phase == .running, let left = training.secondsLeft { parts.append("\(Format.duration(left)) left") }
    if let loss = training.heldOutLoss { parts.append("held-out \(Format.loss(loss))") }
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
    case .paused, .ending: .warning
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
    if let loss = training.heldOutLoss { parts.append(glyphs.plain("× held-out \(Format.loss(loss))")) }
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
}

/// The curves and bars of the training pane.
enum TrainingCharts {
  /// The training loss as a line, the held-out loss as marks, so that they differ without colour.
  static func drawCurves(
    _ training: TrainingStatus, glyphs: GlyphSet, on canvas: inout Canvas, in rect: Rect
  ) {
    let values = training.lossCurve.filter(\.isFinite)
    let marks = training.heldOutCurve.filter(\.loss.isFinite)
    let all = values + marks.map(\.loss)
    guard values.count > 1, let low = all.min(), let high = all.max() else { return }
    canvas.put(String(Format.loss(high).prefix(4)), x: rect.x, y: rect.y, style: .dim, in: rect)
    canvas.put(String(Format.loss(low).prefix(4)), x: rect.x, y: rect.maxY - 1, style: .dim, in: rect)
    let plotRect = rect.inset(left: 5)
    var plot = Plot(columns: plotRect.width, rows: plotRect.height, isASCII: glyphs.isASCII)
    func y(_ value: Double) -> Int { plot.y(high > low ? (value - low) / (high - low) : 0.5) }
    for index in values.indices.dropFirst() {
      let x0 = plot.x(Double(index - 1) / Double(values.count - 1))
      let x1 = plot.x(Double(index) / Double(values.count - 1))
      plot.line(x0, y(values[index - 1]), x1, y(values[index]))
    }
    plot.draw(on: &canvas, in: plotRect, style: .graph)
    // With room between them, so that the line shows; the newest always.
    var next = Int.max
    for mark in marks.reversed() {
      let column = plot.x(Double(mark.step) / Double(max(1, training.step))) * plot.columns / max(1, plot.width)
      if next - column < 3 { continue }
      next = column
      let row = y(mark.loss) * plot.rows / max(1, plot.height)
      canvas.put(
        glyphs.isASCII ? "x" : "×", x: plotRect.x + column, y: plotRect.maxY - 1 - row, style: .graphSecond,
        in: plotRect)
    }
  }

  /// How often each stop was drawn and how important it is, in the order of the slider.
  static func bars(_ state: AppState, width: Int) -> [[Span]] {
    let training = state.training
    if state.stops.isEmpty { return [] }
    var lines: [[Span]] = []
    if !training.drawn.isEmpty {
      let counts = state.stops.map { training.drawn[$0.id] ?? 0 }
      var line = bars("drawn", counts.map(Double.init), glyphs: state.glyphs, width: width)
      let others = training.drawn.values.reduce(0, +) - counts.reduce(0, +)
      if others > 0 && width > counts.count + 25 { line.append(Span(" +\(others) others", .dim)) }
      lines.append(line)
    }
    let importance = state.stops.map { training.importance[$0.id] ?? 0 }
    if importance.contains(where: { $0 > 0 }) {
      lines.append(bars("importance", importance, glyphs: state.glyphs, width: width))
    }
    return lines
  }

  /// One column for a stop, or for several where there are many.
  private static func bars(_ name: String, _ values: [Double], glyphs: GlyphSet, width: Int) -> [Span] {
    var values = values.map { $0.isFinite ? max(0, $0) : 0 }
    let label = name.padding(to: 11)
    let room = max(1, width - 11)
    if values.count > room {
      let size = (values.count + room - 1) / room
      values = stride(from: 0, to: values.count, by: size).map {
        values[$0..<min($0 + size, values.count)].reduce(0, +)
      }
    }
    let most = values.max() ?? 0
    let bars = values.map { value -> Character in
      if value <= 0 { return glyphs.levels[0] }
      return glyphs.levels[max(1, Int((value / most * Double(glyphs.levels.count - 1)).rounded()))]
    }
    return [Span(label, .dim), Span(String(bars), .graphSecond)]
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

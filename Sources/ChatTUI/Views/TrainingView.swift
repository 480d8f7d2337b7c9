import ChatEngine

/// Adaptation in the background.
enum TrainingView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let glyphs = state.glyphs
    let training = state.training
    canvas.rule("Training", in: rect, glyphs: glyphs)
    drawKeys(state, on: &canvas, in: rect)
    let body = rect.inset(left: 1, top: 1, right: 1)
    if training.phase == .idle && training.step == 0 {
      var y = body.y
      for text in ["Idle.", "/train lists lessons that teach all sizes while you chat; /train FILE takes your data."] {
        for line in Wrap.lines(text, width: max(1, body.width)) {
          canvas.put(line, x: body.x, y: y, style: .dim, in: body)
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
      case .idle, .stopping, .finished, .failed: []
      }
    let rest =
      switch state.training.phase {
      case .running, .paused: ["/save", "/stop"]
      case .finished, .idle: state.training.step > 0 ? ["/undo"] : []
      case .preparing, .stopping, .failed: [String]()
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

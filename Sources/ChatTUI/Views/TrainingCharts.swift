import ChatEngine

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

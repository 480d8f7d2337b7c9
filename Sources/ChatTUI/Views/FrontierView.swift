import ChatEngine

/// Quality against cost; during a lesson the loss on it; where nothing was measured, size against cost.
enum FrontierView {
  /// What the plot shows: higher is better.
  struct Measure {
    var title: String
    var values: [(stop: Int, value: Double)]
    var label: (Double) -> String
    var isMeasured = true
    /// Of other weights than those in use.
    var isOld = false
  }

  /// When something was measured.
  static func time(of step: Int?) -> String { step.map { "at step \($0)" } ?? "without an adapter" }

  static func measure(_ state: AppState) -> Measure {
    let training = state.training
    if state.isTraining || state.isQualityOld {
      let losses = state.stops.indices.compactMap { index in
        training.stitchLosses[state.stops[index].id].map { (stop: index, value: -$0) }
      }
      if losses.count > 1 {
        return Measure(
          title: "Lesson loss at \(training.stitchLossesStep)", values: losses,
          label: { String(Format.loss(-$0).prefix(4)) })
      }
    }
    var measure = measure(state.stops)
    if state.isQualityOld && measure.isMeasured {
      measure.isOld = true
      measure.title = measure.title.replacing("by cost", with: time(of: state.summary?.measuredStep))
    }
    return measure
  }

  private static func measure(_ stops: [Stop]) -> Measure {
    let quality = stops.indices.compactMap { index in stops[index].quality.map { (stop: index, value: $0) } }
    if quality.count > 1 { return Measure(title: "Quality by cost", values: quality, label: Format.percent) }
    let agreement = stops.indices.compactMap { index in stops[index].agreement.map { (stop: index, value: $0) } }
    if agreement.count > 1 { return Measure(title: "Agreement by cost", values: agreement, label: Format.percent) }
    let loss = stops.indices.compactMap { index in stops[index].loss.map { (stop: index, value: -$0) } }
    if loss.count > 1 {
      return Measure(title: "Loss by cost", values: loss, label: { String(Format.loss(-$0).prefix(4)) })
    }
    let sizes = stops.indices.map { (stop: $0, value: Double(stops[$0].parameters)) }
    return Measure(
      title: "Size by cost", values: sizes, label: { Format.count(Int($0)) }, isMeasured: false)
  }

  /// What the ends of the slider make: measured here, or about what the family was measured to make.
  private static func speeds(_ state: AppState) -> (first: String, last: String)? {
    func text(_ stop: Stop?) -> String? {
      guard let stop, let speed = state.speed(of: stop) else { return nil }
      return "\(state.speeds[stop.id] == nil ? "≈" : "")\(Format.rate(speed)) tok/s"
    }
    guard let first = text(state.stops.first), let last = text(state.stops.last) else { return nil }
    return (first, last)
  }

  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let stops = state.stops
    let measure = measure(state)
    let graph: Style = measure.isOld ? .dim : .graph
    // Models that nobody compared make no curve.
    guard stops.isEmpty || measure.isMeasured || stops.contains(where: { $0.parameters > 0 }) else {
      return canvas.rule("Models", in: rect, glyphs: state.glyphs)
    }
    canvas.rule(stops.isEmpty ? "Frontier" : measure.title, in: rect, glyphs: state.glyphs)
    guard measure.values.count > 1, rect.height >= 5 else { return }
    let low = measure.values.map(\.value).min()!
    let high = measure.values.map(\.value).max()!
    let cheap = stops.first!.flopsPerToken
    let expensive = stops.last!.flopsPerToken
    let labels = [measure.label(high), measure.label(low)]
    let margin = labels.map { Glyphs.width(of: $0) }.max()! + 2
    // Speeds change as they are measured.
    let speeds = rect.height >= 8 ? Self.speeds(state) : nil
    let plotRect = rect.inset(left: margin, top: 1, right: 1, bottom: speeds == nil ? 1 : 2)
    let style = Style.dim
    canvas.put(labels[0], x: rect.x + margin - 1 - Glyphs.width(of: labels[0]), y: plotRect.y, style: style, in: rect)
    canvas.put(
      labels[1], x: rect.x + margin - 1 - Glyphs.width(of: labels[1]), y: plotRect.maxY - 1, style: style, in: rect)
    canvas.put(Format.flops(cheap), x: plotRect.x, y: plotRect.maxY, style: style, in: rect)
    canvas.putRight(Format.flops(expensive), in: rect.inset(right: 1), y: plotRect.maxY, style: style)
    if let speeds {
      let left = state.glyphs.plain(speeds.first)
      let right = state.glyphs.plain(speeds.last)
      canvas.put(left, x: plotRect.x, y: plotRect.maxY + 1, style: style, in: rect)
      canvas.putRight(right, in: rect.inset(right: 1), y: plotRect.maxY + 1, style: style)
    }

    var plot = Plot(columns: plotRect.width, rows: plotRect.height, isASCII: state.glyphs.isASCII)
    func part(_ value: Double, _ low: Double, _ high: Double) -> Double {
      high > low ? (value - low) / (high - low) : 0.5
    }
    let points = measure.values.map { point in
      (
        stop: point.stop, x: part(stops[point.stop].flopsPerToken, cheap, expensive),
        y: part(point.value, low, high)
      )
    }
    for (a, b) in zip(points, points.dropFirst()) { plot.line(plot.x(a.x), plot.y(a.y), plot.x(b.x), plot.y(b.y)) }
    plot.draw(on: &canvas, in: plotRect, style: graph)
    // Marks go over the curve, the chosen stop last.
    for point in points.filter({ $0.stop != state.slider.stop }) + points.filter({ $0.stop == state.slider.stop }) {
      let isHere = point.stop == state.slider.stop
      let mark = isHere ? state.glyphs.currentStop : state.glyphs.isASCII ? "o" : "•"
      // The cell that holds the curve's dot.
      let column = plot.x(point.x) * plot.columns / max(1, plot.width)
      let row = plot.y(point.y) * plot.rows / max(1, plot.height)
      canvas.put(
        String(mark), x: plotRect.x + column, y: plotRect.maxY - 1 - row, style: isHere ? .mark : graph, in: plotRect
      )
    }
  }
}

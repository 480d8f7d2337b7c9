import ChatEngine

/// Quality against cost; where nothing was measured, size against cost.
enum FrontierView {
  /// What the plot shows: higher is better.
  struct Measure {
    var title: String
    var values: [(stop: Int, value: Double)]
    var label: (Double) -> String
  }

  static func measure(_ stops: [Stop]) -> Measure {
    let quality = stops.indices.compactMap { index in stops[index].quality.map { (stop: index, value: $0) } }
    if quality.count > 1 { return Measure(title: "Quality by cost", values: quality, label: Format.percent) }
    let loss = stops.indices.compactMap { index in stops[index].loss.map { (stop: index, value: -$0) } }
    if loss.count > 1 {
      return Measure(title: "Loss by cost", values: loss, label: { String(Format.loss(-$0).prefix(4)) })
    }
    let sizes = stops.indices.map { (stop: $0, value: Double(stops[$0].parameters)) }
    return Measure(title: "Size by cost", values: sizes, label: { Format.count(Int($0)) })
  }

  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let stops = state.stops
    let measure = measure(stops)
    canvas.rule(stops.isEmpty ? "Frontier" : measure.title, in: rect, glyphs: state.glyphs)
    guard measure.values.count > 1, rect.height >= 5 else { return }
    let low = measure.values.map(\.value).min()!
    let high = measure.values.map(\.value).max()!
    let cheap = stops.first!.flopsPerToken
    let dear = stops.last!.flopsPerToken
    let labels = [measure.label(high), measure.label(low)]
    let margin = labels.map { Glyphs.width(of: $0) }.max()! + 2
    let plotRect = rect.inset(left: margin, top: 1, right: 1, bottom: 1)
    let style = Style.dim
    canvas.put(labels[0], x: rect.x + margin - 1 - Glyphs.width(of: labels[0]), y: plotRect.y, style: style, in: rect)
    canvas.put(
      labels[1], x: rect.x + margin - 1 - Glyphs.width(of: labels[1]), y: plotRect.maxY - 1, style: style, in: rect)
    canvas.put(Format.flops(cheap), x: plotRect.x, y: rect.maxY - 1, style: style, in: rect)
    canvas.putRight(Format.flops(dear), in: rect.inset(right: 1), y: rect.maxY - 1, style: style)

    var plot = Plot(columns: plotRect.width, rows: plotRect.height, isASCII: state.glyphs.isASCII)
    func part(_ value: Double, _ low: Double, _ high: Double) -> Double {
      high > low ? (value - low) / (high - low) : 0.5
    }
    let points = measure.values.map { point in
      (
        stop: point.stop, x: part(stops[point.stop].flopsPerToken, cheap, dear),
        y: part(point.value, low, high)
      )
    }
    for (a, b) in zip(points, points.dropFirst()) { plot.line(plot.x(a.x), plot.y(a.y), plot.x(b.x), plot.y(b.y)) }
    plot.draw(on: &canvas, in: plotRect, style: .graph)
    // Marks go over the curve, the chosen stop last.
    for point in points.filter({ $0.stop != state.stop }) + points.filter({ $0.stop == state.stop }) {
      let isHere = point.stop == state.stop
      let mark = isHere ? state.glyphs.currentStop : state.glyphs.isASCII ? "o" : "•"
      // The cell that holds the curve's dot.
      let column = plot.x(point.x) * plot.columns / max(1, plot.width)
      let row = plot.y(point.y) * plot.rows / max(1, plot.height)
      canvas.put(
        String(mark), x: plotRect.x + column, y: plotRect.maxY - 1 - row, style: isHere ? .mark : .graph, in: plotRect
      )
    }
  }
}

import Foundation

/// A chart of points and lines, as SVG: readable in light and dark, in any viewer, without a script. The same values give
/// the same text, byte for byte.
///
/// Points that have no place on an axis (not finite, not positive on a log10 axis) and values outside a given range are
/// left out.
public struct Chart: Sendable, Equatable {
  public var title: String
  public var x: Axis
  public var y: Axis
  public var series: [Series]
  /// In pixels at the usual size; the picture scales.
  public var width: Double
  public var height: Double

  public init(title: String, x: Axis, y: Axis, series: [Series], width: Double = 760, height: Double = 460) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
    self.width = width
    self.height = height
  }

  /// The whole document.
  public var svg: String { Drawing(self).document }
}

/// A chart with its coordinates worked out.
private struct Drawing {
  let chart: Chart
  let series: [Series]
  let legend: [[(index: Int, x: Double)]]
  let xRange: ClosedRange<Double>
  let yRange: ClosedRange<Double>
  let left = 66.0
  let right: Double
  let top: Double
  let bottom: Double

  init(_ chart: Chart) {
    self.chart = chart
    series = chart.series.map { series in
      var series = series
      series.points = series.points.filter { chart.x.accepts($0.x) && chart.y.accepts($0.y) }
      return series
    }
    xRange = chart.x.shownRange(of: series.flatMap { $0.points.map(\.x) })
    yRange = chart.y.shownRange(
      of: series.flatMap { $0.points.flatMap { [$0.y] + ($0.interval.map { [$0.lowerBound, $0.upperBound] } ?? []) } })
    right = chart.width - 22
    bottom = chart.height - 52
    // The legend's rows: entries side by side while there is room.
    var rows: [[(index: Int, x: Double)]] = []
    var place = Double.infinity
    for (index, entry) in series.enumerated() where !entry.name.isEmpty {
      let width = 34 + Self.width(entry.name)
      if place + width > chart.width - 22 {
        rows.append([])
        place = 66
      }
      rows[rows.count - 1].append((index, place))
      place += width + 16
    }
    legend = rows
    top = 40 + 18 * Double(rows.count)
  }

  /// About the width of a text of 12 pixels.
  private static func width(_ text: String) -> Double { 6.6 * Double(text.count) }

  private func x(_ value: Double) -> Double { left + chart.x.share(of: value, in: xRange) * (right - left) }
  private func y(_ value: Double) -> Double { bottom - chart.y.share(of: value, in: yRange) * (bottom - top) }
  private func n(_ value: Double) -> String { SVGText.number(value) }

  var document: String {
    var out = SVGText()
    out.open(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 \(n(chart.width)) \(n(chart.height))",
        "width": n(chart.width), "height": n(chart.height), "role": "img",
      ])
    out.element("title", [:], text: chart.title)
    out.verbatim(Palette.styleSheet)
    out.open("defs", [:])
    out.open("clipPath", ["id": "plot"])
    // A little wider than the frame, so that markers on it stay whole.
    out.element(
      "rect", ["x": n(left - 6), "y": n(top - 6), "width": n(right - left + 12), "height": n(bottom - top + 12)])
    out.close("clipPath")
    out.close("defs")
    out.element("rect", ["class": "back", "width": n(chart.width), "height": n(chart.height)])
    out.element("text", ["class": "title", "x": n(left), "y": "24"], text: chart.title)
    drawLegend(&out)
    drawAxes(&out)
    out.open("g", ["clip-path": "url(#plot)"])
    for (index, series) in series.enumerated() { draw(series, index, &out) }
    out.close("g")
    drawLabels(&out)
    out.close("svg")
    return out.text
  }

  private func drawLegend(_ out: inout SVGText) {
    for (row, entries) in legend.enumerated() {
      let y = 44 + 18 * Double(row)
      for entry in entries {
        let series = series[entry.index]
        out.open("g", ["class": name(series, entry.index)])
        if series.line != .none {
          line(["M\(n(entry.x)) \(n(y - 4))", "H\(n(entry.x + 24))"], series.line, &out)
        }
        mark(series.marker, entry.x + 12, y - 4, &out)
        out.close("g")
        out.element("text", ["x": n(entry.x + 30), "y": n(y)], text: series.name)
      }
    }
  }

  private func drawAxes(_ out: inout SVGText) {
    for tick in chart.x.ticks(in: xRange) {
      let place = n(x(tick))
      out.element("line", ["class": "grid", "x1": place, "y1": n(top), "x2": place, "y2": n(bottom)])
      out.element(
        "text", ["class": "small", "x": place, "y": n(bottom + 17), "text-anchor": "middle"], text: Axis.text(of: tick))
    }
    for tick in chart.y.ticks(in: yRange) {
      let place = y(tick)
      out.element("line", ["class": "grid", "x1": n(left), "y1": n(place), "x2": n(right), "y2": n(place)])
      out.element(
        "text", ["class": "small", "x": n(left - 8), "y": n(place + 4), "text-anchor": "end"], text: Axis.text(of: tick)
      )
    }
    out.element(
      "rect", ["class": "frame", "x": n(left), "y": n(top), "width": n(right - left), "height": n(bottom - top)])
    out.element(
      "text", ["x": n((left + right) / 2), "y": n(chart.height - 14), "text-anchor": "middle"], text: chart.x.label)
    let middle = n((top + bottom) / 2)
    out.element(
      "text", ["x": "16", "y": middle, "text-anchor": "middle", "transform": "rotate(-90 16 \(middle))"],
      text: chart.y.label)
  }

  private func name(_ series: Series, _ index: Int) -> String {
    "s\(abs(series.colour ?? index) % Palette.light.count)"
  }

  private func draw(_ series: Series, _ index: Int, _ out: inout SVGText) {
    out.open("g", ["class": name(series, index)])
    drawSpread(series, &out)
    if series.line != .none, let first = series.points.first {
      var path = ["M\(n(x(first.x))) \(n(y(first.y)))"]
      for point in series.points.dropFirst() {
        if series.line == .staircase {
          path += ["H\(n(x(point.x)))", "V\(n(y(point.y)))"]
        } else {
          path.append("L\(n(x(point.x))) \(n(y(point.y)))")
        }
      }
      line(path, series.line, &out)
    }
    for point in series.points where isShown(point) { mark(series.marker, x(point.x), y(point.y), &out) }
    out.close("g")
  }

  private func drawSpread(_ series: Series, _ out: inout SVGText) {
    let spread = series.points.compactMap { point in
      point.interval.flatMap {
        chart.y.accepts($0.lowerBound) && chart.y.accepts($0.upperBound)
          ? (x: x(point.x), low: y($0.lowerBound), high: y($0.upperBound)) : nil
      }
    }
    guard !spread.isEmpty else { return }
    switch series.spread {
    case .band:
      let corners = spread.map { "\(n($0.x)),\(n($0.high))" } + spread.reversed().map { "\(n($0.x)),\(n($0.low))" }
      out.element(
        "polygon",
        ["points": corners.joined(separator: " "), "fill": "currentColor", "fill-opacity": "0.18", "stroke": "none"])
    case .bars:
      for bar in spread {
        out.element(
          "path",
          [
            "d":
              "M\(n(bar.x)) \(n(bar.low))V\(n(bar.high))M\(n(bar.x - 3)) \(n(bar.low))h6M\(n(bar.x - 3)) \(n(bar.high))h6",
            "stroke": "currentColor", "fill": "none",
          ])
      }
    }
  }

  private func line(_ path: [String], _ line: Series.Line, _ out: inout SVGText) {
    out.element(
      "path",
      [
        "d": path.joined(), "stroke": "currentColor", "stroke-width": "1.8", "fill": "none", "stroke-linejoin": "round",
        "stroke-dasharray": line == .dashed ? "6 4" : "none",
      ])
  }

  private func mark(_ marker: Series.Marker, _ x: Double, _ y: Double, _ out: inout SVGText) {
    func shape(_ path: String) { out.element("path", ["d": path, "fill": "currentColor"]) }
    switch marker {
    case .none: break
    case .circle: out.element("circle", ["cx": n(x), "cy": n(y), "r": "4", "fill": "currentColor"])
    case .ring:
      out.element(
        "circle", ["cx": n(x), "cy": n(y), "r": "4", "fill": "none", "stroke": "currentColor", "stroke-width": "1.6"])
    case .square: shape("M\(n(x - 3.5)) \(n(y - 3.5))h7v7h-7z")
    case .triangle: shape("M\(n(x)) \(n(y - 5))l4.5 8h-9z")
    case .diamond: shape("M\(n(x)) \(n(y - 5))l5 5l-5 5l-5 -5z")
    case .cross:
      out.element(
        "path",
        [
          "d": "M\(n(x - 4)) \(n(y - 4))l8 8m0 -8l-8 8", "stroke": "currentColor", "stroke-width": "1.8",
          "fill": "none",
        ])
    }
  }

  private func isShown(_ point: Series.Point) -> Bool {
    (-1e-9...1 + 1e-9).contains(chart.x.share(of: point.x, in: xRange))
      && (-1e-9...1 + 1e-9).contains(chart.y.share(of: point.y, in: yRange))
  }

  /// Labels beside their points: above, below, right or left, wherever first nothing else is in the way.
  private func drawLabels(_ out: inout SVGText) {
    struct Box {
      var x: Double, y: Double, width: Double, height: Double
      func overlaps(_ other: Box) -> Bool {
        x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
      }
    }
    let points = series.flatMap { $0.points.filter(isShown) }
    var taken = points.map { Box(x: x($0.x) - 4, y: y($0.y) - 4, width: 8, height: 8) }
    for point in points {
      guard let label = point.label, !label.isEmpty else { continue }
      let (px, py, width) = (x(point.x), y(point.y), Self.width(label) * 11 / 12)
      let boxes = [
        (-width / 2, -18.0), (-width / 2, 7), (7, -6), (-width - 7, -6), (5, -18), (-width - 5, -18), (5, 7),
        (-width - 5, 7),
      ]
      .map { Box(x: px + $0.0, y: py + $0.1, width: width, height: 12) }
      func fits(_ box: Box) -> Bool {
        box.x >= left && box.x + box.width <= right && box.y >= top && box.y + box.height <= bottom
          && !taken.contains(where: box.overlaps)
      }
      var box = boxes.first(where: fits) ?? boxes[0]
      box.x = min(max(box.x, 2), chart.width - width - 2)
      taken.append(box)
      out.element("text", ["class": "small", "x": n(box.x), "y": n(box.y + 10)], text: label)
    }
  }
}

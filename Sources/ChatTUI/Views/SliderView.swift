import ChatEngine

/// The slider over the family's stops, spaced by cost, and what the chosen stop is.
enum SliderView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let isTall = rect.height == 3
    if isTall { canvas.rule(heading(state), in: rect, glyphs: state.glyphs) }
    drawTrack(state, on: &canvas, in: rect, y: rect.y + (isTall ? 1 : 0))
    drawDetails(state, on: &canvas, in: rect, y: rect.maxY - 1)
  }

  private static func heading(_ state: AppState) -> String {
    guard let stop = state.currentStop else { return "Size" }
    var text = "Size \(state.stop + 1)/\(state.stops.count) · \(sanitiseLine(stop.id))"
    if let running = state.otherRunningStitch {
      text += " · from the next reply on (now \(sanitiseLine(running)))"
    }
    return state.glyphs.plain(text)
  }

  /// The track's columns, left and right end included.
  private static func track(_ state: AppState) -> (left: Int, right: Int) {
    let rect = state.layout.slider
    let (first, last) = ends(state)
    return (
      rect.x + 1 + (first.isEmpty ? 0 : Glyphs.width(of: first) + 1),
      rect.maxX - 2 - (last.isEmpty ? 0 : Glyphs.width(of: last) + 1)
    )
  }

  /// What stands before and after the track.
  private static func ends(_ state: AppState) -> (String, String) {
    guard let first = state.stops.first, let last = state.stops.last, let current = state.currentStop else {
      return ("", "")
    }
    let width = state.layout.slider.width
    if state.layout.slider.height == 3 {
      let a = sanitiseLine(first.id)
      let b = sanitiseLine(last.id)
      return max(Glyphs.width(of: a), Glyphs.width(of: b)) <= width / 5 ? (a, b) : ("", "")
    }
    let next = state.otherRunningStitch == nil ? "" : " next"
    let label = "\(state.stop + 1)/\(state.stops.count) \(sanitiseLine(current.id))\(next)"
    return ("", Wrap.truncate(label, width: width / 2, ellipsis: state.glyphs.ellipsis))
  }

  /// The column of every stop: by cost, with at least one column between neighbours where there is room.
  static func columns(_ state: AppState) -> [Int] {
    let (left, right) = track(state)
    let stops = state.stops
    guard let first = stops.first, let last = stops.last, stops.count > 1 else { return stops.isEmpty ? [] : [left] }
    let span = last.flopsPerToken - first.flopsPerToken
    let gap = right - left >= 2 * (stops.count - 1) ? 2 : 1
    var columns = stops.indices.map { index in
      let part =
        span > 0 ? (stops[index].flopsPerToken - first.flopsPerToken) / span : Double(index) / Double(stops.count - 1)
      return left + Int((part * Double(right - left)).rounded())
    }
    for index in columns.indices.dropFirst() { columns[index] = max(columns[index], columns[index - 1] + gap) }
    columns[columns.count - 1] = min(right, columns[columns.count - 1])
    for index in columns.indices.dropLast().reversed() {
      columns[index] = max(left, min(columns[index], columns[index + 1] - gap))
    }
    return columns
  }

  private static func drawTrack(_ state: AppState, on canvas: inout Canvas, in rect: Rect, y: Int) {
    let glyphs = state.glyphs
    let (left, right) = track(state)
    let (first, last) = ends(state)
    canvas.put(first, x: rect.x + 1, y: y, style: .dim, in: rect)
    canvas.put(last, x: right + 2, y: y, style: rect.height == 3 ? .dim : .accent, in: rect)
    let columns = columns(state)
    guard left <= right else { return }
    guard columns.indices.contains(state.stop) else {
      canvas.fill(Rect(x: left, y: y, width: right - left + 1, height: 1), glyphs.trackAhead, style: .dim)
      return
    }
    let here = columns[state.stop]
    canvas.fill(Rect(x: left, y: y, width: here - left, height: 1), glyphs.trackDone, style: .accent)
    canvas.fill(Rect(x: here, y: y, width: right - here + 1, height: 1), glyphs.trackAhead, style: .dim)
    for (index, column) in columns.enumerated() {
      let isHere = index == state.stop
      canvas.put(
        String(isHere ? glyphs.currentStop : glyphs.stop), x: column, y: y,
        style: isHere ? .mark : index < state.stop ? .accent : .dim, in: rect)
    }
  }

  private static func drawDetails(_ state: AppState, on canvas: inout Canvas, in rect: Rect, y: Int) {
    guard let stop = state.currentStop else { return }
    let route = sanitiseLine(stop.route)
    let count = Format.count(stop.parameters)
    let flops = Format.flops(stop.flopsPerToken)
    let speed = state.speed(of: stop).map { "\(Format.rate($0)) tok/s" }
    let quality = Format.quality(of: stop)
    func join(_ parts: [String?]) -> String { state.glyphs.plain(parts.compactMap { $0 }.joined(separator: " · ")) }
    let candidates = [
      join([route, "\(count) parameters", "\(flops)/token", speed, quality]),
      join([route, count, flops, speed, quality]),
      join([count, flops, speed, quality]),
      join([count, speed, quality]),
    ]
    let room = rect.width - 2
    let text = candidates.first { Glyphs.width(of: $0) <= room } ?? candidates[candidates.count - 1]
    canvas.put(Wrap.truncate(text, width: room, ellipsis: state.glyphs.ellipsis), x: rect.x + 1, y: y, in: rect)
  }
}

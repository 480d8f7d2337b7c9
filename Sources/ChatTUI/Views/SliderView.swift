import ChatEngine

/// The slider over the family's stops, spaced by cost, and what the chosen stop is.
enum SliderView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    let isTall = rect.height == 3
    if isTall { drawHeading(state, on: &canvas, in: rect) }
    drawTrack(state, on: &canvas, in: rect, y: rect.y + (isTall ? 1 : 0))
    drawDetails(state, on: &canvas, in: rect, y: rect.maxY - 1)
  }

  /// What the slider stands on, and on the right what moves it and what a move costs; as much as there is room for.
  private static func drawHeading(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    guard let stop = state.currentStop else {
      canvas.rule("Size", in: rect, glyphs: state.glyphs)
      return
    }
    let name = "Size \(state.slider.stop + 1)/\(state.stops.count) · \(sanitiseLine(stop.id))"
    var lefts = [name]
    if let running = state.otherRunningStitch.map({ sanitiseLine($0) }) {
      lefts = [
        "\(name) · from the next reply on (now \(running))", "\(name) · next (now \(running))", "\(name) · next",
      ]
    }
    let rights = self.rights(state, stop).map { state.glyphs.plain($0) }
    lefts = lefts.map { state.glyphs.plain($0) }
    func fits(_ left: String, _ right: String) -> Bool {
      Glyphs.width(of: left) + Glyphs.width(of: right) + 8 <= rect.width
    }
    let left = lefts.first { fits($0, rights[rights.count - 1]) } ?? lefts[lefts.count - 1]
    let right = rights.first { fits(left, $0) } ?? ""
    canvas.rule(left, in: rect, glyphs: state.glyphs)
    if !right.isEmpty {
      canvas.putRight(" \(right) ", in: rect.inset(right: 1), y: rect.y, style: state.slider.auto == nil ? .dim : .mark)
    }
  }

  /// From all there is to say to the least.
  private static func rights(_ state: AppState, _ stop: Stop) -> [String] {
    let isPrefilling = state.cache?.isPrefilling == true && state.switchCost(to: stop) != .instant
    let cost =
      state.contextTokens == 0
      ? nil : isPrefilling ? "new adapter: reading again" : switchText(state.switchCost(to: stop))
    guard let target = state.slider.auto?.target else { return (cost.map { [$0] } ?? []) + [""] }
    let auto = "auto ≥ \(Format.rate(target)) tok/s"
    return (cost.map { ["\(auto) · \($0)"] } ?? []) + [auto, "auto"]
  }

  private static func switchText(_ cost: SwitchCost) -> String {
    switch cost {
    case .instant: "switch instant"
    case .seconds(let seconds): "switch ≈ \(Format.brief(seconds: seconds))"
    case .tokens(let count): "switch reads \(count) tokens"
    }
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
    let next = state.otherRunningStitch == nil ? "" : "next "
    let auto = state.slider.auto == nil ? "" : "auto "
    let label = "\(auto)\(next)\(state.slider.stop + 1)/\(state.stops.count) \(sanitiseLine(current.id))"
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
    guard columns.indices.contains(state.slider.stop) else {
      canvas.fill(Rect(x: left, y: y, width: right - left + 1, height: 1), glyphs.trackAhead, style: .dim)
      return
    }
    let here = columns[state.slider.stop]
    canvas.fill(Rect(x: left, y: y, width: here - left, height: 1), glyphs.trackDone, style: .accent)
    canvas.fill(Rect(x: here, y: y, width: right - here + 1, height: 1), glyphs.trackAhead, style: .dim)
    for (index, column) in columns.enumerated() {
      let isHere = index == state.slider.stop
      canvas.put(
        String(isHere ? glyphs.currentStop : glyphs.stop), x: column, y: y,
        style: isHere ? .mark : index < state.slider.stop ? .accent : .dim, in: rect)
    }
  }

  private static func drawDetails(_ state: AppState, on canvas: inout Canvas, in rect: Rect, y: Int) {
    guard let stop = state.currentStop else { return }
    let route = stop.route.isEmpty ? nil : sanitiseLine(stop.route)
    // Of a server's models little may be known.
    let count = stop.parameters > 0 ? Format.count(stop.parameters) : nil
    let flops = stop.flopsPerToken > 0 ? Format.flops(stop.flopsPerToken) : nil
    // What was not measured here is only about right.
    let about = state.speeds[stop.id] == nil ? "≈" : ""
    let speed = state.speed(of: stop)
    let time = speed.map { "\(about)\(Format.brief(seconds: 1 / $0))" }
    let perToken = time.map { "\($0)/token" }
    let rate = speed.map { "\(about)\(Format.rate($0)) tok/s" }
    let quality = Self.quality(state, stop, long: false)
    func join(_ parts: [String?]) -> String { state.glyphs.plain(parts.compactMap { $0 }.joined(separator: " · ")) }
    let candidates = [
      join([
        route, count.map { "\($0) parameters" }, flops.map { "\($0)/token" }, perToken, rate,
        Self.quality(state, stop, long: true),
      ]),
      join([route, count, flops, perToken, rate, quality]),
      join([route, count, flops, perToken, quality]),
      join([route, count, flops, time, quality]),
      join([count, flops, perToken, quality]),
      join([count, perToken, quality]),
    ]
    let room = rect.width - 2
    let text = candidates.first { Glyphs.width(of: $0) <= room } ?? candidates[candidates.count - 1]
    canvas.put(Wrap.truncate(text, width: room, ellipsis: state.glyphs.ellipsis), x: rect.x + 1, y: y, in: rect)
  }

  /// Quality or loss; measured with another adapter than the one in use, it is told as what it was.
  private static func quality(_ state: AppState, _ stop: Stop, long: Bool) -> String? {
    guard let quality = Format.quality(of: stop) else { return nil }
    if !state.isQualityOld { return quality }
    let past = quality.replacing(" ", with: " was ", maxReplacements: 1)
    return long ? "\(past) \(FrontierView.time(of: state.summary?.measuredStep))" : past
  }
}

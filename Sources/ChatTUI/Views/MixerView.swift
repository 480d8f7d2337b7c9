import ChatEngine

/// The second slider, under the first: between two adapters.
enum MixerView {
  private static func label(_ state: AppState) -> String { state.width >= 60 ? " Mix  " : " " }

  private static func share(_ state: AppState) -> String {
    let percent = "\(state.mixer.percent)%"
    return state.mixer.command == nil ? percent : "\(percent) next"
  }

  /// The track's columns, left and right end included.
  static func track(_ state: AppState) -> (left: Int, right: Int) {
    let rect = state.layout.mixer
    guard let ends = state.mixer.ends else { return (rect.x, rect.x) }
    return (
      rect.x + Glyphs.width(of: label(state)) + Glyphs.width(of: ends.left.title) + 1,
      // Room for the longest.
      rect.maxX - Glyphs.width(of: ends.right.title) - 13
    )
  }

  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    guard let ends = state.mixer.ends else { return }
    let glyphs = state.glyphs
    let (left, right) = track(state)
    let x = canvas.put(label(state), x: rect.x, y: rect.y, style: .title, in: rect)
    canvas.put(ends.left.title, x: x, y: rect.y, style: .dim, in: rect)
    canvas.put(ends.right.title, x: right + 2, y: rect.y, style: .dim, in: rect)
    canvas.putRight(share(state), in: rect.inset(right: 1), y: rect.y, style: .accent)
    guard left <= right else { return }
    let here = left + Int((Double(state.mixer.percent) / 100 * Double(right - left)).rounded())
    canvas.fill(Rect(x: left, y: rect.y, width: here - left, height: 1), glyphs.trackDone, style: .accent)
    canvas.fill(Rect(x: here, y: rect.y, width: right - here + 1, height: 1), glyphs.trackAhead, style: .dim)
    canvas.put(String(glyphs.currentStop), x: here, y: rect.y, style: .mark, in: rect)
  }
}

import ChatTUI
import Testing

/// Compares a part of a screen with what was approved.
func expectPart(
  _ state: AppState, _ part: KeyPath<ScreenLayout, Rect>, _ name: String,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let rect = state.layout[keyPath: part]
  var canvas = Canvas(width: state.width, height: state.height)
  view(state, &canvas)
  var rows = (rect.y..<rect.maxY).map { y in
    var row = (rect.x..<rect.maxX).map { canvas[$0, y].text }.joined()
    while row.last == " " { row.removeLast() }
    return row
  }
  while rows.last == "" { rows.removeLast() }
  try Golden.compare(rows, with: name, sourceLocation: sourceLocation)
}

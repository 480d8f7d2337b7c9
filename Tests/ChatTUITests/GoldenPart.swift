import ChatTUI
import Testing

/// Compares a part of a screen with a drawing of it.
func expectPart(
  _ state: AppState, _ part: KeyPath<ScreenLayout, Rect>, _ drawing: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let rect = state.layout[keyPath: part]
  var canvas = Canvas(width: state.width, height: state.height)
  view(state, &canvas)
  var rows = (rect.y..<rect.maxY).map { y in
    var row = (rect.x..<rect.maxX).map { canvas[$0, y].text }.joined()
    while row.last == " " { row.removeLast() }
    return row
  }
  while rows.last == "" { rows.removeLast() }
  let drawn = rows.joined(separator: "\n")
  #expect(drawn == drawing, "is:\n\(drawn)\n", sourceLocation: sourceLocation)
}

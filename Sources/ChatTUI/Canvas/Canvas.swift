/// A rectangle of cells; `x` and `y` count from the upper left corner.
package struct Rect: Sendable, Equatable {
  package var x: Int
  package var y: Int
  package var width: Int
  package var height: Int

  package init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = max(0, width)
    self.height = max(0, height)
  }

  package static let empty = Rect(x: 0, y: 0, width: 0, height: 0)
  package var isEmpty: Bool { width == 0 || height == 0 }
  package var maxX: Int { x + width }
  package var maxY: Int { y + height }

  package func contains(x px: Int, y py: Int) -> Bool { px >= x && px < maxX && py >= y && py < maxY }

  package func inset(left: Int = 0, top: Int = 0, right: Int = 0, bottom: Int = 0) -> Rect {
    Rect(x: x + left, y: y + top, width: width - left - right, height: height - top - bottom)
  }
  package func row(_ index: Int) -> Rect { Rect(x: x, y: y + index, width: width, height: 1) }
}

/// One cell. A wide glyph is a cell of width 2 followed by its continuation, of width 0 and without text.
package struct Cell: Sendable, Equatable {
  package var text: String
  package var width: Int
  package var style: Style

  package static let blank = Cell(text: " ", width: 1, style: .text)
}

/// A piece of a line in one style.
package struct Span: Sendable, Equatable {
  package var text: String
  package var style: Style

  package init(_ text: String, _ style: Style = .text) {
    self.text = text
    self.style = style
  }
}

/// A grid of cells that views draw into. Nothing drawn leaves the rectangle it was drawn in, and no control
/// character enters a cell, whatever the text.
package struct Canvas: Sendable, Equatable {
  package let width: Int
  package let height: Int
  package private(set) var cells: [Cell]
  /// Where the terminal's cursor shows; `nil` hides it.
  package var cursor: (x: Int, y: Int)?

  package init(width: Int, height: Int) {
    self.width = max(0, width)
    self.height = max(0, height)
    cells = Array(repeating: .blank, count: self.width * self.height)
  }

  package var bounds: Rect { Rect(x: 0, y: 0, width: width, height: height) }

  package subscript(x: Int, y: Int) -> Cell { cells[y * width + x] }

  package static func == (a: Canvas, b: Canvas) -> Bool {
    a.width == b.width && a.height == b.height && a.cells == b.cells && a.cursor?.x == b.cursor?.x
      && a.cursor?.y == b.cursor?.y
  }

  /// Draws one line of text from (x, y), clipped to `clip`; a wide glyph that would be cut in half shows as a space.
  /// - Returns: the column after the text, as if nothing had been clipped on the right.
  @discardableResult
  package mutating func put(
    _ text: some StringProtocol, x: Int, y: Int, style: Style = .text, in clip: Rect? = nil
  )
    -> Int
  {
    let clip = clip ?? bounds
    let visibleRow = y >= 0 && y < height && y >= clip.y && y < clip.maxY
    let left = max(0, clip.x)
    let right = min(width, clip.maxX)
    var column = x
    for character in text {
      for glyph in Glyphs.split(character) {
        if visibleRow {
          if column >= left && column + glyph.width <= right {
            set(glyph, x: column, y: y, style: style)
          } else {
            for x in max(column, left)..<max(max(column, left), min(column + glyph.width, right)) {
              set(Glyph(text: " ", width: 1), x: x, y: y, style: style)
            }
          }
        }
        column += glyph.width
      }
    }
    return column
  }

  /// Draws the spans one after the other.
  @discardableResult
  package mutating func put(_ spans: [Span], x: Int, y: Int, in clip: Rect? = nil) -> Int {
    var column = x
    for span in spans { column = put(span.text, x: column, y: y, style: span.style, in: clip) }
    return column
  }

  /// Draws text that ends at the right edge of `rect`.
  package mutating func putRight(_ text: String, in rect: Rect, y: Int, style: Style = .text) {
    put(text, x: rect.maxX - Glyphs.width(of: text), y: y, style: style, in: rect)
  }

  /// Fills a rectangle with one narrow character.
  package mutating func fill(_ rect: Rect, _ character: Character = " ", style: Style = .text) {
    let line = String(repeating: character, count: rect.width)
    for y in rect.y..<rect.maxY { put(line, x: rect.x, y: y, style: style, in: rect) }
  }

  /// Changes the style of what is drawn already.
  package mutating func restyle(_ rect: Rect, _ style: Style) {
    for y in max(0, rect.y)..<max(0, min(height, rect.maxY)) {
      for x in max(0, rect.x)..<max(0, min(width, rect.maxX)) { cells[y * width + x].style = style }
    }
  }

  /// A horizontal line with a title in it.
  package mutating func rule(_ title: String = "", in rect: Rect, glyphs: GlyphSet, style: Style = .rule) {
    fill(rect.row(0), glyphs.horizontal, style: style)
    if !title.isEmpty && rect.width > 6 {
      let text = Wrap.truncate(title, width: rect.width - 4, ellipsis: glyphs.ellipsis)
      put(" \(text) ", x: rect.x + 1, y: rect.y, style: .title, in: rect)
    }
  }

  private mutating func set(_ glyph: Glyph, x: Int, y: Int, style: Style) {
    let index = y * width + x
    // Half of a wide glyph cannot stay.
    if cells[index].width == 0 && x > 0 {
      cells[index - 1] = Cell(text: " ", width: 1, style: cells[index - 1].style)
    }
    let last = index + glyph.width - 1
    if cells[last].width == 2 && x + glyph.width < width {
      cells[last + 1] = Cell(text: " ", width: 1, style: cells[last + 1].style)
    }
    cells[index] = Cell(text: glyph.text, width: glyph.width, style: style)
    if glyph.width == 2 { cells[index + 1] = Cell(text: "", width: 0, style: style) }
  }

  /// The text of every row, without the spaces at its end.
  package func dump() -> [String] {
    (0..<height).map { y in
      var row = ""
      for x in 0..<width { row += self[x, y].text }
      while row.last == " " { row.removeLast() }
      return row
    }
  }
}

extension Canvas {
  /// Clears a rectangle and draws a frame around it: a title above, a remark at the right below.
  package mutating func box(_ title: String, remark: String, in frame: Rect, glyphs: GlyphSet) {
    fill(frame)
    rule(title, in: frame, glyphs: glyphs)
    rule(in: frame.row(frame.height - 1), glyphs: glyphs)
    for y in (frame.y + 1)..<max(frame.y + 1, frame.maxY - 1) {
      put(String(glyphs.vertical), x: frame.x, y: y, style: .rule)
      put(String(glyphs.vertical), x: frame.maxX - 1, y: y, style: .rule)
    }
    let corners: [(Int, Int, String)] = [
      (frame.x, frame.y, "┌"), (frame.maxX - 1, frame.y, "┐"), (frame.x, frame.maxY - 1, "└"),
      (frame.maxX - 1, frame.maxY - 1, "┘"),
    ]
    for (x, y, corner) in corners { put(glyphs.isASCII ? "+" : corner, x: x, y: y, style: .rule) }
    putRight(glyphs.plain(remark), in: frame.inset(left: 1, right: 2), y: frame.maxY - 1, style: .dim)
  }
}

/// A small plot: eight dots to a cell in braille, or one to a cell in ASCII.
package struct Plot: Sendable {
  package let columns: Int
  package let rows: Int
  package let isASCII: Bool
  private var dots: [UInt8]

  package init(columns: Int, rows: Int, isASCII: Bool) {
    self.columns = max(0, columns)
    self.rows = max(0, rows)
    self.isASCII = isASCII
    dots = Array(repeating: 0, count: self.columns * self.rows)
  }

  /// Dots across and down.
  package var width: Int { isASCII ? columns : columns * 2 }
  package var height: Int { isASCII ? rows : rows * 4 }

  /// Sets the dot at column `x` from the left and row `y` from the *bottom*.
  package mutating func set(_ x: Int, _ y: Int) {
    guard x >= 0, y >= 0, x < width, y < height else { return }
    let down = height - 1 - y
    if isASCII {
      dots[down * columns + x] = 1
    } else {
      // Braille numbers its dots 1 2 3 7 in the left column and 4 5 6 8 in the right.
      let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
      dots[down / 4 * columns + x / 2] |= bits[down % 4][x % 2]
    }
  }

  /// A straight line between two dots.
  package mutating func line(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int) {
    let steps = max(abs(x1 - x0), abs(y1 - y0))
    if steps == 0 { return set(x0, y0) }
    for step in 0...steps {
      let part = Double(step) / Double(steps)
      set(
        Int((Double(x0) + part * Double(x1 - x0)).rounded()),
        Int((Double(y0) + part * Double(y1 - y0)).rounded()))
    }
  }

  /// The dot for a value in 0…1.
  package func x(_ part: Double) -> Int { Self.dot(part, width) }
  package func y(_ part: Double) -> Int { Self.dot(part, height) }

  private static func dot(_ part: Double, _ count: Int) -> Int {
    let clamped = part.isFinite ? min(1, max(0, part)) : 0
    return Int((clamped * Double(max(0, count - 1))).rounded())
  }

  /// Draws the cells that have a dot.
  package func draw(on canvas: inout Canvas, in rect: Rect, style: Style) {
    for row in 0..<rows {
      for column in 0..<columns where dots[row * columns + column] != 0 {
        let text =
          isASCII ? "." : String(Unicode.Scalar(0x2800 + UInt32(dots[row * columns + column]))!)
        canvas.put(text, x: rect.x + column, y: rect.y + row, style: style, in: rect)
      }
    }
  }
}

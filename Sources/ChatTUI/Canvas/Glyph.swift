import CTextWidth

/// What one cell of a terminal can show: a spacing scalar and the zero-width ones on it.
package struct Glyph: Sendable, Equatable {
  package var text: String
  /// Columns: 1 or 2.
  package var width: Int

  package init(text: String, width: Int) {
    self.text = text
    self.width = width
  }
}

/// Measures and splits text the way the terminal will show it.
///
/// A cell of ncurses holds one spacing scalar and at most four zero-width ones, so not every grapheme fits a cell:
/// of a joined emoji the first is shown, skin tones and presentation selectors are left out, a flag shows as its
/// two letters, and a cluster with several spacing scalars takes several cells.
package enum Glyphs {
  /// Columns of a scalar: 0, 1 or 2; −1 if it cannot be printed.
  package static func width(of scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x7F && scalar.value >= 0x20 { return 1 }
    return Int(ctw_scalar_width(scalar.value))
  }

  /// The cells of one grapheme.
  package static func split(_ character: Character) -> [Glyph] {
    if let ascii = character.asciiValue {
      return ascii >= 0x20 && ascii < 0x7F ? [Glyph(text: String(character), width: 1)] : [replacement]
    }
    var glyphs: [Glyph] = []
    var marks = 0
    var joined = false
    for scalar in character.unicodeScalars {
      switch scalar.value {
      case 0x200D:
        joined = true
        continue
      case 0xFE00...0xFE0F, 0xE0000...0xE0FFF: continue
      // Invisible formatting, which could reorder or hide what stands around it.
      case 0x200B...0x200F, 0x202A...0x202E, 0x2060...0x206F, 0xFEFF, 0x061C, 0xFFF9...0xFFFB, 0x00AD:
        if character.unicodeScalars.count == 1 { return [replacement] }
        continue
      case 0x1F3FB...0x1F3FF where !glyphs.isEmpty: continue
      case 0x1F1E6...0x1F1FF:
        let letter = Unicode.Scalar(UInt8(scalar.value - 0x1F1E6 + 0x41))
        glyphs.append(Glyph(text: String(letter), width: 1))
        marks = 0
        continue
      default: break
      }
      if joined && !glyphs.isEmpty && scalar.properties.isEmoji { continue }
      let width = width(of: scalar)
      if width < 0 {
        glyphs.append(replacement)
        marks = 0
      } else if width == 0 {
        if glyphs.isEmpty { glyphs.append(Glyph(text: "\u{25CC}", width: 1)) }
        if marks < 4 {
          glyphs[glyphs.count - 1].text.unicodeScalars.append(scalar)
          marks += 1
        }
      } else {
        glyphs.append(Glyph(text: String(Character(scalar)), width: width))
        marks = 0
      }
    }
    return glyphs.isEmpty ? [replacement] : glyphs
  }

  /// Columns of one grapheme.
  package static func width(of character: Character) -> Int {
    if let ascii = character.asciiValue, ascii >= 0x20, ascii < 0x7F { return 1 }
    return split(character).reduce(0) { $0 + $1.width }
  }

  /// Columns of a line of text.
  package static func width(of text: some StringProtocol) -> Int {
    text.reduce(0) { $0 + width(of: $1) }
  }

  /// What stands for something that must not or cannot be printed.
  package static let replacement = Glyph(text: "\u{FFFD}", width: 1)
}

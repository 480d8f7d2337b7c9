import ChatTUI
import Testing

@Suite struct WidthTests {
  @Test func scriptsAndMarks() {
    #expect(Glyphs.width(of: "abc") == 3)
    #expect(Glyphs.width(of: "漢字") == 4)
    #expect(Glyphs.width(of: "한글") == 4)
    #expect(Glyphs.width(of: "e\u{301}") == 1)
    #expect(Glyphs.width(of: "😀") == 2)
  }

  @Test func graphemesThatFitNoCellFallBack() {
    // A family is its first member, a skin tone is left out, a flag is its letters.
    #expect(Glyphs.split("👩‍👩‍👧") == [Glyph(text: "👩", width: 2)])
    #expect(Glyphs.split("👍🏽") == [Glyph(text: "👍", width: 2)])
    #expect(Glyphs.split("🇩🇪") == [Glyph(text: "D", width: 1), Glyph(text: "E", width: 1)])
    // More marks than a cell of ncurses holds.
    let tower = Character("e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}")
    #expect(Glyphs.split(tower)[0].text.unicodeScalars.count == 5)
    // A mark without a base.
    #expect(Glyphs.split("\u{301}") == [Glyph(text: "\u{25CC}\u{301}", width: 1)])
  }

  @Test func everyGlyphIsOneSpacingScalarAndMarks() {
    for value in stride(from: UInt32(0x20), to: 0x2FFFF, by: 7) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      for glyph in Glyphs.split(Character(scalar)) {
        let widths = glyph.text.unicodeScalars.map { Glyphs.width(of: $0) }
        #expect(
          widths[0] == glyph.width && widths.dropFirst().allSatisfy { $0 == 0 }, "U+\(String(value, radix: 16))")
      }
    }
  }
}

@Suite struct SanitiseTests {
  @Test func controlsBecomeVisible() {
    #expect(sanitise("a\u{1B}[31mb\u{07}") == "a␛[31mb␇")
    #expect(sanitise("\u{9B}31m\u{7F}") == "\u{FFFD}31m␡")
    #expect(sanitise("a\u{202E}b\u{2066}c") == "a\u{FFFD}b\u{FFFD}c")
    #expect(sanitise("a\u{200B}b\u{FEFF}") == "ab")
  }

  @Test func lineEndsAndTabs() {
    #expect(sanitise("a\r\nb\nc\rd\r") == "a\nb\nc␍d␍")
    #expect(sanitise("a\tb\n\tc") == "a   b\n    c")
    #expect(sanitiseLine("a\nb") == "a b")
  }

  @Test func nothingThatActsReachesACell() {
    var canvas = Canvas(width: 200, height: 1)
    var text = ""
    for value in UInt32(0)..<0x3000 { if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) } }
    for start in stride(from: 0, to: text.count, by: 50) {
      canvas.put(String(text.dropFirst(start).prefix(50)), x: 0, y: 0)
      for scalar in canvas.dump()[0].unicodeScalars {
        let value = scalar.value
        #expect(value >= 0x20 && !(0x7F..<0xA0).contains(value))
        #expect(
          !(0x200B...0x200F).contains(value) && !(0x202A...0x202E).contains(value)
            && !(0x2060...0x206F).contains(value))
      }
    }
  }
}

@Suite struct WrapTests {
  @Test func betweenWords() {
    #expect(Wrap.lines("one two three", width: 8) == ["one two", "three"])
    #expect(Wrap.lines("one two", width: 7) == ["one two"])
    #expect(Wrap.lines("a\n\nb\n", width: 5) == ["a", "", "b", ""])
    #expect(Wrap.lines("", width: 5) == [""])
    #expect(Wrap.lines("  indented", width: 20) == ["  indented"])
  }

  @Test func longWordsAreCut() {
    #expect(Wrap.lines("abcdefghij", width: 4) == ["abcd", "efgh", "ij"])
    #expect(Wrap.lines("a bcdefghij", width: 4) == ["a", "bcde", "fghi", "j"])
  }

  @Test func wideCharactersNeverHangOver() {
    #expect(Wrap.lines("漢字かな", width: 5) == ["漢字", "かな"])
    for width in 2...20 {
      for line in Wrap.lines("漢字 with words かなcafe\u{301} and 😀😀😀😀 more", width: width) {
        #expect(Glyphs.width(of: line) <= width)
      }
    }
  }

  @Test func nothingIsLost() {
    let text = Array("the quick  brown 漢字 fox\njumps overthelazylongword dog ")
    for width in 1...30 {
      let joined = Wrap.ranges(text, width: width).flatMap { text[$0] }
      #expect(joined == text.filter { $0 != "\n" })
    }
  }

  @Test func truncation() {
    #expect(Wrap.truncate("abcdef", width: 4) == "abc…")
    #expect(Wrap.truncate("漢字かな", width: 4) == "漢…")
    #expect(Wrap.truncate("abc", width: 3) == "abc")
  }
}

@Suite struct CanvasTests {
  @Test func clipsOnAllSides() {
    var canvas = Canvas(width: 6, height: 3)
    let clip = Rect(x: 1, y: 1, width: 3, height: 1)
    for y in -1...3 { canvas.put("abcdefgh", x: -1, y: y, in: clip) }
    #expect(canvas.dump() == ["", " cde", ""])
  }

  @Test func halfAWideGlyphIsASpace() {
    var canvas = Canvas(width: 5, height: 1)
    canvas.put("漢字", x: 0, y: 0)
    #expect(canvas[0, 0].width == 2 && canvas[1, 0].width == 0)
    canvas.put("x", x: 1, y: 0)
    #expect(canvas.dump() == [" x字"])
    canvas.put("漢", x: 1, y: 0)
    #expect(canvas.dump() == [" 漢"])
    canvas.put("漢", x: 4, y: 0)
    #expect(canvas[4, 0] == .blank)
  }

  @Test func plots() {
    var plot = Plot(columns: 2, rows: 1, isASCII: false)
    plot.line(0, 0, 3, 3)
    var canvas = Canvas(width: 2, height: 1)
    plot.draw(on: &canvas, in: canvas.bounds, style: .graph)
    #expect(canvas.dump() == ["⡠⠊"])
    var plain = Plot(columns: 3, rows: 3, isASCII: true)
    plain.line(0, 0, 2, 2)
    canvas = Canvas(width: 3, height: 3)
    plain.draw(on: &canvas, in: canvas.bounds, style: .graph)
    #expect(canvas.dump() == ["  .", " .", "."])
  }
}

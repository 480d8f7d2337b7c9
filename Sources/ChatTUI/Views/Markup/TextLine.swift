/// One line of the transcript, and what of it is text.
package struct TextLine: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// Begins with the text of a new line.
    case text
    /// Goes on where the line before was broken.
    case continuation
    /// Labels, dividers: nothing that anybody said.
    case ornament
  }

  package var spans: [Span]
  /// Columns at its beginning that are no text: margins, marks of lists and quotes.
  package var indent: Int
  package var kind: Kind

  package init(_ spans: [Span], indent: Int = 0, kind: Kind = .text) {
    self.spans = spans
    self.indent = indent
    self.kind = kind
  }

  package static let blank = TextLine([], kind: .ornament)

  /// The line behind a margin.
  func indented(by span: Span) -> TextLine {
    TextLine([span] + spans, indent: indent + Glyphs.width(of: span.text), kind: kind)
  }

  /// Text of one style as lines of a width. The first has `first` before it, the others as many spaces.
  static func wrap(_ text: String, style: Style, first: Span, width: Int) -> [TextLine] {
    let margin = Glyphs.width(of: first.text)
    let characters = Array(text)
    return Wrap.ranges(characters, width: max(1, width - margin)).enumerated().map { index, range in
      let start = index == 0 ? first : Span(String(repeating: " ", count: margin), first.style)
      let isNew = index == 0 || characters[range.lowerBound - 1] == "\n"
      return TextLine(
        [start, Span(String(characters[range]), style)], indent: margin, kind: isNew ? .text : .continuation)
    }
  }
}

/// A character and how it looks.
typealias StyledCharacter = (character: Character, style: Style)

extension [Span] {
  /// Runs of one style as spans.
  init(_ styled: some Sequence<StyledCharacter>) {
    self = []
    for (character, style) in styled {
      if last?.style == style {
        self[count - 1].text.append(character)
      } else {
        append(Span(String(character), style))
      }
    }
  }
}

extension GlyphSet {
  /// Marks an item of a list.
  var item: Character { isASCII ? "*" : "•" }
  /// At the left edge of a line of code that was broken.
  var continued: Character { isASCII ? "\\" : "↳" }
  /// Where the header of code meets its left edge.
  var corner: Character { isASCII ? "+" : "┌" }
  var crossing: Character { isASCII ? "+" : "┼" }
}

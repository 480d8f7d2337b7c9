/// Lines that stand for themselves.
extension Markup {
  /// A heading, an item, a quote, a rule or plain text.
  func leaf(_ line: Substring, width: Int, isUnfinished: Bool) -> [TextLine] {
    if isRule(line) {
      return [TextLine([Span(String(repeating: glyphs.horizontal, count: width), .rule)], kind: .ornament)]
    }
    if let title = heading(line) { return wrap(title, base: .title, width: width, isUnfinished: isUnfinished) }
    let indent = line.prefix { $0 == " " }.count
    let rest = line.dropFirst(indent)
    // Narrower than that, nothing could be read.
    if rest.first == ">", width >= 8 {
      let inner = rest.dropFirst(rest.dropFirst().first == " " ? 2 : 1)
      return leaf(inner, width: width - 2, isUnfinished: isUnfinished).map {
        $0.indented(by: Span("\(glyphs.vertical) ", .rule))
      }
    }
    let (mark, text) = item(rest)
    let margin = min(indent, max(0, width / 2 - Glyphs.width(of: mark)))
    let first = String(repeating: " ", count: margin) + mark
    let hanging = String(repeating: " ", count: Glyphs.width(of: first))
    return wrap(text, base: .assistant, width: width - hanging.count, isUnfinished: isUnfinished).enumerated().map {
      $1.indented(by: Span($0 == 0 ? first : hanging, .accent))
    }
  }

  private func isRule(_ line: Substring) -> Bool {
    let marks = line.filter { $0 != " " }
    guard let mark = marks.first, "-*_".contains(mark), marks.count >= 3 else { return false }
    return marks.allSatisfy { $0 == mark }
  }

  private func heading(_ line: Substring) -> Substring? {
    let marks = line.prefix { $0 == "#" }.count
    guard (1...6).contains(marks), line.dropFirst(marks).first == " " else { return nil }
    let title = line.dropFirst(marks).drop { $0 == " " }
    return title.isEmpty ? nil : title
  }

  /// The mark of a list item, as it is shown, and what follows it.
  private func item(_ line: Substring) -> (mark: String, text: Substring) {
    if let mark = line.first, "-*+".contains(mark), line.dropFirst().first == " " {
      return ("\(glyphs.item) ", line.dropFirst(2))
    }
    let digits = line.prefix { $0.isASCII && $0.isNumber }
    let after = line.dropFirst(digits.count)
    if (1...9).contains(digits.count), after.hasPrefix(". ") || after.hasPrefix(") ") {
      return (String(line.prefix(digits.count + 2)), after.dropFirst(2))
    }
    return ("", line)
  }

  private func wrap(_ text: Substring, base: Style, width: Int, isUnfinished: Bool) -> [TextLine] {
    let styled = InlineMarkup.styled(text, base: base, isUnfinished: isUnfinished)
    return Wrap.ranges(styled.map(\.character), width: width).enumerated().map { index, range in
      TextLine([Span](styled[range]), kind: index == 0 ? .text : .continuation)
    }
  }
}

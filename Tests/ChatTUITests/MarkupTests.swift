import ChatTUI
import Testing

/// What a reply looks like: the lines of the transcript below its label.
private func shown(_ text: String, width: Int = 40, glyphs: GlyphSet = .unicode, isOpen: Bool = false) -> [String] {
  reply(text, width: width, glyphs: glyphs, isOpen: isOpen).dropFirst().map { line in
    var text = String(line.spans.map(\.text).joined().dropFirst(2))
    while text.last == " " { text.removeLast() }
    return text
  }.dropLast()
}

/// The lines of a reply, label and margin included.
private func reply(_ text: String, width: Int = 40, glyphs: GlyphSet = .unicode, isOpen: Bool = false) -> [TextLine] {
  var conversation = Conversation()
  var reply = ReplyEntry(stitch: "large")
  reply.text = text
  reply.state = isOpen ? .streaming : .cancelled
  conversation.append(.reply(reply))
  var layout = TranscriptLayout()
  layout.update(conversation, width: width + 2, glyphs: glyphs)
  return layout.blocks[0].lines
}

private func styles(_ text: String, isOpen: Bool = false) -> [Span] {
  Array(reply(text, isOpen: isOpen)[1].spans.dropFirst()).filter { !$0.text.isEmpty }
}

@Suite struct MarkupTests {
  @Test func listsHang() {
    #expect(
      shown("- one two three four\n  - five six seven\n10. eight nine ten\n", width: 12) == [
        "• one two", "  three four", "  • five six", "    seven", "10. eight", "    nine ten",
      ])
    #expect(shown("* a\n+ b\n1) c", glyphs: .ascii) == ["* a", "* b", "1) c"])
  }

  @Test func headingsQuotesAndRules() {
    #expect(
      shown("## Title\n> quoted text\n> > twice\n---\nend", width: 12) == [
        "Title", "│ quoted", "│ text", "│ │ twice", "────────────", "end",
      ])
    #expect(shown("#hashtag\n1.5 apples\n-5 degrees") == ["#hashtag", "1.5 apples", "-5 degrees"])
  }

  @Test func marksWithinALine() {
    #expect(
      styles("a *b* **c** `d` _e_ ***f***") == [
        Span("a ", .assistant), Span("b", .emphasis), Span(" ", .assistant), Span("c", .strong), Span(" ", .assistant),
        Span("d", .code), Span(" ", .assistant), Span("e", .emphasis), Span(" ", .assistant), Span("f", .strong),
      ])
    #expect(styles("**a *b* c**").map(\.text).joined() == "a b c")
    #expect(styles("これは**太字**です")[1] == Span("太字", .strong))
    #expect(styles("``a`b``") == [Span("a`b", .code)])
  }

  @Test(arguments: [
    "2*3*4 = 24", "2 * 3 * 4", "snake_case_name", "2**3**4", "*open", "a ** b **", "`open", "~~no~~", "[a](b)", "<b>",
    "$x_1 + y_2$",
  ])
  func whatIsNoMarkStays(text: String) {
    #expect(shown(text) == [text])
  }

  @Test func escapes() { #expect(shown("\\*a\\* and C:\\dir") == ["*a* and C:\\dir"]) }

  @Test func codeKeepsEverything() {
    let lines = shown("```swift\nlet x = 1\n\n    indented text that is long\n```\nafter", width: 20)
    #expect(
      lines == [
        "┌─ swift", "│ let x = 1", "│", "│     indented text", "│↳that is long", "after",
      ])
    #expect(
      shown("~~~\nabcdefghij klm\n~~~", width: 8, glyphs: .ascii) == ["+-", "| abcdef", "|\\ghij k", "|\\lm"])
    #expect(shown("1. do\n   ```sh\n   ls\n   ```\n2. done") == ["1. do", "   ┌─ sh", "   │ ls", "2. done"])
    // Marks and tables mean nothing in code.
    #expect(shown("```\n**a** | b\n---|---\n# c") == ["┌─", "│ **a** | b", "│ ---|---", "│ # c"])
  }

  @Test func tablesAlign() {
    let text = "| Name | n | Note |\n|:--|--:|:-:|\n| a | 1 | x |\n| 漢字 | 1000 | **yes** |\n\nend"
    #expect(
      shown(text) == [
        "Name │    n │ Note", "─────┼──────┼─────", "a    │    1 │  x", "漢字 │ 1000 │ yes", "", "end",
      ])
    #expect(shown(text, glyphs: .ascii)[1] == "-----+------+-----")
  }

  @Test func tablesFit() {
    let text = "| Key | Value |\n|---|---|\n| one | a longer text that wraps |\n| two | b \\| c | d |"
    #expect(
      shown(text, width: 20) == [
        "Key │ Value", "────┼───────────────", "one │ a longer text", "    │ that wraps", "two │ b | c | d",
      ])
    for width in 1...60 {
      for line in shown(text, width: width) { #expect(Glyphs.width(of: line) <= width) }
    }
    // No room for columns: as it was written.
    #expect(shown("| a | b | c |\n|--|--|--|", width: 6).joined().contains("| a |"))
  }

  @Test func unfinishedBlocks() {
    // What is open at the end is taken to close there.
    #expect(styles("a **b c").map(\.text) == ["a **b c"])
    #expect(styles("a **b c", isOpen: true) == [Span("a ", .assistant), Span("b c", .strong)])
    #expect(shown("text\n``", isOpen: true) == ["text"])
    #expect(shown("```py\nx = 1\n``", isOpen: true) == ["┌─ py", "│ x = 1"])
    #expect(shown("```py\nx = 1", isOpen: true) == ["┌─ py", "│ x = 1"])
    #expect(shown("text\n``") == ["text", "``"])
  }

  static let mixed = """
     Hello **there**.

    # Steps
    1. first *thing*
       - nested item with some more words in it
    2. second

    | a | b |
    |---|--:|
    | 1 | 22 |
    | three | 4 |

    > a quote
    > goes on

    ```swift
    let a = "b | c"
    ```
    a | b without a table
    and \u{1B}[31mred\u{1B}[0m, e\u{301}, 漢字, \r\n a line end, \u{2028}another.
    ---
    *end*

    """

  /// However a text is cut into pieces, it ends up looking the same as in one piece, and final lines never change.
  @Test func piecesMakeTheSameAsTheWhole() {
    let scalars = Array(Self.mixed.unicodeScalars)
    for size in [1, 2, 7, 50] {
      var conversation = Conversation()
      let id = conversation.append(.reply(ReplyEntry(stitch: "large")))
      var layout = TranscriptLayout()
      for start in stride(from: 0, to: scalars.count, by: size) {
        var piece = String.UnicodeScalarView()
        piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
        conversation.changeReply(id) {
          $0.text += String(piece)
          $0.state = .streaming
        }
        layout.update(conversation, width: 42, glyphs: .unicode)
      }
      conversation.changeReply(id) { $0.state = .cancelled }
      layout.update(conversation, width: 42, glyphs: .unicode)
      #expect(layout.blocks[0].lines == reply(Self.mixed), "pieces of \(size)")
      #expect(layout.total == layout.blocks[0].lines.count)
    }
  }

  /// Text above what is being written does not move.
  @Test func completeLinesStay() {
    var before: [TextLine] = []
    var text = ""
    for character in Self.mixed {
      text.append(character)
      let lines = reply(text, isOpen: true)
      // A table belongs together, and its head waits for the line under it.
      let complete = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      let isInTable = complete.last { !$0.isEmpty }?.contains("|") ?? false
      if character == "\n" && !isInTable {
        #expect(lines.starts(with: before.dropLast()), "after \(text.suffix(20))")
        before = lines
      }
    }
  }

  /// Texts that would take quadratic time if each mark were looked for to the end.
  @Test func hostileMarksAreCheap() {
    for piece in ["`a ", "*a ", "**a ", "_a ", "``a ", "*`**_", "> ", "|", "- "] {
      let text = String(repeating: piece, count: 20_000 / piece.count)
      #expect(!reply(text, width: 80).isEmpty)
    }
  }

  @Test func codeBlocks() {
    #expect(Markup_codeBlocks("a\n```x\none\n  two\n```\nb\n~~~\nthree\n") == ["one\n  two\n", "three\n"])
  }

  private func Markup_codeBlocks(_ text: String) -> [String] {
    var conversation = Conversation()
    var reply = ReplyEntry(stitch: "s")
    reply.text = text
    conversation.append(.reply(reply))
    return (1...9).compactMap { conversation.codeBlock($0) }.reversed()
  }
}

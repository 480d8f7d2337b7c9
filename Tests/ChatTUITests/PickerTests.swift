import ChatEngine
import ChatTUI
import Conversations
import Foundation
import Testing

@Suite struct PickerTests {
  private static func listing(_ count: Int = 3, matches: Bool = false) -> ConversationLibrary.Listing {
    .init(
      conversations: (1...count).map { number in
        ConversationSummary(
          id: "20261121-1432\(String(format: "%02d", number % 60))-ab12",
          title: number == 2 ? "A \u{1B}[31mtitle\u{202E} 漢字" : nil, firstQuestion: "Question number \(number)?",
          updated: Calendar.current.date(from: DateComponents(year: 2026, month: 11, day: 21, hour: 14, minute: 32))!,
          turns: number, stitches: number == 1 ? ["large"] : ["large", "small", "small-large@2"],
          matches: matches ? [.init(turn: 1, role: .user, line: "the line with \u{1B}]0;x\u{7} it \(number)")] : [])
      })
  }

  private func opened(width: Int = 80, height: Int = 24, glyphs: GlyphSet = .unicode) -> AppState {
    var state = readyState(width: width, height: height, glyphs: glyphs)
    #expect(state.apply(.submit("/chats")) == [.listConversations(query: "", refreshes: true)])
    state.apply(.conversations(query: "", Self.listing()))
    return state
  }

  @Test func typingSearchesAndEnterOpens() {
    var state = opened()
    state.type("draft")
    #expect(state.editor.isEmpty && state.picker?.query == "draft")
    #expect(state.press(.backspace) == [.listConversations(query: "draf", refreshes: false)])
    #expect(state.picker?.isLoading == true)
    // What was found for another text comes too late.
    state.apply(.conversations(query: "draft", Self.listing(1)))
    #expect(state.picker?.rows.count == 3)
    state.apply(.conversations(query: "draf", Self.listing(2, matches: true)))
    #expect(state.picker?.rows.count == 2 && state.picker?.isLoading == false)
    state.press(.down)
    state.press(.down)
    #expect(state.press(.enter) == [.openConversation("20261121-143202-ab12")])
    #expect(state.picker == nil && state.opening == .reading)
    // Until it is there nothing is sent to the wrong one.
    state.type("hi")
    #expect(state.press(.enter) == [] && state.editor.text == "hi" && state.activeReply == nil)
    state.apply(.conversationRefused("gone; look again"))
    #expect(state.lastNotice == "gone; look again" && state.opening == .done)
  }

  @Test func movingStaysInTheList() {
    var state = opened()
    state.apply(.conversations(query: "", Self.listing(50)))
    state.press(.up)
    #expect(state.picker?.selected == 0)
    state.press(.end)
    #expect(state.picker?.selected == 49)
    state.press(.pageUp)
    #expect(state.picker!.selected < 45 && state.picker!.selected > 10)
    state.press(.pageDown)
    state.press(.down)
    #expect(state.picker?.selected == 49)
    state.press(.home)
    #expect(state.picker?.selected == 0)
    // Whatever is chosen shows.
    for _ in 0..<50 {
      let title = state.picker!.selectedRow!.detail
      #expect(state.picker!.visible(lines: 7).contains(state.picker!.selected), "\(title)")
      #expect(
        state.screen().contains {
          $0.contains("Question number \(state.picker!.selected + 1)?") || $0.contains("A ␛[31mtitle")
        })
      state.press(.down)
    }
    state.press(.escape)
    #expect(state.picker == nil)
  }

  @Test func rowsOfTwoLinesFit() {
    var state = opened()
    state.apply(.conversations(query: "", Self.listing(50, matches: true)))
    for lines in 2...9 {
      for _ in 0..<50 {
        let visible = state.picker!.visible(lines: lines)
        #expect(visible.contains(state.picker!.selected) && visible.count * 2 <= lines)
        state.press(.down)
      }
      state.press(.home)
    }
    #expect(state.picker!.visible(lines: 1) == 0..<1)
  }

  @Test func pastingSearches() {
    var state = opened()
    #expect(state.apply(.paste(" two\nlines\u{1B} ")) == [.listConversations(query: "two lines␛", refreshes: false)])
    #expect(state.editor.isEmpty)
    #expect(state.apply(.key(.control("u"))) == [.listConversations(query: "", refreshes: false)])
    #expect(state.apply(.key(.control("c"))) == [] && state.picker == nil && state.leaving == .no)
  }

  @Test func looks() {
    expectScreen(
      opened(),
      """
       stitch tiny · 9 sizes                                         adapter step 400
       ┌ Conversations ─────────────────────────────────────────────────────────────┐─
       │ › type to search                                                           │
       │ Question number 1?                    2026-11-21 14:32 · 1 message · large │
       │ A ␛[31mtitle� 漢字                2026-11-21 14:32 · 2 messages · large +2 │
       │ Question number 3?                2026-11-21 14:32 · 3 messages · large +2 │
       │                                                                            │
       │                                                                            │
       │                                                                            │─
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
       │                                                                            │
      ─│                                                                            │─
       │                                                                            │
       │                                                                            │
      ─│                                                                            │─
       └──────────────────────────────────────── 1 of 3 · Enter opens · Esc closes ─┘
       Enter sends · Ctrl-J new line · Alt-← Alt-→ size · F1 help          context 0%
      """)
  }

  @Test func looksInASCIIWithMatches() {
    var state = opened(width: 40, height: 15, glyphs: .ascii)
    state.type("it")
    state.apply(.conversations(query: "it", Self.listing(2, matches: true)))
    expectScreen(
      state,
      """
       stitch tiny - 9 sizes
       + Conversations ---------------------+
       | > it                               |
       | Question number 1?                 |
       |    the line with ␛]0;x␇ it 1       |
       | A ␛[31mtitle� 漢字                 |
       |    the line with ␛]0;x␇ it 2       |
       |                                    |
       |                                    |
       |                                    |
       |                                    |
       |                                    |
      -|                                    |-
       +----------------------- Esc closes -+
       Enter sends - F1 help       context 0%
      """)
  }

  @Test func anySizeDraws() {
    for width in [30, 31, 40, 76, 80, 200] {
      for height in [10, 11, 17, 24, 60] {
        var state = opened(width: width, height: height)
        state.apply(.conversations(query: "", Self.listing(50, matches: true)))
        state.press(.end)
        #expect(state.screen().allSatisfy { Glyphs.width(of: $0) <= width })
        state.apply(.paste(String(repeating: "長い", count: 200)))
        #expect(state.screen().count == height)
      }
    }
  }
}

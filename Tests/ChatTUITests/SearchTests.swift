import ChatEngine
import ChatTUI
import Testing

@Suite struct SearchTests {
  private func talk() -> AppState {
    var state = readyState(width: 60, height: 16)
    for number in 1...20 { state.exchange("question \(number) about Apples", "answer \(number): apples grow") }
    return state
  }

  @Test func countsAndGoesRound() {
    var state = talk()
    state.type("draft")
    let before = state.screen()
    state.apply(.key(.control("f")))
    state.type("apples")
    #expect(state.search?.matches.count == 40)
    #expect(state.screen().contains { $0.contains("/ apples") && $0.contains(" of 40") })
    let first = state.search!.current!
    state.press(.enter)
    #expect(state.search?.current == first + 1)
    state.press(.up)
    state.press(.up)
    #expect(state.search?.current == first - 1)
    while state.search!.current! < 39 { state.press(.down) }
    state.press(.down)
    #expect(state.search?.current == 0)
    #expect(state.screen().contains { $0.contains("question 1 about") })
    // Back to where one was, and the draft was never touched.
    state.press(.escape)
    #expect(state.search == nil && state.screen() == before && state.editor.text == "draft")
  }

  @Test func aCapitalCounts() {
    var state = talk()
    state.apply(.submit("/search Apples"))
    #expect(state.search?.matches.count == 20)
    state.apply(.key(.control("u")))
    #expect(state.search?.matches.isEmpty == true)
    state.type("nothing like it")
    #expect(state.screen().contains { $0.contains("not found") })
  }

  @Test func findsAcrossWrappedLinesAndInNotices() {
    var state = readyState(width: 40, height: 16)
    state.exchange("hello", "one two three four five six seven eight nine ten eleven twelve")
    state.apply(.submit("/set temperature 0.5"))
    state.apply(.submit("/search eight nine ten"))
    #expect(state.search?.matches.count == 1)
    state.apply(.key(.control("u")))
    state.type("seven eight")
    #expect(state.search?.matches.count == 1)
    state.apply(.key(.control("u")))
    state.type("temperature")
    #expect(state.search?.matches.count == 1)
    // Labels are nobody's words.
    state.apply(.key(.control("u")))
    state.type("tok/s")
    #expect(state.search?.matches.isEmpty == true)
  }

  @Test func whatIsFoundIsMarked() {
    var state = readyState(width: 60, height: 16)
    state.exchange("hello", "漢字 apple 漢字 apple")
    state.apply(.submit("/search apple"))
    var canvas = Canvas(width: state.width, height: state.height)
    view(state, &canvas)
    let row = state.screen().firstIndex { $0.contains("漢字 apple") }!
    let styles = (0..<40).map { canvas[$0, row].style }
    // Margin 3, two wide characters and a space.
    #expect(styles[8..<13].allSatisfy { $0 == .selection } && styles[7] != .selection && styles[13] != .selection)
    #expect(styles[19..<24].allSatisfy { $0 == .match })
  }

  @Test func goesOnWhileAReplyStreams() {
    var state = talk()
    state.type("more")
    state.press(.enter)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: nil)), .key(.control("f")))
    state.type("grow")
    let found = state.search!.matches.count
    state.apply(.reply(id: id, .text("they gr")), .reply(id: id, .text("ow.")))
    #expect(state.search?.matches.count == found + 1)
    // Tab leaves the search and stays.
    let place = state.scroll
    state.press(.tab)
    #expect(state.search == nil && state.scroll == place)
  }

  @Test func otherKeysStillWork() {
    var state = talk()
    state.apply(.key(.control("f")))
    state.press(.left, .alt)
    #expect(state.slider.stop == 7 && state.search != nil)
    state.apply(.paste("apples\n"))
    #expect(state.search?.matches.count == 40)
    var empty = readyState()
    empty.apply(.key(.control("f")))
    #expect(empty.search == nil && empty.hint != nil)
  }
}

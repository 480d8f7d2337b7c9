import ChatEngine
import ChatTUI
import Testing

/// How much is laid out anew, counted in lines.
@Suite struct TranscriptWorkTests {
  @Test func alongReplyIsLaidOutOnce() {
    var state = readyState(width: 80, height: 24)
    state.type("q")
    state.press(.enter)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: nil)))
    let start = state.transcript.work
    let pieces = 5_000
    for number in 1...pieces {
      state.apply(.reply(id: id, .text("Line \(number) of a long, ")), .reply(id: id, .text("long reply.\n")))
    }
    #expect(state.transcript.total > pieces)
    // A few lines for each of the pieces, not thousands.
    #expect(state.transcript.work - start < pieces * 2 * 5)
  }

  @Test func tenThousandLinesCostNothingToReadIn() {
    var state = readyState(width: 80, height: 24)
    for number in 1...1_700 { state.exchange("question \(number)", "one\ntwo **\(number)**\nthree\nfour") }
    #expect(state.transcript.total >= 10_000)
    let before = state.transcript.work
    for _ in 0..<50 {
      state.press(.pageUp)
      _ = state.screen()
    }
    state.type("typing")
    state.press(.home, .control)
    state.press(.end, .control)
    #expect(state.transcript.work == before)
    // A turn more costs a turn.
    state.exchange("more", "a\nb")
    #expect(state.transcript.work - before < 40)
  }

  @Test func scrollingFindsTheRightLines() {
    var state = readyState(width: 60, height: 16)
    for number in 1...300 { state.exchange("question \(number)", "answer \(number)") }
    state.press(.home, .control)
    #expect(state.screen()[1].contains("question 1"))
    for number in 0..<state.transcript.total {
      let line = state.transcript.line(number)
      #expect(line != nil)
      #expect(state.transcript.anchor(line: number) == .at(entry: line!.entry, line: line!.number))
    }
    #expect(state.transcript.line(state.transcript.total) == nil)
  }
}

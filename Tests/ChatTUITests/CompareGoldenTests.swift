import ChatEngine
import ChatTUI
import Testing

/// Comparisons as they should look, drawn.
@Suite struct CompareGoldenTests {
  private func compared(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = readyState(width: width, height: height, glyphs: glyphs)
    state.apply(.submit("/compare -- what is 12+7, and in Japanese?"))
    state.answer("It is 21, I think; in Japanese that is 二十一.")
    state.answer("12 + 7 = **20**.\n- 二十\n- e\u{301} and 👍🏽", change: { $0.finishReason = .cancelled })
    return state
  }

  @Test func running40() throws {
    var state = compared(40, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    try expectPart(state, \.transcript, "compare-running-40.txt")
  }

  @Test func toChooseFrom40() throws {
    var state = compared(40, 24)
    state.answer("12 + 7 = **19**, 十九.")
    try expectPart(state, \.transcript, "compare-to-choose-from-40.txt")
  }

  @Test func running80() throws {
    var state = compared(80, 30)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    try expectPart(state, \.transcript, "compare-running-80.txt")
  }

  @Test func toChooseFrom80() throws {
    var state = compared(80, 30)
    state.answer("12 + 7 = **19**, 十九.")
    try expectPart(state, \.transcript, "compare-to-choose-from-80.txt")
  }

  @Test func running120() throws {
    var state = compared(120, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    try expectPart(state, \.transcript, "compare-running-120.txt")
  }

  @Test func toChooseFrom120() throws {
    var state = compared(120, 24)
    state.answer("12 + 7 = **19**, 十九.")
    try expectPart(state, \.transcript, "compare-to-choose-from-120.txt")
  }

  @Test func running200() throws {
    var state = compared(200, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    try expectPart(state, \.transcript, "compare-running-200.txt")
  }

  @Test func toChooseFrom200() throws {
    var state = compared(200, 24)
    state.answer("12 + 7 = **19**, 十九.")
    try expectPart(state, \.transcript, "compare-to-choose-from-200.txt")
  }

  @Test func keptInASCII() throws {
    var state = compared(120, 20, glyphs: .ascii)
    state.answer("12 + 7 = **19**, 十九.")
    state.type("1")
    try expectPart(state, \.transcript, "compare-kept-in-ascii.txt")
  }
}

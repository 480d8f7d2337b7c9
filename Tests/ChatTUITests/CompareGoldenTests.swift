import ChatEngine
import ChatTUI
import Testing

/// Comparisons as they should look, drawn.
@Suite struct CompareGoldenTests {
  private func compared(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = readyState(width: width, height: height, glyphs: glyphs)
    state.apply(.submit("/compare -- what is 12+7, and in Japanese?"))
    state.answer("It is 21, I think; in Japanese that is 二十一.")
    state.answer("12 + 7 = **20**.\n- 二十\n- e\u{301} and 👍🏽", change: { $0.finish = .cancelled })
    return state
  }

  @Test func running40() {
    var state = compared(40, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s
       It is 21, I think; in Japanese that is
       二十一.

       2 small-large@4
       step 400 · stopped · 52.1 tok/s
       12 + 7 = 20.
       • 二十
       • é and 👍

       3 large · step 400 · …
       12 + 7 =
      """)
  }

  @Test func toChooseFrom40() {
    var state = compared(40, 24)
    state.answer("12 + 7 = **19**, 十九.")
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s
       It is 21, I think; in Japanese that is
       二十一.

       2 small-large@4
       step 400 · stopped · 52.1 tok/s
       12 + 7 = 20.
       • 二十
       • é and 👍

       ● 3 large · step 400 · 52.1 tok/s
       12 + 7 = 19, 十九.

       · The conversation goes on with 3,
         large; /keep N takes another.
      """)
  }

  @Test func running80() {
    var state = compared(80, 30)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s
       It is 21, I think; in Japanese that is 二十一.

       2 small-large@4 · step 400 · stopped · 52.1 tok/s
       12 + 7 = 20.
       • 二十
       • é and 👍

       3 large · step 400 · …
       12 + 7 =
      """)
  }

  @Test func toChooseFrom80() {
    var state = compared(80, 30)
    state.answer("12 + 7 = **19**, 十九.")
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s
       It is 21, I think; in Japanese that is 二十一.

       2 small-large@4 · step 400 · stopped · 52.1 tok/s
       12 + 7 = 20.
       • 二十
       • é and 👍

       ● 3 large · step 400 · 52.1 tok/s
       12 + 7 = 19, 十九.

       · The conversation goes on with 3, large; /keep N
         takes another.
      """)
  }

  @Test func running120() {
    var state = compared(120, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small                 │ 2 small-large@4         │ 3 large · step 400 · …
       step 400 · 52.1 tok/s   │ step 400 · stopped ·    │ 12 + 7 =
       It is 21, I think; in   │ 52.1 tok/s              │
       Japanese that is 二十一 │ 12 + 7 = 20.            │
       .                       │ • 二十                  │
                               │ • é and 👍              │
      """)
  }

  @Test func toChooseFrom120() {
    var state = compared(120, 24)
    state.answer("12 + 7 = **19**, 十九.")
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small                 │ 2 small-large@4         │ ● 3 large
       step 400 · 52.1 tok/s   │ step 400 · stopped ·    │ step 400 · 52.1 tok/s
       It is 21, I think; in   │ 52.1 tok/s              │ 12 + 7 = 19, 十九.
       Japanese that is 二十一 │ 12 + 7 = 20.            │
       .                       │ • 二十                  │
                               │ • é and 👍              │

       · The conversation goes on with 3, large; /keep N takes another.
      """)
  }

  @Test func running200() {
    var state = compared(200, 24)
    let id = state.activeReply!
    state.apply(.reply(id: id, .started(stitch: "large", adapterStep: 400)), .reply(id: id, .text("12 + 7 =")))
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s               │ 2 small-large@4                               │ 3 large · step 400 · …
       It is 21, I think; in Japanese that is 二十一 │ step 400 · stopped · 52.1 tok/s               │ 12 + 7 =
       .                                             │ 12 + 7 = 20.                                  │
                                                     │ • 二十                                        │
                                                     │ • é and 👍                                    │
      """)
  }

  @Test func toChooseFrom200() {
    var state = compared(200, 24)
    state.answer("12 + 7 = **19**, 十九.")
    expectPart(
      state, \.transcript,
      """
       › what is 12+7, and in Japanese?
       1 small · step 400 · 52.1 tok/s               │ 2 small-large@4                               │ ● 3 large · step 400 · 52.1 tok/s
       It is 21, I think; in Japanese that is 二十一 │ step 400 · stopped · 52.1 tok/s               │ 12 + 7 = 19, 十九.
       .                                             │ 12 + 7 = 20.                                  │
                                                     │ • 二十                                        │
                                                     │ • é and 👍                                    │

       · The conversation goes on with 3, large; /keep N takes another.
      """)
  }

  @Test func keptInASCII() {
    var state = compared(120, 20, glyphs: .ascii)
    state.answer("12 + 7 = **19**, 十九.")
    state.type("1")
    expectPart(
      state, \.transcript,
      """
       > what is 12+7, and in Japanese?
       @ 1 small               | 2 small-large@4         | 3 large
       step 400 - 52.1 tok/s   | step 400 - stopped -    | step 400 - 52.1 tok/s
       It is 21, I think; in   | 52.1 tok/s              | 12 + 7 = 19, 十九.
       Japanese that is 二十一 | 12 + 7 = 20.            |
       .                       | * 二十                  |
                               | * é and 👍              |

       * The conversation goes on with 3, large; /keep N takes another.
      """)
  }
}

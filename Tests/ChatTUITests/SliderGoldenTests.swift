import ChatEngine
import ChatTUI
import Testing

/// The slider as it should look, drawn.
@Suite struct SliderGoldenTests {
  /// Over a conversation, the slider on a stop that would have to read it.
  private func talking(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = readyState(width: width, height: height, glyphs: glyphs)
    state.apply(.submit("hi"))
    state.answer("yes") {
      $0.contextTokens = 200
      $0.readTokens = 50
      $0.readSeconds = 0.5
      $0.cachedTokens = ["large": 199]
    }
    return state
  }

  @Test func whatASwitchCosts40() {
    var state = talking(40, 15)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
       ●──┼───┼──┼───┼──┼──┼───┼──┼ 1/9 small
       400k · ≈1.1 ms/token · quality 61%
      """)
  }

  @Test func whatASwitchCosts80() {
    var state = talking(80, 24)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ─────────────────────────────────────────── switch ≈ 225 ms ─
       small ●───────┼───────┼───────┼────────┼───────┼───────┼───────┼───────┼ large
       small[0..<4] · 400k · 900 kFLOPs · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func whatASwitchCosts120() {
    var state = talking(120, 24)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ─────────────────────────────────────────────────────────────────────────────────── switch ≈ 225 ms ─
       small ●────────────┼────────────┼────────────┼─────────────┼────────────┼────────────┼────────────┼────────────┼ large
       small[0..<4] · 400k parameters · 900 kFLOPs/token · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func whatASwitchCosts200() {
    var state = talking(200, 30)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────── switch ≈ 225 ms ─
       small ●──────────────────────┼──────────────────────┼──────────────────────┼───────────────────────┼──────────────────────┼──────────────────────┼──────────────────────┼──────────────────────┼ large
       small[0..<4] · 400k parameters · 900 kFLOPs/token · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func instant40() {
    let state = talking(40, 15)
    expectPart(
      state, \.slider,
      """
       ┼━━┼━━━┼━━┼━━━┼━━┼━━┼━━━┼━━● 9/9 large
       4.0M · 19 ms/token · quality 86%
      """)
  }

  @Test func instant80() {
    let state = talking(80, 24)
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────── switch instant ─
       small ┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━● large
       large[0..<8] · 4.0M · 8.0 MFLOPs · 19 ms/token · 52.1 tok/s · quality 86%
      """)
  }

  @Test func instant120() {
    let state = talking(120, 24)
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────────────────────────────────────────────── switch instant ─
       small ┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━● large
       large[0..<8] · 4.0M parameters · 8.0 MFLOPs/token · 19 ms/token · 52.1 tok/s · quality 86%
      """)
  }

  @Test func instant200() {
    let state = talking(200, 30)
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────── switch instant ─
       small ┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━● large
       large[0..<8] · 4.0M parameters · 8.0 MFLOPs/token · 19 ms/token · 52.1 tok/s · quality 86%
      """)
  }

  @Test func aReplyRunsElsewhere40() {
    var state = talking(40, 15)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
       ┼━┼━┼━┼━┼━┼━┼━●─┼ next 8/9 small-larg…
       3.5M · ≈3.5 ms/token · quality 84%
      """)
  }

  @Test func aReplyRunsElsewhere80() {
    var state = talking(80, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 8/9 · small-large@1 · from the next reply on (now large) ────────────────
       small ┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━●───────┼ large
       small[0..<1] → large[1..<8] · 3.5M · 7.1 MFLOPs · ≈3.5 ms/token · quality 84%
      """)
  }

  @Test func aReplyRunsElsewhere120() {
    var state = talking(120, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 8/9 · small-large@1 · from the next reply on (now large) ─────────────────────────────────────── switch ≈ 1.8 s ─
       small ┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━●────────────┼ large
       small[0..<1] → large[1..<8] · 3.5M parameters · 7.1 MFLOPs/token · ≈3.5 ms/token · ≈288 tok/s · quality 84%
      """)
  }

  @Test func aReplyRunsElsewhere200() {
    var state = talking(200, 30)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      ─ Size 8/9 · small-large@1 · from the next reply on (now large) ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────── switch ≈ 1.8 s ─
       small ┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━●──────────────────────┼ large
       small[0..<1] → large[1..<8] · 3.5M parameters · 7.1 MFLOPs/token · ≈3.5 ms/token · ≈288 tok/s · quality 84%
      """)
  }

  @Test func auto40() {
    var state = talking(40, 15)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
       ●──┼──┼─┼──┼──┼──┼─┼──┼ auto 1/9 small
       400k · ≈1.1 ms/token · quality 61%
      """)
  }

  @Test func auto80() {
    var state = talking(80, 24)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ──────────────────────── auto ≥ 500 tok/s · switch ≈ 225 ms ─
       small ●───────┼───────┼───────┼────────┼───────┼───────┼───────┼───────┼ large
       small[0..<4] · 400k · 900 kFLOPs · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func auto120() {
    var state = talking(120, 24)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ──────────────────────────────────────────────────────────────── auto ≥ 500 tok/s · switch ≈ 225 ms ─
       small ●────────────┼────────────┼────────────┼─────────────┼────────────┼────────────┼────────────┼────────────┼ large
       small[0..<4] · 400k parameters · 900 kFLOPs/token · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func auto200() {
    var state = talking(200, 30)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      ─ Size 1/9 · small ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────── auto ≥ 500 tok/s · switch ≈ 225 ms ─
       small ●──────────────────────┼──────────────────────┼──────────────────────┼───────────────────────┼──────────────────────┼──────────────────────┼──────────────────────┼──────────────────────┼ large
       small[0..<4] · 400k parameters · 900 kFLOPs/token · ≈1.1 ms/token · ≈900 tok/s · quality 61%
      """)
  }

  @Test func qualityOfOtherWeights40() {
    var state = talking(40, 15)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.slider,
      """
       ┼━━┼━━━┼━━┼━━━┼━━┼━━┼━━━┼━━● 9/9 large
       4.0M · 19 ms/token · quality was 86%
      """)
  }

  @Test func qualityOfOtherWeights80() {
    var state = talking(80, 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────── switch ≈ 2.0 s ─
       small ┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━● large
       large[0..<8] · 4.0M · 8.0 MFLOPs · 19 ms/token · 52.1 tok/s · quality was 86%
      """)
  }

  @Test func qualityOfOtherWeights120() {
    var state = talking(120, 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────────────────────────────────────────────── switch ≈ 2.0 s ─
       small ┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━● large
       large[0..<8] · 4.0M parameters · 8.0 MFLOPs/token · 19 ms/token · 52.1 tok/s · quality was 86% at step 400
      """)
  }

  @Test func qualityOfOtherWeights200() {
    var state = talking(200, 30)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.slider,
      """
      ─ Size 9/9 · large ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────── switch ≈ 2.0 s ─
       small ┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━┼━━━━━━━━━━━━━━━━━━━━━━● large
       large[0..<8] · 4.0M parameters · 8.0 MFLOPs/token · 19 ms/token · 52.1 tok/s · quality was 86% at step 400
      """)
  }

  @Test func autoInASCII() {
    var state = talking(80, 24, glyphs: .ascii)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      - Size 1/9 - small ----------------------- auto >= 500 tok/s - switch ~ 225 ms -
       small @-------+-------+-------+--------+-------+-------+-------+-------+ large
       small[0..<4] - 400k - 900 kFLOPs - ~1.1 ms/token - ~900 tok/s - quality 61%
      """)
  }
}

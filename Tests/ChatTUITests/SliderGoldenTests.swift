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
      @@
      """)
  }

  @Test func whatASwitchCosts80() {
    var state = talking(80, 24)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func whatASwitchCosts120() {
    var state = talking(120, 24)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func whatASwitchCosts200() {
    var state = talking(200, 30)
    state.press(.home, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func instant40() {
    let state = talking(40, 15)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func instant80() {
    let state = talking(80, 24)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func instant120() {
    let state = talking(120, 24)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func instant200() {
    let state = talking(200, 30)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func aReplyRunsElsewhere40() {
    var state = talking(40, 15)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func aReplyRunsElsewhere80() {
    var state = talking(80, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func aReplyRunsElsewhere120() {
    var state = talking(120, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func aReplyRunsElsewhere200() {
    var state = talking(200, 30)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func auto40() {
    var state = talking(40, 15)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func auto80() {
    var state = talking(80, 24)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func auto120() {
    var state = talking(120, 24)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }

  @Test func auto200() {
    var state = talking(200, 30)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      @@
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
      @@
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
      @@
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
      @@
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
      @@
      """)
  }

  @Test func autoInASCII() {
    var state = talking(80, 24, glyphs: .ascii)
    state.apply(.submit("/auto 500"))
    expectPart(
      state, \.slider,
      """
      @@
      """)
  }
}

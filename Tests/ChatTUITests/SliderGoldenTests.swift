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
      $0.prefillTokens = 50
      $0.prefillSeconds = 0.5
      $0.cachedTokens = ["large": 199]
    }
    return state
  }

  @Test func whatASwitchCosts40() throws {
    var state = talking(40, 15)
    state.press(.home, .alt)
    try expectPart(state, \.slider, "slider-what-aswitch-costs-40.txt")
  }

  @Test func whatASwitchCosts80() throws {
    var state = talking(80, 24)
    state.press(.home, .alt)
    try expectPart(state, \.slider, "slider-what-aswitch-costs-80.txt")
  }

  @Test func whatASwitchCosts120() throws {
    var state = talking(120, 24)
    state.press(.home, .alt)
    try expectPart(state, \.slider, "slider-what-aswitch-costs-120.txt")
  }

  @Test func whatASwitchCosts200() throws {
    var state = talking(200, 30)
    state.press(.home, .alt)
    try expectPart(state, \.slider, "slider-what-aswitch-costs-200.txt")
  }

  @Test func instant40() throws {
    let state = talking(40, 15)
    try expectPart(state, \.slider, "slider-instant-40.txt")
  }

  @Test func instant80() throws {
    let state = talking(80, 24)
    try expectPart(state, \.slider, "slider-instant-80.txt")
  }

  @Test func instant120() throws {
    let state = talking(120, 24)
    try expectPart(state, \.slider, "slider-instant-120.txt")
  }

  @Test func instant200() throws {
    let state = talking(200, 30)
    try expectPart(state, \.slider, "slider-instant-200.txt")
  }

  @Test func aReplyRunsElsewhere40() throws {
    var state = talking(40, 15)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    try expectPart(state, \.slider, "slider-a-reply-runs-elsewhere-40.txt")
  }

  @Test func aReplyRunsElsewhere80() throws {
    var state = talking(80, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    try expectPart(state, \.slider, "slider-a-reply-runs-elsewhere-80.txt")
  }

  @Test func aReplyRunsElsewhere120() throws {
    var state = talking(120, 24)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    try expectPart(state, \.slider, "slider-a-reply-runs-elsewhere-120.txt")
  }

  @Test func aReplyRunsElsewhere200() throws {
    var state = talking(200, 30)
    state.apply(.submit("and?"))
    state.press(.left, .alt)
    try expectPart(state, \.slider, "slider-a-reply-runs-elsewhere-200.txt")
  }

  @Test func auto40() throws {
    var state = talking(40, 15)
    state.apply(.submit("/auto 500"))
    try expectPart(state, \.slider, "slider-auto-40.txt")
  }

  @Test func auto80() throws {
    var state = talking(80, 24)
    state.apply(.submit("/auto 500"))
    try expectPart(state, \.slider, "slider-auto-80.txt")
  }

  @Test func auto120() throws {
    var state = talking(120, 24)
    state.apply(.submit("/auto 500"))
    try expectPart(state, \.slider, "slider-auto-120.txt")
  }

  @Test func auto200() throws {
    var state = talking(200, 30)
    state.apply(.submit("/auto 500"))
    try expectPart(state, \.slider, "slider-auto-200.txt")
  }

  @Test func qualityOfOtherWeights40() throws {
    var state = talking(40, 15)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary), .cache(CacheStatus()))
    try expectPart(state, \.slider, "slider-quality-of-other-weights-40.txt")
  }

  @Test func qualityOfOtherWeights80() throws {
    var state = talking(80, 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary), .cache(CacheStatus()))
    try expectPart(state, \.slider, "slider-quality-of-other-weights-80.txt")
  }

  @Test func qualityOfOtherWeights120() throws {
    var state = talking(120, 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary), .cache(CacheStatus()))
    try expectPart(state, \.slider, "slider-quality-of-other-weights-120.txt")
  }

  @Test func qualityOfOtherWeights200() throws {
    var state = talking(200, 30)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary), .cache(CacheStatus()))
    try expectPart(state, \.slider, "slider-quality-of-other-weights-200.txt")
  }

  @Test func autoInASCII() throws {
    var state = talking(80, 24, glyphs: .ascii)
    state.apply(.submit("/auto 500"))
    try expectPart(state, \.slider, "slider-auto-in-ascii.txt")
  }
}

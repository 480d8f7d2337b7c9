import ChatEngine
import ChatTUI
import Testing

/// The training pane as it should look, drawn.
@Suite struct TrainingGoldenTests {
  private func training(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = busyState(width: width, height: height, glyphs: glyphs)
    var status = state.training
    for (index, stop) in state.stops.enumerated() { status.importance[stop.id] = 1 / Double(1 + index) }
    state.apply(.training(status))
    return state
  }

  @Test func running40() {
    let state = training(40, 15)
    expectPart(
      state, \.trainingLine,
      """
      @@
      """)
  }

  @Test func running80() {
    let state = training(80, 24)
    expectPart(
      state, \.training,
      """
      @@
      """)
  }

  @Test func running120() {
    let state = training(120, 30)
    expectPart(
      state, \.training,
      """
      @@
      """)
  }

  @Test func running200() {
    let state = training(200, 40)
    expectPart(
      state, \.training,
      """
      @@
      """)
  }

  @Test func folded120() {
    var state = training(120, 30)
    state.apply(.key(.alt("t")))
    expectPart(
      state, \.trainingLine,
      """
      @@
      """)
  }

  @Test func failed80() {
    var state = training(80, 24)
    var status = state.training
    status.phase = .failed
    status.message = "the disk is full; make room and /train again"
    state.apply(.training(status))
    expectPart(
      state, \.training,
      """
      @@
      """)
  }

  @Test func runningInASCII() {
    let state = training(120, 30, glyphs: .ascii)
    expectPart(
      state, \.training,
      """
      @@
      """)
  }

  @Test func frontierOfALesson() {
    var state = training(120, 30)
    var status = state.training
    for (index, stop) in state.stops.enumerated() { status.stitchLosses[stop.id] = 1.5 / Double(2 + index) }
    status.stitchLossesStep = 40
    state.apply(.training(status))
    expectPart(
      state, \.frontier,
      """
      @@
      """)
  }

  @Test func frontierOfOtherWeights() {
    var state = readyState(width: 80, height: 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.frontier,
      """
      @@
      """)
  }
}

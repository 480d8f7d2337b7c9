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

  @Test func running40() throws {
    let state = training(40, 15)
    try expectPart(state, \.trainingLine, "training-running-40.txt")
  }

  @Test func running80() throws {
    let state = training(80, 24)
    try expectPart(state, \.training, "training-running-80.txt")
  }

  @Test func running120() throws {
    let state = training(120, 30)
    try expectPart(state, \.training, "training-running-120.txt")
  }

  @Test func running200() throws {
    let state = training(200, 40)
    try expectPart(state, \.training, "training-running-200.txt")
  }

  @Test func folded120() throws {
    var state = training(120, 30)
    state.apply(.key(.alt("t")))
    try expectPart(state, \.trainingLine, "training-folded-120.txt")
  }

  @Test func failed80() throws {
    var state = training(80, 24)
    var status = state.training
    status.phase = .failed
    status.message = "the disk is full; make room and /train again"
    state.apply(.training(status))
    try expectPart(state, \.training, "training-failed-80.txt")
  }

  @Test func runningInASCII() throws {
    let state = training(120, 30, glyphs: .ascii)
    try expectPart(state, \.training, "training-running-in-ascii.txt")
  }

  @Test func frontierOfALesson() throws {
    var state = training(120, 30)
    var status = state.training
    for (index, stop) in state.stops.enumerated() { status.stitchLosses[stop.id] = 1.5 / Double(2 + index) }
    status.stitchLossesStep = 40
    state.apply(.training(status))
    try expectPart(state, \.frontier, "training-frontier-of-alesson.txt")
  }

  @Test func frontierOfOtherWeights() throws {
    var state = readyState(width: 80, height: 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    try expectPart(state, \.frontier, "training-frontier-of-other-weights.txt")
  }
}

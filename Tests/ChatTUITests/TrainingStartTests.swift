import ChatEngine
import ChatTUI
import Testing

/// Training that was asked for a moment ago.
@Suite struct TrainingStartTests {
  /// What the engine said of the time before arrives late.
  @Test func thatThereIsNoneIsOfTheTimeBefore() {
    var state = readyState(width: 100, height: 40)
    state.apply(.submit("/train facts.jsonl"))
    #expect(state.isTraining)
    state.apply(.training(TrainingStatus()))
    #expect(state.isTraining)
    var status = TrainingStatus()
    status.phase = .running
    state.apply(.training(status))
    state.apply(.training(TrainingStatus()))
    #expect(!state.isTraining)
  }

  @Test func whatIsStoppedBeforeItBeganEnds() {
    var state = readyState(width: 100, height: 40)
    state.apply(.submit("/train facts.jsonl"))
    state.apply(.submit("/stop"))
    state.apply(.training(TrainingStatus()))
    #expect(!state.isTraining)
  }
}

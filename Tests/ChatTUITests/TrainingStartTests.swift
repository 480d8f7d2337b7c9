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

  /// The engine tells no more: what runs has failed, and nothing new begins.
  @Test func fallenSilent() {
    var state = readyState(width: 100, height: 40)
    state.apply(.submit("/train facts.jsonl"), .trainingFellSilent)
    #expect(!state.isTraining && state.lastNotice?.hasPrefix("Training failed: the engine tells nothing") == true)
    #expect(state.apply(.submit("/train facts.jsonl")) == [] && !state.isTraining)
    #expect(state.lastNotice?.hasPrefix("Training did not start: the engine tells nothing") == true)
    var idle = readyState()
    let entries = idle.conversation.entries.count
    idle.apply(.trainingFellSilent)
    #expect(idle.training.phase == .idle && idle.conversation.entries.count == entries)
  }

  @Test func whatIsStoppedBeforeItBeganEnds() {
    var state = readyState(width: 100, height: 40)
    state.apply(.submit("/train facts.jsonl"))
    state.apply(.submit("/stop"))
    state.apply(.training(TrainingStatus()))
    #expect(!state.isTraining)
  }
}

/// A backend that makes replies and nothing else: it teaches nothing, and has no adapters. What it is asked beyond replies it
/// refuses with a line, so that a chat needs no cases of its own for it. Its `FamilySummary.learns` is false.
public protocol RepliesOnlyBackend: ChatBackend {}

extension RepliesOnlyBackend {
  public func lessons() async -> [LessonFile] { [] }

  public func startTraining(dataFile: String, steps: Int, distills: Bool) async throws {
    throw EngineError.needsLocalModel
  }

  public func pauseTraining() async {}
  public func resumeTraining() async {}
  public func saveTraining() async {}
  public func endTraining() async {}
  public func undoAdapter() async -> String { EngineError.needsLocalModel.description }

  /// Of a conversation that was made with an adapter this says that there is none.
  public func useAdapter(_ adapter: AdapterReference) async throws {
    if adapter.step != nil { throw EngineError.needsLocalModel }
  }

  /// There is nothing to tell, ever.
  public func trainingStatus() -> AsyncStream<TrainingStatus> { AsyncStream { _ in } }

  public func adapters() async throws -> [AdapterEntry] { throw EngineError.needsLocalModel }

  public func mixAdapters(_ mix: AdapterMix) async throws -> AdapterMixed { throw EngineError.needsLocalModel }
}

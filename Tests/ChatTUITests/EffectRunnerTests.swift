import ChatEngine
import ChatTUI
import Foundation
import Synchronization
import Testing

/// A backend whose streams the test feeds itself.
private final class HeldBackend: ChatBackend {
  struct Failure: Error, CustomStringConvertible { var description: String }

  private struct State {
    var replies: [AsyncStream<ReplyEvent>.Continuation] = []
    var cancellations = 0
    var loads = 0
  }

  private let state = Mutex(State())
  private let status = AsyncStream<TrainingStatus>.makeStream()
  /// Called at each cancellation, before it is answered.
  private let cancelled: @Sendable () async -> Void
  private let loadsThatSucceed: Int

  init(loads: Int = .max, cancelled: @escaping @Sendable () async -> Void = {}) {
    self.cancelled = cancelled
    loadsThatSucceed = loads
  }

  var cancellations: Int { state.withLock { $0.cancellations } }
  /// The streams of the replies that were asked for.
  var replies: [AsyncStream<ReplyEvent>.Continuation] { state.withLock { $0.replies } }

  func publish(_ phase: TrainingStatus.Phase) {
    var new = TrainingStatus()
    new.phase = phase
    status.continuation.yield(new)
  }
  func endStatus() { status.continuation.finish() }

  func load() async throws -> FamilySummary {
    let isGood = state.withLock { state in
      state.loads += 1
      return state.loads <= loadsThatSucceed
    }
    guard isGood else { throw Failure(description: "the family is gone") }
    return ScriptedBackend.summary
  }

  func reply(to messages: [ChatMessage], stitch: String, options: ReplyOptions) -> AsyncStream<ReplyEvent> {
    let (stream, continuation) = AsyncStream<ReplyEvent>.makeStream()
    state.withLock { $0.replies.append(continuation) }
    return stream
  }

  func cancelReply() async {
    await cancelled()
    state.withLock { $0.cancellations += 1 }
  }

  func cacheStatus() -> AsyncStream<CacheStatus> { AsyncStream { $0.finish() } }
  func lessons() async -> [LessonFile] { [] }
  func startTraining(dataFile: String, steps: Int, distills: Bool) async throws {
    if dataFile == "missing" { throw Failure(description: "no such file") }
  }
  func pauseTraining() async {}
  func resumeTraining() async {}
  func saveTraining() async {}
  func endTraining() async {}
  func undoAdapter() async -> String { "there is no earlier adapter to go back to" }
  func adapters() async throws -> [AdapterEntry] { throw Failure(description: "there are none") }
  func mixAdapters(_ mix: AdapterMix) async throws -> AdapterMixed { throw Failure(description: "it is not there") }
  func useAdapter(_ adapter: AdapterReference) async throws { throw Failure(description: "it is not there") }
  func trainingStatus() -> AsyncStream<TrainingStatus> { status.stream }
}

/// A runner, and the actions that come of its effects.
private final class Bench {
  let backend: HeldBackend
  let runner: EffectRunner
  private let queue: ActionQueue
  private let arrivals: AsyncStream<Void>
  private(set) var actions: [Action] = []

  init(_ backend: HeldBackend) {
    self.backend = backend
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    arrivals = stream
    queue = ActionQueue(wake: { continuation.yield() })
    runner = EffectRunner(backend: backend, queue: queue)
  }

  func start(_ id: Int) {
    runner.run(.startReply(id: id, messages: [.init(role: .user, content: "hi")], stitch: "small", options: .init()))
  }

  /// Waits until an action has come; all before it are noted, too.
  func wait(for isWanted: (Action) -> Bool) async {
    for await _ in arrivals {
      let new = queue.drain()
      actions += new
      if new.contains(where: isWanted) { return }
    }
  }

  func wait(for action: Action) async { await wait { $0 == action } }

  /// Waits for something that no action tells.
  func wait(until isSo: () -> Bool) async {
    while !isSo() { await Task.yield() }
  }
}

@Suite(.timeLimit(.minutes(20))) struct EffectRunnerTests {
  private func stamp(_ reason: ReplyStamp.FinishReason) -> ReplyStamp {
    ReplyStamp(stitch: "small", adapterStep: nil, tokens: 3, tokensPerSecond: 9, finishReason: reason, contextTokens: 9)
  }

  /// However late the backend ends its stream: what it says last is heard.
  @Test func aCancelledReplyIsHeardToItsEnd() async {
    let bench = Bench(HeldBackend())
    bench.start(1)
    await bench.wait { bench.backend.replies.count == 1 }
    bench.backend.replies[0].yield(.text("one"))
    await bench.wait(for: .reply(id: 1, .text("one")))
    bench.runner.run(.cancelReply)
    bench.runner.run(.cancelReply)
    await bench.wait { bench.backend.cancellations == 1 }
    // Longer than anybody would sleep in the hope that the end has come.
    try? await Task.sleep(for: .milliseconds(400))
    bench.backend.replies[0].yield(.finished(stamp(.cancelled)))
    bench.backend.replies[0].finish()
    await bench.wait(for: .reply(id: 1, .finished(stamp(.cancelled))))
    #expect(bench.backend.cancellations == 1)
  }

  /// A cancellation is for the reply it was asked of, though the engine is slow to take it in.
  @Test func aCancellationDoesNotMeetTheNextReply() async {
    let gate = AsyncStream<Void>.makeStream()
    let bench = Bench(HeldBackend(cancelled: { for await _ in gate.stream { return } }))
    bench.start(1)
    await bench.wait { bench.backend.replies.count == 1 }
    bench.runner.run(.cancelReply)
    bench.backend.replies[0].yield(.finished(stamp(.stopToken)))
    bench.backend.replies[0].finish()
    await bench.wait(for: .reply(id: 1, .finished(stamp(.stopToken))))
    bench.start(2)
    try? await Task.sleep(for: .milliseconds(50))
    #expect(bench.backend.replies.count == 1)
    gate.continuation.yield()
    await bench.wait { bench.backend.replies.count == 2 }
    #expect(bench.backend.cancellations == 1)
  }

  /// One that waits for the reply before it never begins.
  @Test func aReplyCanBeCancelledBeforeItBegins() async {
    let bench = Bench(HeldBackend())
    bench.start(1)
    await bench.wait { bench.backend.replies.count == 1 }
    bench.start(2)
    bench.runner.run(.cancelReply)
    await bench.wait { bench.backend.cancellations == 1 }
    bench.backend.replies[0].yield(.finished(stamp(.cancelled)))
    bench.backend.replies[0].finish()
    await bench.wait(for: .replyEnded(id: 2))
    #expect(bench.actions == [.reply(id: 1, .finished(stamp(.cancelled))), .replyEnded(id: 2)])
    #expect(bench.backend.replies.count == 1)
  }

  /// A backend that does not end a cancelled reply holds up nothing.
  @Test func aStreamThatNeverEnds() async {
    let bench = Bench(HeldBackend())
    bench.start(1)
    await bench.wait { bench.backend.replies.count == 1 }
    bench.runner.run(.cancelReply)
    bench.start(2)
    await bench.wait { bench.backend.replies.count == 2 }
    bench.backend.replies[1].yield(.finished(stamp(.stopToken)))
    bench.backend.replies[1].finish()
    await bench.wait(for: .reply(id: 2, .finished(stamp(.stopToken))))
    #expect(bench.actions.first == .replyEnded(id: 1))
  }

  @Test func tasksThatAreDoneAreForgotten() async {
    let bench = Bench(HeldBackend())
    let lasting = bench.runner.taskCount
    for _ in 0..<50 {
      bench.runner.run(.listLessons)
      bench.runner.run(.describe)
    }
    await bench.wait { bench.runner.taskCount == lasting }
  }

  @Test func everythingIsAnsweredWhereTheFamilyIsGone() async {
    let bench = Bench(HeldBackend(loads: 1))
    bench.runner.run(.load)
    await bench.wait(for: .loaded(ScriptedBackend.summary))
    bench.runner.run(.describe)
    await bench.wait(for: .described(nil))
    bench.runner.run(.startTraining(file: "missing", steps: 3))
    await bench.wait(for: .trainingRefused("no such file"))
    let adapter = AdapterReference(step: 3, hash: "ab")
    bench.runner.run(.restoreAdapter(adapter))
    await bench.wait(for: .adapterRestored(adapter, failure: "it is not there"))
    let other = Bench(HeldBackend(loads: 0))
    other.runner.run(.load)
    await other.wait(for: .loadFailed("the family is gone"))
  }

  /// Who waits for the end of training waits for the engine to tell it.
  @Test func trainingThatNobodyTellsOfHasFailed() async {
    let bench = Bench(HeldBackend())
    bench.runner.run(.load)
    bench.backend.publish(.running)
    bench.backend.endStatus()
    await bench.wait(for: .trainingFellSilent)
    var state = readyState()
    for action in bench.actions { state.apply(action) }
    #expect(state.training.phase == .failed && state.lastNotice?.contains("nothing more of training") == true)

    // A run that was asked for, too; where there is none, nothing has happened.
    var asked = readyState()
    asked.apply(.submit("/train facts.jsonl"), .trainingFellSilent)
    #expect(asked.training.phase == .failed)
    var idle = readyState()
    idle.apply(.trainingFellSilent)
    #expect(idle.training.phase == .idle && idle.lastNotice == nil)
  }
}

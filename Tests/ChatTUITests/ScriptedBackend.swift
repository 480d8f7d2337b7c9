import ChatEngine
import Foundation
import Synchronization

/// A backend that fakes a family of nine stops: it answers with canned text, word by word, and its training is a
/// formula. No weights, no randomness.
final class ScriptedBackend: ChatBackend {
  struct Refusal: Error, CustomStringConvertible { var description: String }

  let loadDelay: Duration
  let wordDelay: Duration
  let failure: String?
  /// How often the family can be loaded; after that it fails.
  private let loadsLeft: Mutex<Int>
  /// After so many steps of training nothing more is heard of it.
  private let silentAfter: Int
  private let stopAsked = Mutex(false)
  private let training = Mutex(TrainingStatus())
  private let listener = Mutex<AsyncStream<TrainingStatus>.Continuation?>(nil)
  private let trainer = Mutex<Task<Void, Never>?>(nil)

  init(
    loadDelay: Duration = .zero, wordDelay: Duration = .zero, failure: String? = nil, loads: Int = .max,
    silentAfter: Int = .max
  ) {
    self.silentAfter = silentAfter
    loadsLeft = Mutex(loads)
    self.loadDelay = loadDelay
    self.wordDelay = wordDelay
    self.failure = failure
  }

  /// `small`, seven stitches, `large`.
  static let summary = FamilySummary(
    name: "tiny",
    stops: (0..<9).map { index in
      let part = Double(index) / 8
      return Stop(
        id: index == 0 ? "small" : index == 8 ? "large" : "small-large@\(8 - index)",
        route: index == 0
          ? "small[0..<4]"
          : index == 8 ? "large[0..<8]" : "small[0..<\(max(1, 4 - index / 2))] → large[\(8 - index)..<8]",
        parameters: 400_000 + Int(part * 3_600_000), flopsPerToken: 0.9e6 + part * 7.1e6,
        weightBytes: 800_000 + Int(part * 7_200_000),
        importance: 0.1, quality: 0.61 + 0.25 * part.squareRoot(), loss: nil, tokensPerSecond: 900 - 700 * part)
    }, contextLength: 512, adapterStep: 400, measuredStep: 400)

  func load() async throws -> FamilySummary {
    try await Task.sleep(for: loadDelay)
    if let failure { throw Refusal(description: failure) }
    let isGone = loadsLeft.withLock { left in
      left -= 1
      return left < 0
    }
    if isGone { throw Refusal(description: "the family is gone") }
    return Self.summary
  }

  func reply(to messages: [ChatMessage], stitch: String, options: ReplyOptions) -> AsyncStream<ReplyEvent> {
    let (stream, continuation) = AsyncStream<ReplyEvent>.makeStream()
    stopAsked.withLock { $0 = false }
    let question = messages.last?.content ?? ""
    let task = Task { [self] in
      continuation.yield(.started(stitch: stitch, adapterStep: 400))
      var count = 0
      var finish = ReplyStamp.Finish.stop
      for word in Self.answer(to: question).split(separator: " ", omittingEmptySubsequences: false) {
        if question == "cut off" {
          continuation.finish()
          return
        }
        if stopAsked.withLock({ $0 }) || Task.isCancelled {
          finish = .cancelled
          break
        }
        try? await Task.sleep(for: wordDelay)
        continuation.yield(.text((count == 0 ? "" : " ") + word))
        count += 1
      }
      let used = messages.reduce(0) { $0 + $1.content.count / 3 + 4 } + count
      continuation.yield(
        .finished(
          ReplyStamp(
            stitch: stitch, adapterStep: 400, tokens: count, tokensPerSecond: 52.125, finish: finish,
            contextTokens: used)))
      continuation.finish()
    }
    continuation.onTermination = { if case .cancelled = $0 { task.cancel() } }
    return stream
  }

  func cancelReply() async { stopAsked.withLock { $0 = true } }

  static func answer(to question: String) -> String {
    if question.contains("evil") {
      return "Before \u{1B}[31mred\u{1B}[0m \u{1B}]0;title\u{07} after \u{202E}gnp.exe\u{202C}."
    }
    if question.contains("wide") {
      return "漢字かな交じり文 and 👩‍👩‍👧 and 🇩🇪 and e\u{301} and 👍🏽 mixed with words, 長い文章も正しく折り返されるべきです。"
    }
    if question.contains("long") {
      return (1...60).map { "This is sentence number \($0) of a long reply." }.joined(separator: " ")
    }
    if question.contains("list") {
      return
        "# Steps\n- **First** take the `list` and read it from the left to the right, slowly\n- Second\n\n```\nsort(list)\n```\nDone."
    }
    return "You said “\(question)”. 12 + 7 = 19."
  }

  func startTraining(dataFile: String, steps: Int, distills: Bool) async throws {
    if dataFile.contains("missing") {
      throw Refusal(description: "\(dataFile): no such file; give the path of a JSON Lines file")
    }
    training.withLock {
      $0 = TrainingStatus()
      $0.phase = .running
      $0.dataFile = dataFile
      $0.totalSteps = steps
    }
    let task = Task { [self] in
      for step in 1...steps {
        while training.withLock({ $0.phase == .paused }) { try? await Task.sleep(for: .milliseconds(20)) }
        if step > silentAfter {
          listener.withLock { $0?.finish() }
          return
        }
        if Task.isCancelled || training.withLock({ $0.phase != .running }) { return }
        training.withLock { Self.advance(&$0, to: step, of: steps) }
        publish()
        try? await Task.sleep(for: .milliseconds(30))
      }
      training.withLock { $0.phase = .finished }
      publish()
    }
    trainer.withLock { $0 = task }
    publish()
  }

  /// The state of training after a number of steps.
  static func advance(_ status: inout TrainingStatus, to step: Int, of steps: Int) {
    status.step = step
    let loss = 0.4 + 2 / (1 + Double(step) / 12) + 0.05 * sin(Double(step))
    status.loss = loss
    status.heldOutLoss = loss + 0.1
    status.lossCurve.append(loss)
    if step % 5 == 0 { status.heldOutCurve.append(LossPoint(step: step, loss: loss + 0.1)) }
    status.tokensPerSecond = 2450
    status.secondsLeft = Double(steps - step) * 0.03
    status.drawn[summary.stops[step * step / 5 % 9].id, default: 0] += 1
  }

  func pauseTraining() async { set(.paused) }
  func resumeTraining() async { set(.running) }
  func saveTraining() async {
    training.withLock { $0.message = "snapshot at step \($0.step) in use" }
    publish()
  }
  func endTraining() async {
    training.withLock {
      $0.phase = .ending
      $0.message = "snapshot at step \($0.step) in use"
    }
    publish()
    set(.idle)
  }

  private func set(_ phase: TrainingStatus.Phase) {
    training.withLock { $0.phase = phase }
    publish()
  }

  private func publish() {
    let status = training.withLock { $0 }
    _ = listener.withLock { $0?.yield(status) }
  }

  func trainingStatus() -> AsyncStream<TrainingStatus> {
    let (stream, continuation) = AsyncStream<TrainingStatus>.makeStream(bufferingPolicy: .bufferingNewest(1))
    listener.withLock { $0 = continuation }
    if silentAfter == 0 { continuation.finish() }
    return stream
  }

  // MARK: What it does not have

  func cacheStatus() -> AsyncStream<CacheStatus> { AsyncStream { $0.finish() } }
  func lessons() async -> [LessonFile] { [] }
  func undoAdapter() async -> String { "there is no earlier adapter to go back to" }
  func adapters() async throws -> [AdapterEntry] { [AdapterEntry(name: "none")] }
  func mixAdapters(_ mix: AdapterMix) async throws -> AdapterMixed {
    throw Refusal(description: "there is only the family's own adapter")
  }
  func useAdapter(_ adapter: AdapterReference) async throws {
    if adapter.step != Self.summary.adapterStep { throw Refusal(description: "there is only the family's own adapter") }
  }
}

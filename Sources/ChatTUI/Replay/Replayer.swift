import ChatEngine
import ChatScript
import Dispatch
import Foundation

/// Replays a script without a screen: the same state, the same commands and the same order of things as in the chat.
/// Training runs to its end before the next step, so that nothing depends on time.
public struct Replayer {
  private let script: Script
  private var state: AppState
  private let queue: ActionQueue
  private let effects: EffectRunner
  private let arrived: DispatchSemaphore
  private var status: Int32?
  /// When the reply in hand was asked for.
  private var asked = ContinuousClock.now

  /// - Parameter options: of the chat; what the script says wins.
  public init(_ script: Script, backend: any ChatBackend, options: ChatUIOptions) {
    self.script = script
    var options = options
    if let stitch = script.stitch { options.stitch = stitch }
    if let system = script.system { options.system = system }
    for setting in script.settings { setting.apply(to: &options.sampling) }
    if let seed = script.seed { options.sampling.seed = seed }
    state = AppState(options)
    let arrived = DispatchSemaphore(value: 0)
    self.arrived = arrived
    queue = ActionQueue(wake: { arrived.signal() })
    effects = EffectRunner(backend: backend, queue: queue)
  }

  /// Runs all steps. Blocks; call it off Swift's cooperative pool.
  /// - Parameter ground: what it runs on, once the family is loaded.
  public mutating func run(ground: (FamilySummary) -> ReplayResult.Ground) -> ReplayResult {
    let start = ContinuousClock.now
    var result = ReplayResult(script: script.file)
    defer { effects.run(.quit(status: 0)) }
    apply(.resize(width: 100, height: 30))
    effects.run(.load)
    wait { if case .loading = $0.family { true } else { false } }
    switch state.family {
    case .failed(let message): result.error = message
    case .ready(let summary):
      result.ground = ground(summary)
      for step in script.steps {
        let done = perform(step)
        result.steps.append(done.step)
        if let error = done.error {
          result.error = "line \(step.line): \(error)"
          break
        }
      }
    case .loading: break
    }
    result.seconds = start.duration(to: .now) / .seconds(1)
    return result
  }

  /// - Returns: what came of it, and why the script cannot go on, if it cannot.
  private mutating func perform(_ step: Script.Step) -> (step: ReplayResult.Step, error: String?) {
    let lines = ScriptLines.lines(step.action)
    var done = ReplayResult.Step(line: step.line, input: lines.joined(separator: "\n"))
    if step.action == .stitch("auto") {
      return (done, "“auto” goes by the clock, so nothing could be expected of it; name a stitch")
    }
    let before = state.conversation.entries.last?.id ?? 0
    for line in lines {
      asked = .now
      apply(.submit(line))
      // A line that was no command stays in the composer.
      if let hint = state.hint, hint.isWarning || !state.editor.isEmpty { return (done, hint.text) }
      state.hint = nil
      wait { $0.activeReply != nil || $0.comparing != nil || $0.pendingAnswers > 0 }
      if case .train = step.action { wait(\.isTraining) }
    }
    let seconds = asked.duration(to: .now) / .seconds(1)
    for entry in state.conversation.entries where entry.id > before {
      let replies: [Reply]
      switch entry.kind {
      case .notice(let text, let isWarning) where isWarning: return (done, text)
      case .notice, .user: continue
      case .reply(let reply): replies = [reply]
      case .comparison(let comparison): replies = comparison.columns.map(\.reply)
      }
      for reply in replies {
        if let error = take(reply, seconds, step.expectation, into: &done) { return (done, error) }
      }
    }
    if case .train = step.action, state.training.phase == .failed { return (done, state.training.message) }
    return (done, nil)
  }

  /// - Returns: why there is no whole reply.
  private func take(
    _ reply: Reply, _ seconds: Double, _ expectation: Expectation?, into done: inout ReplayResult.Step
  ) -> String? {
    switch reply.state {
    case .failed(let message): return message
    case .waiting, .streaming, .stopped: return "the reply was cut off"
    case .finished(let stamp):
      let text = reply.text.trimmingWhitespace
      done.replies.append(
        .init(
          text: text, stitch: stamp.stitch, adapterStep: stamp.adapterStep, tokens: stamp.tokens, finish: stamp.finish,
          tokensPerSecond: stamp.tokensPerSecond, seconds: seconds))
      if let expectation, !expectation.isEmpty {
        done.isChecked = true
        done.failures += expectation.failures(text: text, stamp: stamp, seconds: seconds)
      }
      return nil
    }
  }

  private mutating func wait(_ isWaiting: (AppState) -> Bool) {
    while true {
      for action in queue.drain() { apply(action) }
      if status != nil || !isWaiting(state) { return }
      arrived.wait()
    }
  }

  private mutating func apply(_ action: Action) {
    for effect in update(&state, action) {
      if case .quit(let status) = effect { self.status = status } else { effects.run(effect) }
    }
  }
}

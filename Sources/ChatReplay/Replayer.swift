import ChatEngine
import ChatScript
import ChatTUI
import Conversations
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
  /// How often the family was asked for as it is now, less the answers.
  private var describing = 0
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
    // A script says itself what it sends: a message is what it says.
    state.attachments.takesMentions = false
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
    resize(script.screen ?? .usual)
    effects.run(.load)
    result.error = wait { $0.family == .loading }
    if let summary = state.summary {
      result.ground = ground(summary)
      for step in script.steps {
        let done = perform(step)
        result.steps.append(done.step)
        if let error = done.error {
          result.error = "line \(step.line): \(error)"
          break
        }
      }
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
    if case .screen(let size) = step.action {
      done.input = "screen \(size.width)×\(size.height)"
      resize(size)
    }
    apply(.holdReplies(to: step.expectation?.form?.source))
    let before = state.conversation.entries.last?.id ?? 0
    /// An earlier reply that the step goes on with.
    var goneOn: Int?
    for line in lines {
      if let error = enter(line, goneOn: &goneOn) { return (done, error) }
      if case .train = step.action, let error = wait(\.isTraining) { return (done, error) }
    }
    let seconds = asked.duration(to: .now) / .seconds(1)
    var warning: String?
    var replies = goneOn.flatMap { state.conversation.reply($0) }.map { [$0] } ?? []
    for entry in state.conversation.entries where entry.id > before {
      switch entry.kind {
      case .notice(let text, let isWarning): if isWarning { warning = warning ?? text }
      case .user: break
      case .reply(let reply): replies.append(reply)
      case .comparison(let comparison): replies += comparison.columns.map(\.reply)
      }
    }
    for reply in replies {
      if let error = take(reply, seconds, step.expectation, into: &done) { return (done, error) }
    }
    // Beside a reply a warning is a word about the context; without one it says why there is none.
    if let warning, done.replies.isEmpty { return (done, warning) }
    if case .train = step.action, state.training.phase == .failed { return (done, state.training.message) }
    check(step.expectation, &done)
    return (done, nil)
  }

  /// Sends a line and waits for what comes of it.
  /// - Parameter goneOn: becomes the earlier reply that the line goes on with, if it does.
  /// - Returns: why it cannot be done, if so.
  private mutating func enter(_ line: String, goneOn: inout Int?) -> String? {
    let last = state.conversation.entries.last?.id ?? 0
    asked = .now
    // As the first key that is pressed puts them away.
    (state.hint, state.overlay) = (nil, .none)
    apply(.submit(line))
    if status != nil { return "\(line) ends the chat; leave it out" }
    // A line that was no command stays in the composer.
    let isLeft = !state.editor.isEmpty && state.editing == nil
    if let hint = state.hint, hint.isWarning || isLeft { return hint.text }
    if let active = state.activeReply, let entry = state.conversation.entry(ofReply: active), entry <= last {
      goneOn = active
    }
    return wait(\.isAwaitingAnswer)
  }

  /// Looks at what the user interface would draw now, and whether there was a reply to expect something of.
  private func check(_ expectation: Expectation?, _ done: inout ReplayResult.Step) {
    guard let expectation else { return }
    if !expectation.ignoresReply && done.replies.isEmpty {
      done.isChecked = true
      done.failures.append("no reply came of it")
    }
    guard let screen = expectation.screen else { return }
    var canvas = Canvas(width: state.width, height: state.height)
    view(state, &canvas)
    let lines = canvas.dump()
    done.isChecked = true
    done.screen = lines
    let failures = screen.failures(lines: lines)
    done.isScreenExpected = failures.isEmpty
    done.failures += failures
  }

  /// - Returns: why there is no whole reply.
  private func take(
    _ reply: ReplyEntry, _ seconds: Double, _ expectation: Expectation?, into done: inout ReplayResult.Step
  ) -> String? {
    switch reply.state {
    case .failed(let message): return message
    case .waiting, .streaming, .cancelled: return "the reply was cut off"
    case .finished(let stamp):
      let text = reply.text.trimmingWhitespace
      done.replies.append(
        .init(
          text: text, stitch: stamp.stitch, adapterStep: stamp.adapterStep, tokens: stamp.tokens, finish: stamp.finish,
          tokensPerSecond: stamp.tokensPerSecond, seconds: seconds))
      if let expectation, !expectation.ignoresReply {
        let failures = expectation.failures(text: text, whole: reply.text, stamp: stamp, seconds: seconds)
        done.isChecked = true
        done.isReplyExpected = failures.isEmpty
        done.failures += failures
      }
      return nil
    }
  }

  /// - Returns: why what is waited for will not come, if so.
  private mutating func wait(_ isWaiting: (AppState) -> Bool) -> String? {
    while true {
      for action in queue.drain() { apply(action) }
      // Without a family nothing else comes.
      if case .failed(let message) = state.family { return message }
      if status != nil || !(isWaiting(state) || describing > 0) { return nil }
      arrived.wait()
    }
  }

  private mutating func apply(_ action: Action) {
    if case .described = action { describing -= 1 }
    for effect in update(&state, action) {
      // What it says shows on the screen.
      if effect == .describe { describing += 1 }
      if case .quit(let status) = effect { self.status = status } else { effects.run(effect) }
    }
  }

  private mutating func resize(_ size: ScreenSize) { apply(.resize(width: size.width, height: size.height)) }
}

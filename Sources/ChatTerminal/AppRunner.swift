import ChatEngine
import ChatScript
import ChatTUI
import Foundation

/// The loop of the user interface, on the main thread: wait, apply, draw. It sleeps while nothing happens, and
/// draws at most every 16 ms, only after a change.
struct AppRunner: ~Copyable {
  private var terminal: Terminal
  private(set) var state: AppState
  private let queue: ActionQueue
  private let effects: EffectRunner
  private let history: InputHistory?
  private let resumed: String?
  private var status: Int32?
  private var isDirty = true
  private var lastFrame = ContinuousClock.now - .seconds(1)
  /// When waiting for training to be put away is given up.
  private var deadline: ContinuousClock.Instant?

  private var player: ScriptPlayer?
  private let quitsAfterScript: Bool
  private let start = ContinuousClock.now
  /// Something was typed since the last frame.
  private var isAwaited = false

  private static let frame = Duration.milliseconds(16)

  init(backend: any ChatBackend, options: ChatUIOptions) throws(TerminalError) {
    state = AppState(options)
    state.sampling.overflow = options.overflow ?? .refuse
    history = options.historyFile.map(InputHistory.init)
    state.editor.history = history?.load() ?? []
    terminal = try Terminal(log: options.logFile, settings: state.screen)
    queue = ActionQueue(wake: { Terminal.wake() })
    effects = EffectRunner(backend: backend, queue: queue, saving: options.saving, script: options.recordedScript)
    resumed = options.resume
    player = options.script.map { ScriptPlayer($0, shortening: Self.shortened) }
    quitsAfterScript = options.script?.quitsAtEnd ?? false
  }

  /// Relative to the current directory where it lies below.
  private static func shortened(_ path: String) -> String {
    let here = FileManager.default.currentDirectoryPath + "/"
    return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
  }

  /// Runs until the user or a signal ends it.
  /// - Returns: the exit status.
  mutating func run() -> Int32 {
    apply(.resize(width: terminal.width, height: terminal.height))
    draw()
    if let resumed { effects.run(.openConversation(resumed)) }
    effects.run(.load)
    while status == nil {
      for action in queue.drain() { apply(action) }
      if isDirty && lastFrame.duration(to: .now) >= Self.frame { draw() }
      if status != nil { break }
      let pause = play()
      if status != nil { break }
      handle(terminal.next(milliseconds: [wait, pause].compactMap(\.self).min()))
      if let deadline, ContinuousClock.now > deadline { status = state.leaving.status ?? 0 }
    }
    return status!
  }

  /// How long to sleep: until the next frame if there is something to draw. What was typed shows as soon as no more
  /// keys are waiting, so that typing never waits for a frame.
  private var wait: Int? {
    if isAwaited { return 0 }
    if isDirty {
      let left = Self.frame - lastFrame.duration(to: .now)
      return max(0, Int(left.components.attoseconds / 1_000_000_000_000_000) + 1)
    }
    return deadline == nil ? nil : 500
  }

  /// Does the next thing of the script, if it is time.
  /// - Returns: milliseconds to the one after that.
  private mutating func play() -> Int? {
    guard player != nil else { return nil }
    switch player!.next(state, at: start.duration(to: .now)) {
    case .act(let action):
      apply(action)
      return 0
    case .wait(let time): return Int(time / .milliseconds(1)) + 1
    case .waitForEvent: return nil
    case .over:
      player = nil
      apply(.scriptEnded(takenOver: false))
      if quitsAfterScript { apply(.terminate(status: 0)) }
      return 0
    }
  }

  /// What the user does; any key ends a script.
  private mutating func input(_ action: Action) {
    apply(action)
    isAwaited = true
    if player != nil {
      player = nil
      apply(.scriptEnded(takenOver: true))
    }
  }

  private mutating func handle(_ event: TerminalEvent) {
    switch event {
    case .key(let key): input(.key(key))
    case .paste(let text): input(.paste(text))
    case .mouse(let event): apply(.mouse(event))
    case .resize(let width, let height):
      terminal.forget()
      apply(.resize(width: width, height: height))
    case .quit(let signal):
      let isGone = signal == 0 || signal == SIGHUP
      if isGone && deadline != nil {
        // The terminal keeps saying so while training is put away.
        Thread.sleep(forTimeInterval: 0.05)
      } else {
        apply(.terminate(status: 128 + (signal == 0 ? SIGHUP : signal)))
      }
    case .suspend: apply(.suspendRequested)
    case .continued:
      terminal.forget()
      isDirty = true
    case .wake: break
    case .timeout: if isAwaited && status == nil { draw() }
    }
  }

  private mutating func apply(_ action: Action) {
    let written = state.editor.history.count
    let effects = update(&state, action)
    if let line = state.editor.history.last, state.editor.history.count > written { history?.append(line) }
    for effect in effects { perform(effect) }
    isDirty = true
  }

  private mutating func perform(_ effect: Effect) {
    switch effect {
    case .quit(let status): self.status = status
    case .suspend(let wholeGroup):
      terminal.suspend(wholeGroup: wholeGroup)
      // The window may have changed meanwhile.
      apply(.resize(width: terminal.width, height: terminal.height))
    case .redraw:
      terminal.forget()
      isDirty = true
    case .setScreen(let settings): terminal.set(settings)
    case .copy(let text): terminal.copy(text)
    case .editDraft(let draft):
      let outcome = terminal.edit(draft)
      apply(.resize(width: terminal.width, height: terminal.height))
      apply(outcome)
    case .putTrainingAway:
      deadline = .now + .seconds(10)
      effects.run(effect)
    default: effects.run(effect)
    }
  }

  private mutating func draw() {
    var canvas = Canvas(width: terminal.width, height: terminal.height)
    view(state, &canvas)
    terminal.present(canvas)
    isDirty = false
    isAwaited = false
    lastFrame = .now
  }
}

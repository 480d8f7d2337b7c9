import ChatEngine
import Foundation

/// The loop of the user interface, on the main thread: wait, apply, draw. It sleeps while nothing happens, and
/// draws at most every 16 ms, only after a change.
struct AppRunner: ~Copyable {
  private var terminal: Terminal
  private(set) var state: AppState
  private let queue: ActionQueue
  private let effects: EffectRunner
  private let resumed: String?
  private var status: Int32?
  private var isDirty = true
  private var lastFrame = ContinuousClock.now - .seconds(1)
  /// When waiting for training to be put away is given up.
  private var deadline: ContinuousClock.Instant?

  private static let frame = Duration.milliseconds(16)

  init(backend: any ChatBackend, options: ChatUIOptions) throws(TerminalError) {
    state = AppState(options)
    terminal = try Terminal(
      log: options.logFile, mouse: options.mouse, color: options.color && !ChatUIOptions.isNoColorSet)
    queue = ActionQueue(wake: { Terminal.wake() })
    effects = EffectRunner(backend: backend, queue: queue, saving: options.saving)
    resumed = options.resume
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
      handle(terminal.next(milliseconds: wait))
      if let deadline, ContinuousClock.now > deadline { status = state.quitting ?? 0 }
    }
    return status!
  }

  /// How long to sleep: until the next frame if there is something to draw.
  private var wait: Int? {
    if isDirty {
      let left = Self.frame - lastFrame.duration(to: .now)
      return max(0, Int(left.components.attoseconds / 1_000_000_000_000_000) + 1)
    }
    return deadline == nil ? nil : 500
  }

  private mutating func handle(_ event: TerminalEvent) {
    switch event {
    case .key(let key): apply(.key(key))
    case .paste(let text): apply(.paste(text))
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
    case .wake, .timeout: break
    }
  }

  private mutating func apply(_ action: Action) {
    for effect in update(&state, action) { perform(effect) }
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
    lastFrame = .now
  }
}

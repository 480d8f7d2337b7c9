import ChatEngine
import ChatScript
import Dispatch
import Foundation
import Synchronization

/// Why a plain chat could not begin; one line.
public struct PlainChatError: Error, CustomStringConvertible {
  public var description: String
}

/// A chat line by line, with no cursor control: for pipes, dumb terminals and screen readers. The same commands as in
/// the terminal UI, but for those that need a screen. Call it on the main thread; it blocks.
/// - Parameters:
///   - input: the next line without its end, `nil` at the end of input. Called on the calling thread.
///   - output: takes text as it comes; nothing in it can act on a terminal.
///   - isInteractive: somebody types: ask with a prompt, and say what is going on. Otherwise the lines are repeated in
///     the output, so that it reads as a conversation.
/// - Returns: the exit status, 0 at the end of input; 1 where nobody types and a reply has failed.
/// - Throws: `PlainChatError` if the family could not be loaded.
public func runPlainChat(
  backend: any ChatBackend, options: ChatUIOptions,
  input: () -> String? = {
    // At the end of input `readLine` tries again for ever where an interrupted call has left its error behind.
    errno = 0
    return readLine()
  },
  output: @escaping (String) -> Void,
  isInteractive: Bool
) throws -> Int32 {
  var chat = PlainChat(backend: backend, options: options, output: output)
  return try chat.run(input: input, isInteractive: isInteractive)
}

/// Drives the same state as the terminal UI and prints what is new in it.
struct PlainChat {
  private var state: AppState
  private let queue: ActionQueue
  private let effects: EffectRunner
  private let arrived: DispatchSemaphore
  private let script: ScriptPlayback?
  private let resumed: String?
  private var printer: PlainPrinter
  private var status: Int32?

  init(backend: any ChatBackend, options: ChatUIOptions, output: @escaping (String) -> Void) {
    state = AppState(options)
    script = options.script
    state.isPlain = true
    state.attachments.takesMentions = options.script == nil
    state.sampling.overflow = options.overflow ?? .dropOldest
    let arrived = DispatchSemaphore(value: 0)
    self.arrived = arrived
    printer = PlainPrinter(output: output)
    queue = ActionQueue(wake: { arrived.signal() })
    effects = EffectRunner(backend: backend, queue: queue, saving: options.saving, script: options.recordedScript)
    resumed = options.resume
  }

  mutating func run(input: () -> String?, isInteractive: Bool) throws -> Int32 {
    if isInteractive { printer.say("loading the family") }
    if let resumed { effects.run(.openConversation(resumed)) }
    effects.run(.load)
    wait { $0.family == .loading || $0.opening != .done }
    if case .failed(let message) = state.family { throw PlainChatError(description: sanitiseLine(message)) }
    if isInteractive, let summary = state.summary {
      printer.say(
        summary.model == nil
          ? "\(sanitiseLine(summary.name)) is loaded: \(Format.stops(of: summary)), \(sanitiseLine(state.currentStop?.id ?? "none")) answers. /help lists the commands."
          : "\(summary.name) is loaded. \(Format.facts(of: summary)) /help lists the commands."
      )
    }
    if let script { play(script, isInteractive: isInteractive) }
    while status == nil {
      // What happened while the line was written.
      for action in queue.drain() { apply(action) }
      if isInteractive { printer.output("you> ") }
      guard let line = input() else {
        if isInteractive { printer.output("\n") }
        apply(.terminate(status: 0))
        wait { _ in true }
        break
      }
      enter(line, isInteractive: isInteractive, repeating: !isInteractive)
    }
    let status = status ?? 0
    return status == 0 && !isInteractive && printer.hasFailure ? 1 : status
  }

  /// Does what a line says and waits for the reply.
  private mutating func enter(_ line: String, isInteractive: Bool, repeating: Bool) {
    if repeating && !line.trimmingWhitespace.isEmpty { printer.output("you> \(sanitiseLine(line))\n") }
    if isInteractive { InterruptFlag.watch() }
    apply(.submit(line))
    printHelpAndHints()
    wait(canInterrupt: isInteractive) { $0.isAwaitingAnswer }
    if isInteractive { InterruptFlag.leave() }
    printList()
    printHelpAndHints()
  }

  /// The lines of a script, without delays. Then the chat goes on if somebody is there to type.
  private mutating func play(_ playback: ScriptPlayback, isInteractive: Bool) {
    for step in playback.script.steps where status == nil {
      if step.action == .waitForTraining { wait { $0.isTraining } }
      apply(.holdReplies(to: step.expectation?.form?.source))
      for line in ScriptLines.lines(step.action) where status == nil {
        enter(line, isInteractive: isInteractive, repeating: true)
      }
    }
    apply(.holdReplies(to: nil))
    state.attachments.takesMentions = true
    if status == nil && (playback.quitsAtEnd || !isInteractive) {
      apply(.terminate(status: 0))
      wait { _ in true }
    }
  }

  /// Applies what arrives until `isWaiting` no longer holds or the chat is over.
  private mutating func wait(canInterrupt: Bool = false, _ isWaiting: (AppState) -> Bool) {
    while true {
      for action in queue.drain() { apply(action) }
      if status != nil || !isWaiting(state) { return }
      if !canInterrupt {
        arrived.wait()
      } else {
        _ = arrived.wait(timeout: .now() + .milliseconds(100))
        if InterruptFlag.take() { apply(.key(.control("c"))) }
      }
    }
  }

  private mutating func apply(_ action: Action) {
    for effect in update(&state, action) {
      if case .quit(let status) = effect { self.status = status } else { effects.run(effect) }
    }
    printer.printNews(state)
  }

  private mutating func printHelpAndHints() {
    if let hint = state.hint {
      printer.say(hint.text)
      state.hint = nil
      // A line that was no command is not corrected here but written anew.
      _ = state.editor.take()
    }
    if state.help != nil {
      for usage in Command.usages where !usage.needsScreen {
        // Lines that a terminal of 80 columns does not have to break.
        let name = "/\(usage.name) \(usage.arguments)"
        let help = Wrap.lines(usage.help, width: 53).map(\.trimmingWhitespace)
        if name.count >= 24 { printer.output("  \(name)\n") }
        for (index, line) in help.enumerated() {
          let head = index == 0 && name.count < 24 ? name : ""
          printer.output("  " + head.padding(toLength: 24, withPad: " ", startingAt: 0) + line + "\n")
        }
      }
      printer.output("  A message that begins with a slash is written with two.\n")
      state.overlay = .none
    }
  }

  /// A list is printed, not chosen from.
  private mutating func printList() {
    guard let picker = state.picker else { return }
    state.overlay = .none
    if picker.rows.isEmpty { printer.say(picker.emptyText) }
    for row in picker.rows {
      printer.say("\(row.id) · \(sanitiseLine(row.detail)) · \(sanitiseLine(row.title))")
      if let match = row.match { printer.output("    \(sanitiseLine(match))\n") }
    }
    if !picker.rows.isEmpty { printer.say("/open and the beginning of an id goes on with one") }
  }
}

/// Ctrl-C in a plain chat: while a reply is made it cancels the reply, otherwise it ends the program as always.
enum InterruptFlag {
  /// The handler does nothing but set it, which a handler may.
  private static let isSet = Atomic(false)

  /// From now on Ctrl-C only sets the flag.
  static func watch() {
    isSet.store(false, ordering: .relaxed)
    signal(SIGINT) { _ in InterruptFlag.isSet.store(true, ordering: .relaxed) }
  }

  static func leave() { signal(SIGINT, SIG_DFL) }

  /// Whether it was pressed since the last time.
  static func take() -> Bool { isSet.exchange(false, ordering: .relaxed) }
}

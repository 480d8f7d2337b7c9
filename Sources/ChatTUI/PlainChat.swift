import ChatEngine
import Dispatch
import Foundation

/// Why a plain chat could not begin; one line.
public struct PlainChatError: Error, CustomStringConvertible {
  public var description: String
}

/// A chat line by line, with no cursor control: for pipes, dumb terminals and screen readers. The same commands as in
/// the terminal UI. Call it on the main thread; it blocks.
/// - Parameters:
///   - input: the next line without its end, `nil` at the end of input. Called on the calling thread.
///   - output: takes text as it comes; nothing in it can act on a terminal.
///   - isInteractive: somebody types: ask with a prompt. Otherwise the lines are repeated in the output, so that it
///     reads as a conversation.
/// - Returns: the exit status, 0 at the end of input.
/// - Throws: `PlainChatError` if the family could not be loaded.
public func runPlainChat(
  backend: any ChatBackend, options: ChatUIOptions,
  input: () -> String? = { readLine() },
  output: @escaping (String) -> Void,
  isInteractive: Bool? = nil
) throws -> Int32 {
  var chat = PlainChat(backend: backend, options: options, output: output)
  return try chat.run(input: input, isInteractive: isInteractive ?? Terminal.inputIsTerminal)
}

/// Drives the same state as the terminal UI and prints what is new in it.
struct PlainChat {
  private var state: AppState
  private let queue: ActionQueue
  private let effects: EffectRunner
  private let arrived: DispatchSemaphore
  private let output: (String) -> Void
  private var status: Int32?
  /// How far the transcript is printed: entries below `nextEntry`, and of that one so many characters.
  private var nextEntry = 0
  private var openReply: (id: Int, printed: Int)?
  /// How many replies of the comparison that is being printed are done.
  private var columnsPrinted = 0

  init(backend: any ChatBackend, options: ChatUIOptions, output: @escaping (String) -> Void) {
    state = AppState(options)
    let arrived = DispatchSemaphore(value: 0)
    self.arrived = arrived
    self.output = output
    queue = ActionQueue(wake: { arrived.signal() })
    effects = EffectRunner(backend: backend, queue: queue)
  }

  mutating func run(input: () -> String?, isInteractive: Bool) throws -> Int32 {
    effects.run(.load)
    wait { if case .loading = $0.family { true } else { false } }
    if case .failed(let message) = state.family { throw PlainChatError(description: sanitiseLine(message)) }
    while status == nil {
      if isInteractive { output("you> ") }
      guard let line = input() else {
        if isInteractive { output("\n") }
        apply(.terminate(status: 0))
        wait { _ in true }
        break
      }
      if !isInteractive && !line.trimmingWhitespace.isEmpty { output("you> \(sanitiseLine(line))\n") }
      apply(.submit(line))
      printHelpAndHints()
      wait { $0.activeReply != nil || $0.pendingAnswers > 0 }
      printHelpAndHints()
    }
    return status ?? 0
  }

  /// Applies what arrives until `isWaiting` no longer holds or the chat is over.
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
    printNews()
  }

  private mutating func printHelpAndHints() {
    if let hint = state.hint {
      output("* \(sanitiseLine(hint.text))\n")
      state.hint = nil
      // A line that was no command is not corrected here but written anew.
      _ = state.editor.take()
    }
    if state.help != nil {
      for usage in Command.usages {
        output(
          "  " + "/\(usage.name) \(usage.arguments)".padding(toLength: 24, withPad: " ", startingAt: 0) + usage.help
            + "\n")
      }
      state.help = nil
    }
  }

  private mutating func printNews() {
    // The caller says it, on standard error.
    if case .failed = state.family { return }
    for entry in state.conversation.entries where entry.id >= nextEntry {
      switch entry.kind {
      case .user: break
      case .notice(let text, _): output("* \(sanitise(text).replacing("\n", with: "\n  "))\n")
      case .reply(let reply):
        guard printReply(entry.id, reply) else { return }
      case .comparison(let comparison):
        // One below the other; those that are done are printed already.
        for column in comparison.columns.dropFirst(columnsPrinted) {
          guard printReply(column.id, column.reply) else { return }
          columnsPrinted += 1
        }
        columnsPrinted = 0
      }
      nextEntry = entry.id + 1
    }
  }

  /// - Returns: whether the reply is complete.
  private mutating func printReply(_ id: Int, _ reply: Reply) -> Bool {
    if openReply?.id != id {
      output("assistant> ")
      openReply = (id, 0)
    }
    // The last character may still change with what comes: a combining mark, the second half of a line end.
    let text = Array(sanitise(reply.text))
    let end = reply.isOpen ? max(0, text.count - 1) : text.count
    let printed = openReply!.printed
    if end > printed {
      output(String(text[printed..<end]))
      openReply = (id, end)
    }
    if reply.isOpen { return false }
    if case .failed(let message) = reply.state { output("\n* failed: \(sanitiseLine(message))") }
    output("\n[\(TranscriptLines.label(reply, glyphs: state.glyphs))]\n")
    openReply = nil
    return true
  }
}

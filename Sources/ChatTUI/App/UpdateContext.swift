import ChatEngine

/// What happens as the context fills up.
extension AppState {
  private static func messages(_ count: Int) -> String { count == 1 ? "message" : "\(count) messages" }

  /// Once, before anything has to go.
  mutating func warnOfContext() {
    guard let use = contextUse else { return }
    if use < 0.8 { hasWarnedOfContext = false }
    if use < 0.8 || hasWarnedOfContext { return }
    hasWarnedOfContext = true
    let after =
      sampling.overflow == .refuse
      ? "A message that does not fit will not be sent without asking; /set overflow oldest leaves out the oldest instead."
      : "When it is full, the oldest messages are left out."
    notice(
      "\(Format.percent(use)) of the context is used. /drop N forgets the oldest N messages, /clear all. \(after)",
      isWarning: true)
  }

  /// The engine refused: it would have had to leave something out.
  mutating func didNotFit(_ id: Int, messagesToDrop count: Int) {
    let messages = Self.messages(count)
    guard let message = conversation.takeBack(reply: id) else {
      end(id) { $0.state = .failed("the context is full; /drop \(count) makes room") }
      return
    }
    recordEnd(of: id)
    activeReply = nil
    isStopping = false
    held = HeldMessage(text: message, messagesToDrop: count)
    let draft = editor.text
    editor.replace(with: Self.asTyped(message) + (draft.isEmpty ? "" : "\n" + draft))
    notice(
      "Not sent: there is room for it only without the oldest \(messages). Enter forgets \(count == 1 ? "it" : "them") and sends. Or Ctrl-C, and then: /drop N forgets the oldest N, /drop oldest always leaves out what does not fit, /clear forgets all.",
      isWarning: true)
    say("not sent: Enter sends it without the oldest \(messages)", isWarning: true)
  }

  /// A message that was held back is sent again: that is the answer to the question.
  mutating func makeRoom(for line: String) {
    guard let held else { return }
    self.held = nil
    if line == Self.asTyped(held.text) { forget(held.messagesToDrop) }
  }

  mutating func drop(_ target: Command.DropTarget) -> [Effect] {
    switch target {
    case .count(let count): forget(count)
    case .oldest:
      sampling.overflow = .dropOldest
      notice("From now on the oldest messages are left out where the context is full; /set overflow ask asks.")
    }
    bringHeldBack()
    return []
  }

  private mutating func forget(_ count: Int) {
    let before = conversation.messages.reduce(0) { $0 + $1.content.utf8.count }
    let forgotten = conversation.forget(oldest: count)
    if forgotten == 0 {
      say("there is nothing to forget")
      return
    }
    recordForgetting(forgotten)
    // An estimate, until the next reply says it.
    let after = conversation.messages.reduce(0) { $0 + $1.content.utf8.count }
    contextTokens = before > 0 ? contextTokens * after / before : 0
    hasWarnedOfContext = false
    notice(
      "Forgot the oldest \(Self.messages(forgotten)): the model does not see \(forgotten == 1 ? "it" : "them") any more."
    )
  }

  /// What was held back stands in the composer again, once a command has made room.
  mutating func bringHeldBack() {
    guard let held, editor.isEmpty else { return }
    editor.replace(with: Self.asTyped(held.text))
    self.held = nil
  }
}

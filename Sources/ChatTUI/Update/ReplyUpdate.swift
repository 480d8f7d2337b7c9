import ChatEngine
import Conversations

/// Replies: asked for, as they come, cancelled, made again, gone on with; and the context that they fill.
extension AppState {
  // MARK: Asking

  /// Asks for a reply to the conversation as it is.
  mutating func ask() -> [Effect] {
    let id = conversation.append(.reply(ReplyEntry(stitch: currentStop?.id ?? "")))
    activity = .waiting(reply: id)
    scrollToEnd()
    return startWaitingReply()
  }

  /// Begins the reply that was asked for, if it can begin.
  mutating func startWaitingReply() -> [Effect] {
    guard case .waiting(let id) = activity, canReply else { return [] }
    guard let stop = currentStop else { return end(id) { $0.state = .failed("the family has no stitch") } }
    activity = .replying(reply: id)
    var options = sampling
    // Replies differ, and the same conversation with the same seed is the same.
    options.seed = sampling.seed &+ repliesStarted
    repliesStarted &+= 1
    conversation.changeReply(id) {
      $0.stitch = stop.id
      $0.options = options
    }
    // Of the step, not of the conversation.
    options.form = replyForm
    return [.startReply(id: id, messages: conversation.messages, stitch: stop.id, options: options)]
  }

  /// `/regen`: the last question again.
  mutating func regenerate() -> [Effect] {
    if refusesWhileReplying() { return [] }
    guard conversation.removeLastReply() else {
      say("there is no reply yet")
      return []
    }
    recordRegeneration()
    return ask()
  }

  /// `/continue`: more of the last reply, of a comparison more of the one in use.
  mutating func continueReply() -> [Effect] {
    if refusesWhileReplying() { return [] }
    guard canReply, let id = conversation.continuable else {
      say("there is no reply to go on with", isWarning: true)
      return []
    }
    settleChoice()
    conversation.changeReply(id) { $0.state = .waiting }
    recordContinuation(of: id)
    activity = .waiting(reply: id)
    scrollToEnd()
    return startWaitingReply()
  }

  /// Says so where a reply is running.
  mutating func refusesWhileReplying() -> Bool {
    if activity == .idle { return false }
    say("a reply is running: Esc stops it")
    return true
  }

  // MARK: What comes

  mutating func reply(_ id: Int, _ event: ReplyEvent) -> [Effect] {
    guard id == activeReply else { return [] }
    switch event {
    case .started(let stitch, let step, let hash, let origin):
      begun(id, stitch, AdapterReference(step: step, hash: hash, origin: origin))
    case .trimmed(let count):
      let messages = count == 1 ? "message is" : "\(count) messages are"
      say(
        "the context is full: the oldest \(messages) left out; /clear starts anew, /drop N forgets them",
        isWarning: true)
    case .waiting(let line): say("\(line) · Esc stops")
    case .text(let text): grow(id, text)
    case .finished(let stamp): return finished(id, stamp)
    case .failed(.conversationTooLong(let count)): return didNotFit(id, messagesToDrop: count)
    case .failed(let failure): return end(id) { $0.state = .failed("\(failure)") }
    }
    return []
  }

  /// The reply's stream is over; without a last event, it was cut off.
  mutating func replyEnded(_ id: Int) -> [Effect] {
    guard id == activeReply else { return [] }
    return end(id) { if $0.isOpen { $0.state = .cancelled } }
  }

  private mutating func begun(_ id: Int, _ stitch: String, _ adapter: AdapterReference) {
    self.adapter = adapter
    conversation.changeReply(id) {
      $0.stitch = stitch
      $0.adapterStep = adapter.step
      $0.adapterHash = adapter.hash
      $0.adapterOrigin = adapter.origin
      $0.state = .streaming
    }
    recordStart(of: id)
    mixer.command = nil
  }

  private mutating func grow(_ id: Int, _ text: String) {
    if isCancelling { return }
    conversation.changeReply(id) {
      $0.text += text
      $0.state = .streaming
    }
    if scroll != .end { hasNews = true }
  }

  private mutating func finished(_ id: Int, _ stamp: ReplyStamp) -> [Effect] {
    contextTokens = stamp.contextTokens
    measured(stamp)
    warnOfContext()
    return end(id) {
      $0.stitch = stamp.stitch
      $0.adapterStep = stamp.adapterStep
      $0.adapterHash = stamp.adapterHash
      $0.adapterOrigin = stamp.adapterOrigin
      $0.state = .finished(stamp)
    }
  }

  /// A reply is over; of a comparison, the next one begins.
  mutating func end(_ id: Int, _ change: (inout ReplyEntry) -> Void) -> [Effect] {
    conversation.changeReply(id, change)
    recordEnd(of: id)
    if scroll != .end { hasNews = true }
    let comparison = comparing
    activity = .idle
    return comparison.map { nextOfComparison($0) } ?? []
  }

  /// Cancels the running reply; its text stays.
  mutating func cancelReply() -> [Effect] {
    guard let id = activeReply, !isCancelling else { return [] }
    cancelRestOfComparison()
    // It never began.
    if case .waiting = activity { return end(id) { $0.state = .cancelled } }
    activity = .cancelling(reply: id, comparison: comparing)
    return [.cancelReply]
  }

  // MARK: The context

  /// Once, before anything has to go.
  private mutating func warnOfContext() {
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
  private mutating func didNotFit(_ id: Int, messagesToDrop count: Int) -> [Effect] {
    guard let message = conversation.takeBack(reply: id) else {
      return end(id) { $0.state = .failed("the context is full; /drop \(count) makes room") }
    }
    activity = .idle
    holdBack(HeldMessage(text: message.written, files: message.files, messagesToDrop: count))
    return []
  }

  /// `/drop`.
  mutating func drop(_ target: Command.DropTarget) {
    switch target {
    case .count(let count): forget(count)
    case .oldest:
      sampling.overflow = .dropOldest
      notice("From now on the oldest messages are left out where the context is full; /set overflow ask asks.")
    }
    bringHeldBack()
  }

  mutating func forget(_ count: Int) {
    let before = conversation.messages.reduce(0) { $0 + $1.content.utf8.count }
    let forgotten = conversation.forget(oldest: count)
    if forgotten == 0 {
      say("there is nothing to forget")
      return
    }
    recordForgetting(forgotten)
    // An estimate, until the next reply says it.
    let after = conversation.messages.reduce(0) { $0 + $1.content.utf8.count }
    contextTokens = before > 0 ? Int(Double(contextTokens) * Double(after) / Double(before)) : 0
    hasWarnedOfContext = false
    let messages = forgotten == 1 ? "message" : "\(forgotten) messages"
    notice("Forgot the oldest \(messages): the model does not see \(forgotten == 1 ? "it" : "them") any more.")
  }
}

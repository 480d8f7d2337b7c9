import ChatEngine

/// Saying something anew, and going on with a reply.
extension AppState {
  // MARK: Editing

  mutating func edit(_ target: Command.EditTarget) -> [Effect] {
    switch target {
    case .undo:
      if activeReply != nil {
        say("a reply is running: Esc stops it")
      } else if conversation.bringBack() {
        recordCommand("/edit undo")
        notice("What the edit had replaced is back; /edit undo swaps again.")
      } else {
        say("nothing was edited")
      }
    case .turn(let number):
      guard let turn = conversation.userTurn(number) else {
        say(
          number == 1 ? "there is no message of yours yet" : "there are not so many messages of yours", isWarning: true)
        return []
      }
      editing = turn.id
      if isPlain {
        notice("The next message replaces “\(turn.text)” and all that followed.")
      } else {
        editor.replace(with: Self.asTyped(turn.text))
        say("Enter sends it instead; what followed goes · Esc leaves it")
      }
    case .text(let text):
      guard let turn = conversation.userTurn(1) else {
        say("there is no message of yours yet", isWarning: true)
        return []
      }
      editing = turn.id
      editor.replace(with: text)
      return send()
    }
    return []
  }

  mutating func leaveEditing() {
    editing = nil
    editor.putAside()
    say("the old message stays; ↑ brings back what you wrote")
  }

  /// Takes away what the message that is being sent is to replace.
  mutating func replaceEdited() {
    guard let turn = editing else { return }
    editing = nil
    let count = conversation.replace(from: turn)
    if count == 0 { return }
    notice(
      "\(count) message\(count == 1 ? "" : "s") replaced by what follows; /edit undo brings \(count == 1 ? "it" : "them") back."
    )
  }

  /// A message as it has to be written: one that begins with a slash must not become a command.
  static func asTyped(_ message: String) -> String { Command.isCommand(message) ? "/" + message : message }

  // MARK: Going on

  mutating func continueReply() -> [Effect] {
    if activeReply != nil {
      say("a reply is running: Esc stops it")
      return []
    }
    guard canReply, let id = conversation.continuable else {
      say("there is no reply to go on with", isWarning: true)
      return []
    }
    conversation.changeReply(id) { $0.state = .waiting }
    recordContinuation(of: id)
    activeReply = id
    isStopping = false
    scrollToEnd()
    return start(id)
  }
}

import ChatEngine
import Conversations
import Support

/// The composer: what is written and sent, what is sent anew, what did not fit.
extension AppState {
  // MARK: Writing

  mutating func paste(_ text: String) -> [Effect] {
    switch overlay {
    case .picker: return pasteInPicker(text)
    case .search: pasteInSearch(text)
    case .none, .help:
      // Pasting is never a command to do something: not even its line ends send.
      editor.insert(Self.lineEndsUnified(text))
      hint = nil
      if leaving == .armed { leaving = .no }
    }
    return []
  }

  /// Tab: the name of a command, the path after one, or a file that a message mentions.
  mutating func complete() -> [Effect] {
    let line = editor.textBeforeCursor
    if editor.cursor == editor.characters.count, let completed = Command.complete(line) {
      editor.replace(with: completed)
    } else if PathCompletion.applies(to: line, mentions: attachments.takesMentions) {
      completing = Completing(line: line)
      return [.completePath(line: line)]
    }
    return []
  }

  mutating func completed(_ line: String, to completed: String, choices: [String]) -> [Effect] {
    let sends = completing == Completing(line: line, sends: true)
    if completing?.line == line { completing = nil }
    guard editor.textBeforeCursor == line else { return [] }
    editor.replaceBeforeCursor(with: completed)
    if !choices.isEmpty { say(choices.joined(separator: "  ")) }
    return sends ? send() : []
  }

  /// Enter. What Tab still completes is waited for, so that both keys do the same however fast they come; Enter once more
  /// does not wait.
  mutating func enter() -> [Effect] {
    if let line = completing?.line, completing?.sends == false, line == editor.textBeforeCursor {
      completing = Completing(line: line, sends: true)
      return []
    }
    completing = nil
    return send()
  }

  /// As an editor left it.
  mutating func draftEdited(_ text: String) {
    // Editors end a file with a line end.
    let text = Self.lineEndsUnified(text)
    editor.replace(with: text.hasSuffix("\n") ? String(text.dropLast()) : text)
  }

  private static func lineEndsUnified(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var previous: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      if scalar == "\r" || (scalar == "\n" && previous != "\r") {
        result.append("\n")
      } else if scalar != "\n" {
        result.append(scalar)
      }
      previous = scalar
    }
    return sanitise(String(result))
  }

  // MARK: Sending

  mutating func submit(_ text: String) -> [Effect] {
    editor.replace(with: text)
    return send()
  }

  /// Sends what the composer holds, or does what it commands.
  mutating func send() -> [Effect] {
    let line = editor.text.trimmingWhitespace
    if !Command.isCommand(line), let effects = answerByEnter() { return effects }
    if line.isEmpty {
      if !attachments.files.isEmpty { say("write what to do with what is attached; /file lists it") }
      return []
    }
    if Command.isCommand(line) { return command(line) }
    if case .failed = family {
      say("no family is loaded, so nothing can answer", isWarning: true)
      return []
    }
    if activity != .idle {
      say("a reply is running: Esc stops it; your text stays here")
      return []
    }
    if opening == .reading {
      say("the conversation is being opened; your text stays here")
      return []
    }
    let mentioned = wordsToRead(line)
    if mentioned.isEmpty { return send(line, with: []) }
    pendingAnswers += 1
    return [.readFiles(mentioned, for: .send(line))]
  }

  /// Sends a line, with what is attached and with the files that it mentions.
  mutating func send(_ line: String, with mentioned: [AttachedFile]) -> [Effect] {
    if refusesWhileReplying() { return [] }
    settleChoice()
    _ = editor.take()
    makeRoom(for: line)
    let edited = recordedNumber(ofTurn: editing)
    replaceEdited()
    mentioned.forEach { attachments.take($0) }
    let files = attachments.files
    attachments.files = []
    attachments.question = nil
    let text = AttachedFile.message(Self.asMeant(line), with: files)
    conversation.append(.user(text), files: files.map { MessageFile($0) })
    recordMessage(text, edited: edited)
    return ask()
  }

  /// A message as it has to be written: one that begins with a slash must not become a command.
  static func asTyped(_ message: String) -> String { Command.isCommand(message) ? "/" + message : message }

  /// The message that a line is, if it is no command.
  static func asMeant(_ line: String) -> String { line.hasPrefix("//") ? String(line.dropFirst()) : line }

  // MARK: Sending anew

  /// `/edit`.
  mutating func edit(_ target: Command.EditTarget) -> [Effect] {
    switch target {
    case .undo: undoEdit()
    case .turn(let number): beginEditing(number)
    case .text(let text):
      guard let turn = conversation.userTurn(1) else {
        say("there is no message of yours yet", isWarning: true)
        return []
      }
      editing = turn.id
      turn.files.forEach { attachments.take($0) }
      return submit(text)
    }
    return []
  }

  private mutating func undoEdit() {
    if refusesWhileReplying() { return }
    if conversation.bringBack() {
      recordCommand("/edit undo")
      notice("What the edit had replaced is back; /edit undo swaps again.")
    } else {
      say("nothing was edited")
    }
  }

  private mutating func beginEditing(_ number: Int) {
    guard let turn = conversation.userTurn(number) else {
      return say(
        number == 1 ? "there is no message of yours yet" : "there are not so many messages of yours", isWarning: true)
    }
    editing = turn.id
    turn.files.forEach { attachments.take($0) }
    if isPlain {
      notice("The next message replaces “\(turn.written)” and all that followed.")
    } else {
      editor.replace(with: Self.asTyped(turn.written))
      say("Enter sends it instead; what followed goes · Esc leaves it")
    }
  }

  mutating func leaveEditing() {
    editing = nil
    attachments.files = []
    editor.putAside()
    say("the old message stays; ↑ brings back what you wrote")
  }

  /// Takes away what the message that is being sent is to replace.
  private mutating func replaceEdited() {
    guard let turn = editing else { return }
    editing = nil
    let count = conversation.replace(from: turn)
    if count == 0 { return }
    notice(
      "\(count) message\(count == 1 ? "" : "s") replaced by what follows; /edit undo brings \(count == 1 ? "it" : "them") back."
    )
  }

  // MARK: What did not fit the context

  /// The message is not sent and stands in the composer again, before what was written meanwhile.
  mutating func holdBack(_ message: HeldMessage) {
    held = message
    message.files.forEach { attachments.take($0) }
    let count = message.messagesToDrop
    let messages = count == 1 ? "message" : "\(count) messages"
    let draft = editor.text
    editor.replace(with: Self.asTyped(message.text) + (draft.isEmpty ? "" : "\n" + draft))
    notice(
      "Not sent: there is room for it only without the oldest \(messages). Enter forgets \(count == 1 ? "it" : "them") and sends. Or Ctrl-C, and then: /drop N forgets the oldest N, /drop oldest always leaves out what does not fit, /clear forgets all.",
      isWarning: true)
    say("not sent: Enter sends it without the oldest \(messages)", isWarning: true)
  }

  /// A message that was held back is sent again: that is the answer to the question.
  private mutating func makeRoom(for line: String) {
    guard let held else { return }
    self.held = nil
    if line == Self.asTyped(held.text) { forget(held.messagesToDrop) }
  }

  /// What was held back stands in the composer again, once a command has made room.
  mutating func bringHeldBack() {
    guard let held, editor.isEmpty else { return }
    editor.replace(with: Self.asTyped(held.text))
    self.held = nil
  }

  // MARK: Copying

  /// Terminals take an OSC 52 sequence of 100,000 bytes, of which base64 leaves so many for the text.
  package static let mostBytesToCopy = 74_994

  /// `/copy`, to the clipboard.
  mutating func copy(_ target: Command.CopyTarget) -> [Effect] {
    let text: String?
    let name: String
    switch target {
    case .reply:
      text = conversation.lastReply?.text.trimmingWhitespace
      name = "the last reply"
    case .message(let number):
      let message = conversation.message(number)
      text = message?.content.trimmingWhitespace
      name = (message?.role == .user ? "your message" : "the reply") + " (\(number) from the end)"
    case .code(let number):
      // Its indentation stays.
      text = conversation.codeBlock(number).map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
      name = number == 1 ? "the last block of code" : "the block of code (\(number) from the end)"
    }
    guard let text = text.map(Self.withoutControls), !text.isEmpty else {
      say(target == .reply ? "there is no reply to copy yet" : "there is nothing like that to copy", isWarning: true)
      return []
    }
    let bytes = text.utf8.count
    if bytes > Self.mostBytesToCopy {
      say("not copied: \(name) has \(bytes) bytes, terminals take \(Self.mostBytesToCopy)", isWarning: true)
      return []
    }
    say("copied \(name): \(text.count) character\(text.count == 1 ? "" : "s")")
    return [.copy(text)]
  }

  /// The text as the model wrote it, without what could act on wherever it is pasted.
  private static func withoutControls(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A, 0x09: scalars.append(scalar)
      case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: break
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}

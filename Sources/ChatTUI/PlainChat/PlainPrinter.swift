import ChatEngine

/// Prints what is new in a state: each thing once, in words, in the order in which it comes.
struct PlainPrinter {
  /// How far a reply is printed.
  private struct Progress {
    var id: Int
    /// Bytes of the text up to the line that is being printed, and characters of that line.
    var lineStart = 0
    var printed = 0
    var isOpen = true

    init(id: Int) { self.id = id }

    /// Of a reply that is printed as far as it goes.
    init(id: Int, printed text: String) {
      self.id = id
      let lastLine = text.utf8.lastIndex(of: 0x0A).map { text.utf8.index(after: $0) } ?? text.startIndex
      lineStart = text.utf8.distance(from: text.startIndex, to: lastLine)
      printed = sanitise(String(text[lastLine...])).count
    }
  }

  let output: (String) -> Void
  /// Entries below this one are printed.
  private var nextEntry = 0
  private var reply: Progress?
  /// How many replies of the comparison that is being printed are done.
  private var columnsPrinted = 0
  private var phase = TrainingStatus.Phase.idle

  /// Whether a reply was printed that failed.
  private(set) var hasFailure = false

  init(output: @escaping (String) -> Void) { self.output = output }

  /// A message as it was written, with the names of the files that went with it.
  static func written(_ entry: Entry, _ text: String) -> String {
    sanitise(MessageFile.split(text, entry.files).text) + entry.files.map { "\n  + \(Format.file($0))" }.joined()
  }

  /// The program's own words.
  func say(_ text: String) { output("* \(sanitise(text).replacing("\n", with: "\n  "))\n") }

  mutating func printNews(_ state: AppState) {
    // The caller says it, on standard error.
    if case .failed = state.family { return }
    guard printContinuation(state) else { return }
    for entry in state.conversation.entries where entry.id >= nextEntry {
      switch entry.kind {
      // What was just typed is on the screen already.
      case .user(let text): if entry.id <= state.restoredThrough { output("you> \(Self.written(entry, text))\n") }
      case .notice(let text, _): say(text)
      case .reply(let reply):
        guard print(entry.id, reply, glyphs: state.glyphs) else { return }
      case .comparison(let comparison):
        // One below the other; those that are done are printed already.
        for column in comparison.columns.dropFirst(columnsPrinted) {
          guard print(column.id, column.reply, glyphs: state.glyphs) else { return }
          columnsPrinted += 1
        }
        columnsPrinted = 0
      }
      nextEntry = max(nextEntry, entry.id + 1)
    }
    // Beginning and end are told by the conversation.
    if state.training.phase != phase {
      phase = state.training.phase
      if phase == .running || phase == .paused { say("training is \(phase.rawValue)") }
    }
  }

  /// A reply that was printed to its end goes on.
  /// - Returns: false while it does.
  private mutating func printContinuation(_ state: AppState) -> Bool {
    guard let id = reply?.isOpen == true ? reply?.id : state.activeReply, let again = state.conversation.reply(id),
      let entry = state.conversation.entry(ofReply: id), entry < nextEntry
    else { return true }
    if reply?.isOpen != true {
      output("assistant, going on> ")
      reply = Progress(id: id, printed: again.text)
    }
    return print(id, again, glyphs: state.glyphs)
  }

  /// - Returns: whether the reply is complete.
  private mutating func print(_ id: Int, _ reply: ReplyEntry, glyphs: GlyphSet) -> Bool {
    if self.reply?.id != id {
      output("assistant> ")
      self.reply = Progress(id: id)
    }
    printText(reply)
    if reply.isOpen { return false }
    if case .failed(let message) = reply.state {
      hasFailure = true
      output("\n* failed: \(sanitiseLine(message))")
    }
    output("\n[\(TranscriptLines.label(reply, glyphs: glyphs))]\n")
    self.reply!.isOpen = false
    return true
  }

  /// What came since the last time: whole lines, and of the last one all but the last character, which may still change
  /// with what comes: a combining mark, the second half of a line end.
  private mutating func printText(_ reply: ReplyEntry) {
    var progress = self.reply!
    let bytes = reply.text.utf8
    while true {
      let start = bytes.index(bytes.startIndex, offsetBy: min(progress.lineStart, bytes.count))
      let end = bytes[start...].firstIndex(of: 0x0A)
      let line = Array(sanitise(String(reply.text[start..<(end.map { bytes.index(after: $0) } ?? bytes.endIndex)])))
      let isWhole = end != nil || !reply.isOpen
      let count = isWhole ? line.count : max(0, line.count - 1)
      if count > progress.printed {
        output(String(line[progress.printed..<count]))
        progress.printed = count
      }
      guard let end else { break }
      progress.lineStart += bytes.distance(from: start, to: end) + 1
      progress.printed = 0
    }
    self.reply = progress
  }
}

/// The turns of a conversation with what made them, safe to print.
package func plainTranscript(_ state: AppState) -> String {
  var text = ""
  for entry in state.conversation.entries {
    switch entry.kind {
    case .user(let line): text += "\(state.glyphs.prompt) \(PlainPrinter.written(entry, line))\n"
    case .reply(let reply) where !reply.text.isEmpty:
      text +=
        "\(sanitise(reply.text).trimmingWhitespace)\n[\(TranscriptLines.label(reply, glyphs: state.glyphs))]\n\n"
    case .comparison(let comparison):
      guard let column = comparison.inUse else { break }
      let reply = comparison.columns[column].reply
      text +=
        "\(sanitise(reply.text).trimmingWhitespace)\n[\(TranscriptLines.label(reply, glyphs: state.glyphs))]\n\n"
    default: break
    }
  }
  return text
}

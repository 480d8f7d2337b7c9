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
  }

  let output: (String) -> Void
  /// Entries below this one are printed.
  private var nextEntry = 0
  private var reply: Progress?
  /// How many replies of the comparison that is being printed are done.
  private var columnsPrinted = 0
  private var phase = TrainingStatus.Phase.idle

  init(output: @escaping (String) -> Void) { self.output = output }

  /// The program's own words.
  func say(_ text: String) { output("* \(sanitise(text).replacing("\n", with: "\n  "))\n") }

  mutating func printNews(_ state: AppState) {
    // The caller says it, on standard error.
    if case .failed = state.family { return }
    // A reply that was printed to its end goes on.
    if let done = reply, !done.isOpen, let again = state.conversation.reply(done.id), again.isOpen {
      output("assistant, going on> ")
      reply!.isOpen = true
    }
    let open = reply.flatMap { $0.isOpen ? $0.id : nil }
    for entry in state.conversation.entries where entry.id >= nextEntry || entry.id == open {
      switch entry.kind {
      // What was just typed is on the screen already.
      case .user(let text): if entry.id <= state.restoredThrough { output("you> \(sanitise(text))\n") }
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

  /// - Returns: whether the reply is complete.
  private mutating func print(_ id: Int, _ reply: Reply, glyphs: GlyphSet) -> Bool {
    if self.reply?.id != id {
      output("assistant> ")
      self.reply = Progress(id: id)
    }
    printText(reply)
    if reply.isOpen { return false }
    if case .failed(let message) = reply.state { output("\n* failed: \(sanitiseLine(message))") }
    output("\n[\(TranscriptLines.label(reply, glyphs: glyphs))]\n")
    self.reply!.isOpen = false
    return true
  }

  /// What came since the last time: whole lines, and of the last one all but the last character, which may still change
  /// with what comes: a combining mark, the second half of a line end.
  private mutating func printText(_ reply: Reply) {
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

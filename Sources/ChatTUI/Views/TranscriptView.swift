import ChatEngine

/// The conversation.
enum TranscriptView {
  static func draw(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    if state.conversation.entries.isEmpty {
      drawWelcome(state, on: &canvas, in: rect)
      return
    }
    let top = state.transcript.top(state.scroll, height: rect.height)
    // A short conversation stands at the top, like a page being filled.
    let text = rect.inset(left: 1, right: 1)
    for row in 0..<min(rect.height, max(0, state.transcript.total - top)) {
      canvas.put(state.transcript.line(top + row)?.line.spans ?? [], x: text.x, y: text.y + row, in: text)
    }
    SearchView.mark(state, top: top, on: &canvas, in: text)
    if state.scroll != .end {
      let below = max(0, state.transcript.total - top - rect.height)
      let mark = state.hasNews ? " \(state.glyphs.down) new " : " \(state.glyphs.down) \(below) lines "
      canvas.putRight(mark, in: rect.inset(right: 1), y: rect.maxY - 1, style: .selection)
    }
  }

  private static func drawWelcome(_ state: AppState, on canvas: inout Canvas, in rect: Rect) {
    var lines: [(String, Style)] = []
    func key(_ intent: Intent) -> String { Keymap.standard.name(of: intent, ascii: state.glyphs.isASCII) }
    switch state.family {
    case .loading:
      lines = [("The family is loading. You can write already.", .dim)]
    case .failed(let message): lines = [(sanitiseLine(message), .error)]
    case .ready(let summary) where summary.model != nil:
      lines = [
        (sanitiseLine(summary.name), .strong), ("", .text),
        (Format.facts(of: summary), .dim), ("", .text),
        ("/train FILE teaches it. \(key(.help)) shows everything else.", .dim),
      ]
    case .ready(let summary) where summary.server != nil:
      let place = Format.place(of: summary)
      lines = [
        (
          place.map { "One chatbot in \(Format.stops(of: summary)), on \($0)." }
            ?? "\(Format.stops(of: summary)) on \(sanitiseLine(summary.name)).", .strong
        ),
        ("", .text),
        (
          "Ask something, then move the slider with \(key(.smaller)) and \(key(.larger)): the next reply comes from another \(place == nil ? "model" : "size"). \(key(.help)) shows everything else.",
          .dim
        ),
      ]
    case .ready(let summary):
      lines = [
        ("One chatbot in \(summary.stops.count) sizes.", .strong),
        ("", .text),
        (
          "Ask something, then move the slider with \(key(.smaller)) and \(key(.larger)): the next reply comes from a smaller or larger network.",
          .dim
        ),
        ("", .text),
        ("/train FILE teaches all sizes at once. \(key(.help)) shows everything else.", .dim),
      ]
    }
    if let notice = state.openingNotice, case .ready = state.family {
      lines += [("", .text), (sanitiseLine(notice), .text)]
    }
    let text = rect.inset(left: 2, top: 1, right: 2)
    var y = text.y
    for (line, style) in lines {
      for part in Wrap.lines(state.glyphs.plain(line), width: max(1, text.width)) {
        canvas.put(part, x: text.x, y: y, style: style, in: text)
        y += 1
      }
    }
  }
}

/// Entries of the transcript as lines of a width.
enum TranscriptLines {
  /// A user's turn or a notice. Replies grow: see `TranscriptBlock`.
  static func lines(of entry: Entry, width: Int, glyphs: GlyphSet) -> [TextLine] {
    switch entry.kind {
    case .user(let text):
      // Files are named, not shown: they can be long.
      let (written, blocks) = MessageFile.split(text, entry.files)
      let lines = TextLine.wrap(
        sanitise(written), style: entry.isForgotten ? .dim : .strong, first: Span("\(glyphs.prompt) ", .user),
        width: width)
      return lines
        + zip(entry.files, blocks).flatMap { file, _ in
          TextLine.wrap(
            glyphs.plain(Format.file(file)), style: .dim, first: Span("  + ", .dim), width: width)
        }
    case .notice(let text, let isWarning):
      return TextLine.wrap(
        glyphs.plain(sanitise(text)), style: isWarning ? .warning : .dim,
        first: Span(isWarning ? "! " : "\(glyphs.bullet) ", isWarning ? .warning : .dim), width: width) + [.blank]
    case .reply: return []
    case .comparison(let comparison): return ComparisonView.lines(comparison, width: width, glyphs: glyphs)
    }
  }

  /// What stands above a reply's text.
  static func head(
    of reply: ReplyEntry, isForgotten: Bool, previous: Provenance?, width: Int, glyphs: GlyphSet
  ) -> [TextLine] {
    var lines: [TextLine] = []
    if let previous, let now = reply.provenance(after: previous), now != previous {
      lines.append(TextLine(divider(from: previous, to: now, width: width, glyphs: glyphs), kind: .ornament))
    }
    let label = glyphs.plain((isForgotten ? "forgotten · " : "") + label(reply, glyphs: glyphs))
    lines.append(
      TextLine([Span(Wrap.truncate(label, width: width, ellipsis: glyphs.ellipsis), .dim)], kind: .ornament))
    return lines
  }

  /// What stands below it.
  static func foot(of reply: ReplyEntry, width: Int) -> [TextLine] {
    guard case .failed(let message) = reply.state else { return [.blank] }
    return TextLine.wrap(
      "failed: " + sanitiseLine(message), style: .error, first: Span("! ", .error), width: width) + [.blank]
  }

  /// What made a reply.
  static func label(_ reply: ReplyEntry, glyphs: GlyphSet) -> String {
    var parts = [reply.stitch.isEmpty ? "waiting for the weights" : sanitiseLine(reply.stitch)]
    if let adapter = adapterName(reply.adapterStep, reply.adapterOrigin) { parts.append(adapter) }
    switch reply.state {
    case .waiting, .streaming: parts.append("…")
    case .finished(let stamp):
      if stamp.finish == .cancelled { parts.append("stopped") }
      if stamp.finish == .length { parts.append("cut at \(stamp.tokens) tokens") }
      if stamp.droppedMessages > 0 { parts.append("without the oldest \(stamp.droppedMessages)") }
      if stamp.tokens == 0 && stamp.finish == .stop {
        parts.append(reply.text.isEmpty ? "nothing to say" : "nothing to add")
      }
      // One token comes with the prompt: there is no speed to speak of.
      if stamp.tokensPerSecond > 0 { parts.append("\(Format.rate(stamp.tokensPerSecond)) tok/s") }
    case .cancelled: parts.append("stopped")
    case .failed: break
    }
    return glyphs.plain(parts.joined(separator: " · "))
  }

  /// By what it was made of, or the steps it was trained for; `nil` without one.
  private static func adapterName(_ step: Int?, _ origin: AdapterOrigin?) -> String? {
    if let origin { return sanitiseLine(origin.text) }
    return step.map { "step \($0)" }
  }

  private static func divider(from: Provenance, to: Provenance, width: Int, glyphs: GlyphSet) -> [Span] {
    var parts: [String] = []
    if from.stitch != to.stitch { parts.append("\(sanitiseLine(from.stitch)) → \(sanitiseLine(to.stitch))") }
    if from.adapterStep != to.adapterStep || from.adapterOrigin != to.adapterOrigin {
      func name(_ made: Provenance) -> String { adapterName(made.adapterStep, made.adapterOrigin) ?? "no adapter" }
      parts.append("\(name(from)) → \(name(to))")
    }
    let title = Wrap.truncate(
      glyphs.plain(parts.joined(separator: " · ")), width: max(1, width - 6), ellipsis: glyphs.ellipsis)
    let rest = max(0, width - Glyphs.width(of: title) - 4)
    let line = String(repeating: glyphs.horizontal, count: rest)
    return [Span("\(glyphs.horizontal)\(glyphs.horizontal) ", .rule), Span(title, .accent), Span(" \(line)", .rule)]
  }
}

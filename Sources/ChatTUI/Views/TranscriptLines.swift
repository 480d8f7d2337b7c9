import ChatEngine

/// Entries of the transcript as lines of a width.
enum TranscriptLines {
  static func lines(of entry: Entry, previous: Provenance?, width: Int, glyphs: GlyphSet) -> [[Span]] {
    switch entry.kind {
    case .user(let text):
      let body = Wrap.lines(sanitise(text), width: max(1, width - 2))
      return body.enumerated().map { index, line in
        [Span(index == 0 ? "\(glyphs.prompt) " : "  ", .user), Span(line, .strong)]
      }
    case .notice(let text, let isWarning):
      let body = Wrap.lines(glyphs.plain(sanitise(text)), width: max(1, width - 2))
      return body.enumerated().map { index, line in
        [
          Span(index == 0 ? (isWarning ? "! " : "\(glyphs.bullet) ") : "  ", isWarning ? .warning : .dim),
          Span(line, isWarning ? .warning : .dim),
        ]
      } + [[]]
    case .reply(let reply): return self.reply(reply, previous: previous, width: width, glyphs: glyphs)
    case .comparison(let comparison): return ComparisonLines.lines(comparison, width: width, glyphs: glyphs)
    }
  }

  private static func reply(_ reply: Reply, previous: Provenance?, width: Int, glyphs: GlyphSet) -> [[Span]] {
    var lines: [[Span]] = []
    if let previous, let now = reply.provenance(after: previous), now != previous {
      lines.append(divider(from: previous, to: now, width: width, glyphs: glyphs))
    }
    lines.append([Span(Wrap.truncate(label(reply, glyphs: glyphs), width: width, ellipsis: glyphs.ellipsis), .dim)])
    let text = sanitise(reply.text)
    // A reply often begins or ends with white space that means nothing.
    let trimmed = text.trimmingWhitespace
    if !trimmed.isEmpty {
      for line in Markup.lines(trimmed, width: max(1, width - 2), glyphs: glyphs) {
        lines.append([Span("  ")] + line)
      }
    }
    if case .failed(let message) = reply.state {
      for line in Wrap.lines("failed: " + sanitiseLine(message), width: max(1, width - 2)) {
        lines.append([Span("! ", .error), Span(line, .error)])
      }
    }
    lines.append([])
    return lines
  }

  /// What made a reply.
  static func label(_ reply: Reply, glyphs: GlyphSet) -> String {
    var parts = [reply.stitch.isEmpty ? "waiting for the weights" : sanitiseLine(reply.stitch)]
    if let step = reply.adapterStep { parts.append("step \(step)") }
    switch reply.state {
    case .waiting, .streaming: parts.append("…")
    case .finished(let stamp):
      if stamp.finish == .cancelled { parts.append("stopped") }
      if stamp.finish == .length { parts.append("cut at \(stamp.tokens) tokens") }
      if stamp.droppedMessages > 0 { parts.append("without the oldest \(stamp.droppedMessages)") }
      if stamp.tokens == 0 && stamp.finish == .stop { parts.append("nothing to say") }
      // One token comes with the prompt: there is no speed to speak of.
      if stamp.tokensPerSecond > 0 { parts.append("\(Format.rate(stamp.tokensPerSecond)) tok/s") }
    case .stopped: parts.append("stopped")
    case .failed: break
    }
    return glyphs.plain(parts.joined(separator: " · "))
  }

  private static func divider(from: Provenance, to: Provenance, width: Int, glyphs: GlyphSet) -> [Span] {
    var parts: [String] = []
    if from.stitch != to.stitch { parts.append("\(sanitiseLine(from.stitch)) → \(sanitiseLine(to.stitch))") }
    if from.adapterStep != to.adapterStep {
      func name(_ step: Int?) -> String { step.map { "step \($0)" } ?? "no adapter" }
      parts.append("\(name(from.adapterStep)) → \(name(to.adapterStep))")
    }
    let title = Wrap.truncate(
      glyphs.plain(parts.joined(separator: " · ")), width: max(1, width - 6), ellipsis: glyphs.ellipsis)
    let rest = max(0, width - Glyphs.width(of: title) - 4)
    let line = String(repeating: glyphs.horizontal, count: rest)
    return [Span("\(glyphs.horizontal)\(glyphs.horizontal) ", .rule), Span(title, .accent), Span(" \(line)", .rule)]
  }
}

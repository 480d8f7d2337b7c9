import ChatEngine

/// The lines of one entry of the transcript.
package struct TranscriptBlock: Sendable, Equatable {
  /// Of a reply: how its lines go on when text is added.
  private struct Growth: Sendable, Equatable {
    var markup: Markup
    var head: Int
    /// Lines at the end that change with what comes.
    var open: Int
  }

  package let entry: Int
  package private(set) var revision: Int
  /// What made the reply before, and this one or else that before.
  let previous: Provenance?
  private(set) var provenance: Provenance?
  package private(set) var lines: [TextLine]
  /// The first line of the block in the whole transcript.
  package internal(set) var start = 0
  private var growth: Growth?

  package var end: Int { start + lines.count }

  init(_ entry: Entry, previous: Provenance?, width: Int, glyphs: GlyphSet) {
    self.entry = entry.id
    self.previous = previous
    revision = entry.revision
    provenance = entry.provenance(after: previous) ?? previous
    lines = TranscriptLines.lines(of: entry, width: width, glyphs: glyphs)
    if case .reply = entry.kind {
      growth = Growth(markup: Markup(width: width - 2, glyphs: glyphs), head: 0, open: 0)
      grow(entry, width: width, glyphs: glyphs)
    }
  }

  /// Lays out what is new in a reply, whose text only ever grows.
  /// - Returns: `false`: this is no reply.
  @discardableResult
  mutating func grow(_ entry: Entry, width: Int, glyphs: GlyphSet) -> Bool {
    guard case .reply(let reply) = entry.kind, growth != nil else { return false }
    revision = entry.revision
    provenance = reply.provenance(after: previous) ?? previous
    lines.removeLast(growth!.open)
    let head = TranscriptLines.head(
      of: reply, isForgotten: entry.isForgotten, previous: previous, width: width, glyphs: glyphs)
    lines.replaceSubrange(0..<growth!.head, with: head)
    growth!.head = head.count
    let (final, rest) = growth!.markup.next(reply.text, isOpen: reply.isOpen)
    let margin = Span("  ")
    for line in final { lines.append(line.indented(by: margin)) }
    let foot = rest.map { $0.indented(by: margin) } + TranscriptLines.foot(of: reply, width: width)
    lines += foot
    growth!.open = foot.count
    return true
  }

  /// Lines of the last change that were made anew rather than kept.
  var freshLines: Int { growth.map { $0.head + $0.open } ?? lines.count }
}

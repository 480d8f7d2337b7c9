import ChatEngine

/// The transcript as wrapped lines. Entries that did not change since the last time keep their lines, and a reply that
/// grows keeps those that are final.
package struct TranscriptLayout: Sendable, Equatable {
  package private(set) var blocks: [TranscriptBlock] = []
  package private(set) var total = 0
  /// How many lines were laid out so far. Tests look at it: it must grow with what changes, not with what there is.
  package private(set) var work = 0
  /// Changes when all lines are new.
  private(set) var generation = 0
  private var width = 0
  private var glyphs = GlyphSet.unicode

  package init() {}

  package mutating func update(_ conversation: Conversation, width: Int, glyphs: GlyphSet) {
    if width != self.width || glyphs != self.glyphs {
      blocks = []
      generation += 1
      self.width = width
      self.glyphs = glyphs
    }
    // Comparing two numbers for each entry is all that is done for those before the first change.
    var index = 0
    while index < blocks.count && index < conversation.entries.count
      && blocks[index].entry == conversation.entries[index].id
      && blocks[index].revision == conversation.entries[index].revision
    {
      index += 1
    }
    if index == blocks.count && index == conversation.entries.count { return }
    var start = index > 0 ? blocks[index - 1].end : 0
    var previous = index > 0 ? blocks[index - 1].provenance : nil
    for index in index..<conversation.entries.count {
      update(index, conversation.entries[index], previous: previous)
      blocks[index].start = start
      start = blocks[index].end
      previous = blocks[index].provenance
    }
    blocks.removeSubrange(conversation.entries.count...)
    total = start
  }

  private mutating func update(_ index: Int, _ entry: Entry, previous: Provenance?) {
    if index < blocks.count && blocks[index].entry == entry.id && blocks[index].previous == previous {
      if blocks[index].revision == entry.revision { return }
      let before = blocks[index].lines.count - blocks[index].freshLines
      if blocks[index].grow(entry, width: width, glyphs: glyphs) {
        work += blocks[index].lines.count - before
        return
      }
    }
    let block = TranscriptBlock(entry, previous: previous, width: width, glyphs: glyphs)
    work += block.lines.count
    if index < blocks.count { blocks[index] = block } else { blocks.append(block) }
  }

  /// The uppermost line that shows.
  package func top(_ scroll: AppState.Scroll, height: Int) -> Int {
    let last = max(0, total - height)
    guard case .at(let entry, let line) = scroll else { return last }
    guard let index = lastBlock(where: { $0.entry <= entry }) else { return 0 }
    let block = blocks[index]
    return min(last, block.start + min(line, max(0, block.lines.count - 1)))
  }

  /// The place in the text of a line, which stays when other lines come or the width changes.
  package func anchor(line: Int) -> AppState.Scroll {
    guard let index = lastBlock(where: { $0.start <= line }) else { return .end }
    return .at(entry: blocks[index].entry, line: line - blocks[index].start)
  }

  /// The first line of an entry.
  func start(of entry: Int) -> Int? {
    lastBlock { $0.entry <= entry }.flatMap { blocks[$0].entry == entry ? blocks[$0].start : nil }
  }

  /// A line, and whose it is.
  package func line(_ index: Int) -> (line: TextLine, entry: Int, number: Int)? {
    guard let found = lastBlock(where: { $0.start <= index }) else { return nil }
    let number = index - blocks[found].start
    guard number < blocks[found].lines.count else { return nil }
    return (blocks[found].lines[number], blocks[found].entry, number)
  }

  /// By halving: `isBefore` holds for the first blocks and for none after them. (Entries are in the order of their
  /// numbers.)
  private func lastBlock(where isBefore: (TranscriptBlock) -> Bool) -> Int? {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(blocks[middle]) { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? low - 1 : nil
  }
}

extension AppState {
  /// Brings the wrapped lines up to date; costs nothing where nothing changed.
  mutating func refreshTranscript() {
    editor.setWidth(ScreenLayout.composerTextWidth(of: width))
    transcript.update(conversation, width: max(1, layout.transcript.width - 2), glyphs: glyphs)
    overlay.search?.update(transcript)
    // Cleared, or grown so that everything shows.
    if scroll != .end && transcript.total <= layout.transcript.height { scrollToEnd() }
  }
}

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

import ChatEngine

/// The transcript as wrapped lines. Entries that did not change since the last time keep their lines.
package struct TranscriptLayout: Sendable, Equatable {
  package struct Block: Sendable, Equatable {
    var entry: Int
    var revision: Int
    var previous: Provenance?
    package var lines: [[Span]]
    /// The first line of the block in the whole transcript.
    package var start: Int
  }

  package private(set) var blocks: [Block] = []
  package private(set) var total = 0
  private var width = 0
  private var glyphs = GlyphSet.unicode

  package init() {}

  package mutating func update(_ conversation: Conversation, width: Int, glyphs: GlyphSet) {
    if width != self.width || glyphs != self.glyphs { blocks = [] }
    self.width = width
    self.glyphs = glyphs
    var start = 0
    var previous: Provenance?
    var kept = 0
    for entry in conversation.entries {
      if kept < blocks.count && blocks[kept].entry == entry.id && blocks[kept].revision == entry.revision
        && blocks[kept].previous == previous
      {
        blocks[kept].start = start
      } else {
        let lines = TranscriptLines.lines(of: entry, previous: previous, width: width, glyphs: glyphs)
        let block = Block(entry: entry.id, revision: entry.revision, previous: previous, lines: lines, start: start)
        if kept < blocks.count { blocks[kept] = block } else { blocks.append(block) }
      }
      previous = entry.provenance(after: previous) ?? previous
      start += blocks[kept].lines.count
      kept += 1
    }
    blocks.removeSubrange(kept...)
    total = start
  }

  /// The uppermost line that shows.
  package func top(_ scroll: AppState.Scroll, height: Int) -> Int {
    let last = max(0, total - height)
    guard case .at(let entry, let line) = scroll else { return last }
    guard let block = blocks.last(where: { $0.entry <= entry }) else { return 0 }
    return min(last, block.start + min(line, max(0, block.lines.count - 1)))
  }

  /// The place in the text of a line, which stays when other lines come or the width changes.
  package func anchor(line: Int) -> AppState.Scroll {
    guard let block = blocks.last(where: { $0.start <= line }) else { return .end }
    return .at(entry: block.entry, line: line - block.start)
  }

  package func line(_ index: Int) -> [Span] {
    guard let block = blocks.last(where: { $0.start <= index }), index - block.start < block.lines.count else {
      return []
    }
    return block.lines[index - block.start]
  }
}

extension AppState {
  /// Brings the wrapped lines up to date; costs nothing where nothing changed.
  mutating func refreshTranscript() {
    transcript.update(conversation, width: max(1, layout.transcript.width - 2), glyphs: glyphs)
    // Cleared, or grown so that everything shows.
    if scroll != .end && transcript.total <= layout.transcript.height { scrollToEnd() }
  }
}

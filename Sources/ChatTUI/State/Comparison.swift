import ChatEngine

/// The same question answered at several sizes, cheapest first. One of the replies counts as the conversation's; the
/// others are only there to be seen.
package struct Comparison: Sendable, Equatable {
  package struct Column: Sendable, Equatable {
    /// Names the reply: a number after the entry's, which no entry has.
    package var id: Int
    /// The stitch it was asked of.
    package var stitch: String
    package var reply: ReplyEntry
  }

  package var columns: [Column]
  /// The column that was chosen.
  package var kept: Int?

  package init(columns: [Column], kept: Int? = nil) {
    self.columns = columns
    self.kept = kept
  }

  package var isOpen: Bool { columns.contains { $0.reply.isOpen } }

  /// The column that counts: the one chosen, else the largest network's; `nil` while none has said anything.
  package var inUse: Int? { kept ?? columns.lastIndex { !$0.reply.text.isEmpty } }
}

extension Entry {
  /// A reply, or of a comparison the one that counts.
  var reply: ReplyEntry? {
    switch kind {
    case .reply(let reply): reply
    case .comparison(let comparison): comparison.inUse.map { comparison.columns[$0].reply }
    case .user, .notice: nil
    }
  }

  var isAnswer: Bool {
    switch kind {
    case .reply, .comparison: true
    case .user, .notice: false
    }
  }
}

extension Conversation {
  package func comparison(_ entry: Int) -> Comparison? {
    guard case .comparison(let comparison)? = entries.last(where: { $0.id == entry })?.kind else { return nil }
    return comparison
  }

  /// The comparison that is the last word, done, and still to be chosen from.
  package var openChoice: Int? {
    guard let entry = lastComparison, let comparison = comparison(entry), comparison.kept == nil, !comparison.isOpen,
      comparison.inUse != nil
    else { return nil }
    return entry
  }

  /// The comparison that is the last word; notices may follow.
  var lastComparison: Int? {
    let last = entries.last { if case .notice = $0.kind { false } else { true } }
    guard let last, case .comparison = last.kind else { return nil }
    return last.id
  }

  /// Makes one column the conversation's reply.
  /// - Returns: false if it has no text.
  mutating func keep(_ column: Int, of entry: Int) -> Bool {
    guard let index = entries.lastIndex(where: { $0.id == entry }),
      case .comparison(var comparison) = entries[index].kind, comparison.columns.indices.contains(column),
      !comparison.columns[column].reply.text.isEmpty
    else { return false }
    comparison.kept = column
    changeEntry(index, .comparison(comparison))
    return true
  }

  /// All turns up to the last question, without the replies to it; empty where nothing was asked.
  var messagesToLastQuestion: [ChatMessage] {
    var messages = self.messages
    while messages.last?.role == .assistant { messages.removeLast() }
    return messages.last?.role == .user ? messages : []
  }
}

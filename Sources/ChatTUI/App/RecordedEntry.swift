import ChatEngine
import Conversations

/// An entry of the conversation as its file has it.
struct RecordedEntry: Sendable, Equatable {
  let id: Int
  private(set) var revision: Int
  /// Of a reply, one; of a comparison, those that began.
  private var replies: [RecordedReply] = []
  /// Of a comparison, the reply that was chosen.
  private var kept: Int?

  /// All of an entry as it was read from a file.
  init(_ entry: Entry, _ content: Entry.Content) {
    id = entry.id
    revision = entry.revision
    switch content {
    case .user, .notice: break
    case .reply(let reply): replies = [RecordedReply(whole: reply)]
    case .comparison(let comparison):
      replies = comparison.columns.map { RecordedReply(whole: $0.reply) }
      kept = comparison.kept
    }
  }

  private init(beginning entry: Entry) {
    id = entry.id
    revision = entry.revision
  }

  /// An entry of which nothing is recorded, and what is to be recorded of it.
  static func begin(_ entry: Entry, _ content: Entry.Content) -> (RecordedEntry, [ConversationRecord]) {
    var new = RecordedEntry(beginning: entry)
    switch content {
    case .user(let text): return (new, [.user(text)])
    case .notice(let text, let isWarning): return (new, [.notice(text, isWarning: isWarning)])
    case .reply(let reply):
      let (recorded, records) = RecordedReply.begin(reply)
      new.replies = [recorded]
      return (new, records)
    case .comparison(let comparison):
      let records = new.advance(to: comparison) ?? []
      return (new, [.compare(stitches: comparison.columns.map(\.reply.stitch))] + records)
    }
  }

  /// What is new in the entry; `nil` if what was recorded of it no longer holds.
  mutating func advance(to entry: Entry, _ content: Entry.Content) -> [ConversationRecord]? {
    if revision == entry.revision { return [] }
    revision = entry.revision
    return switch content {
    // What was said stays what it was, though the model may not be shown it any more.
    case .user, .notice: []
    case .reply(let reply): replies[0].advance(to: reply)
    case .comparison(let comparison): advance(to: comparison)
    }
  }

  /// The replies are made one after the other, and so they are recorded.
  private mutating func advance(to comparison: Comparison) -> [ConversationRecord]? {
    var records: [ConversationRecord] = []
    for (index, column) in comparison.columns.enumerated() {
      if index < replies.count {
        guard let more = replies[index].advance(to: column.reply) else { return nil }
        records += more
      } else {
        guard column.reply.hasBegun else { break }
        let (recorded, more) = RecordedReply.begin(column.reply)
        replies.append(recorded)
        records += more
      }
      if !replies[index].isEnded { break }
    }
    if let column = comparison.kept, column != kept {
      records.append(.keep(column + 1))
      kept = column
    }
    return records
  }
}

/// How far a reply is recorded.
private struct RecordedReply: Sendable, Equatable {
  /// How much of its text, and which stitch made it.
  private var bytes = 0
  private var stitch: String
  /// Nothing more is expected.
  private(set) var isEnded = false

  init(whole reply: Reply) {
    bytes = reply.text.utf8.count
    stitch = reply.stitch
    isEnded = true
  }

  private init(beginning reply: Reply) { stitch = reply.stitch }

  static func begin(_ reply: Reply) -> (RecordedReply, [ConversationRecord]) {
    var new = RecordedReply(beginning: reply)
    return (new, [.reply(reply.start)] + new.write(reply))
  }

  /// What is new in the reply; `nil` if what was recorded of it no longer holds.
  mutating func advance(to reply: Reply) -> [ConversationRecord]? {
    if isEnded && !reply.isOpen && reply.stitch == stitch && reply.text.utf8.count == bytes { return [] }
    guard reply.text.utf8.count >= bytes else { return nil }
    // Asked for again, not begun again.
    if reply.state == .waiting { return [] }
    var records: [ConversationRecord] = []
    if isEnded {
      guard reply.isOpen else { return nil }
      var start = reply.start
      start.continues = true
      records.append(.reply(start))
      isEnded = false
    }
    return records + write(reply)
  }

  private mutating func write(_ reply: Reply) -> [ConversationRecord] {
    var records: [ConversationRecord] = []
    if reply.text.utf8.count > bytes {
      records.append(.text(String(Substring(reply.text.utf8.dropFirst(bytes)))))
      bytes = reply.text.utf8.count
    }
    if let end = reply.end {
      records.append(.end(end))
      isEnded = true
    }
    return records
  }
}

import ChatEngine
import Conversations

/// What the conversation's file holds already. Comparing that with the conversation tells what there is to record, so
/// whatever changes it (a reply, another one, an edit) is saved without having to know of files.
package struct Journal: Sendable, Equatable {
  /// Conversations are saved.
  package var isOn = false
  /// The conversation's id, once it has a file.
  package private(set) var id: String?
  /// There is a file, or one is being made.
  private var isBegun = false
  private var isAttached = true
  package private(set) var parent: ConversationParent?
  private var written: [RecordedEntry] = []
  private var title: String?
  /// What the file says of the settings.
  private var settings: ConversationSettings?
  /// The settings when they were looked at last: with these the file agrees well enough.
  private var seen: ConversationSettings?
  /// Entries that were opened from a file which cannot be added to: there is nothing to save before they change.
  private var untouched: [Int] = []

  package init() {}

  // MARK: Another conversation

  /// A conversation without a file begins.
  package mutating func begin(parent: ConversationParent? = nil) {
    self = Journal(isOn: isOn)
    self.parent = parent
  }

  /// A conversation was opened from its file, and all of it is in `entries`.
  package mutating func open(_ saved: SavedConversation, entries: [Entry]) {
    self = Journal(isOn: isOn)
    id = saved.id
    isBegun = true
    title = saved.title
    settings = saved.settings
    written = entries.compactMap { entry in
      entry.content.map { RecordedEntry(entry, $0) }
    }
  }

  /// A conversation was opened that cannot be added to: what follows is a branch of it.
  package mutating func openForReading(_ saved: SavedConversation, entries: [Entry]) {
    self = Journal(isOn: isOn)
    parent = ConversationParent(id: saved.id, turns: saved.turns)
    untouched = entries.filter(\.isTurn).map(\.id)
  }

  private init(isOn: Bool) {
    self.isOn = isOn
    isAttached = false
  }

  /// The file was made.
  package mutating func created(_ id: String) { if isBegun { self.id = id } }

  /// The settings changed by themselves: that is no reason to write.
  package mutating func accept(_ settings: ConversationSettings) { seen = settings }

  // MARK: Recording

  /// What is to be recorded.
  package mutating func catchUp(
    _ conversation: Conversation, settings: ConversationSettings, family: FamilyReference?
  ) -> [Effect] {
    guard isOn else { return [] }
    var effects: [Effect] = []
    if !isAttached {
      effects.append(.attachConversation(isBegun ? id : nil))
      isAttached = true
    }
    var records: [ConversationRecord] = []
    if !isBegun {
      guard hasSomethingNew(conversation) else { return effects }
      isBegun = true
      records.append(.begin(family: family, parent: parent))
    }
    if conversation.title != title {
      title = conversation.title
      records.append(.title(title ?? ""))
    }
    let changes = recordEntries(conversation)
    // Settings come before the replies that are made with them.
    records += recordSettings(settings, before: changes) + changes
    return records.isEmpty ? effects : effects + [.record(records)]
  }

  private func hasSomethingNew(_ conversation: Conversation) -> Bool {
    guard conversation.entries.contains(where: { if case .user = $0.kind { true } else { false } }) else {
      return false
    }
    return conversation.entries.lazy.filter(\.isTurn).map(\.id).elementsEqual(untouched) == false
  }

  /// Replies change the settings by themselves, here as for whoever reads the file: the rest has to be said.
  private mutating func recordSettings(
    _ current: ConversationSettings, before changes: [ConversationRecord]
  ) -> [ConversationRecord] {
    // Opened: what the file says could not be had as it is, a stitch that is not there, for example.
    let seen = self.seen ?? current
    self.seen = current
    if let settings {
      let expected = settings.following(changes)
      let isKnown = current == expected || (changes.isEmpty && current == seen)
      if isKnown {
        self.settings = expected
        return []
      }
    }
    settings = current.following(changes)
    return [.settings(current)]
  }

  private mutating func recordEntries(_ conversation: Conversation) -> [ConversationRecord] {
    var records: [ConversationRecord] = []
    var position = 0
    for entry in conversation.entries {
      guard let content = entry.content else { continue }
      if position < written.count {
        if written[position].id == entry.id, let more = written[position].advance(to: entry, content) {
          records += more
          position += 1
          continue
        }
        records.append(.drop(keep: position))
        written.removeSubrange(position...)
      }
      let (new, more) = RecordedEntry.begin(entry, content)
      written.append(new)
      records += more
      position += 1
    }
    if position < written.count {
      records.append(.drop(keep: position))
      written.removeSubrange(position...)
    }
    return records
  }
}

extension ConversationSettings {
  fileprivate func following(_ records: [ConversationRecord]) -> ConversationSettings {
    var settings = self
    for case .reply(let start) in records { settings.follow(start) }
    return settings
  }
}

extension AppState {
  /// Has what changed saved.
  mutating func recordChanges() -> [Effect] {
    guard journal.isOn else { return [] }
    return journal.catchUp(conversation, settings: conversationSettings, family: familyReference)
  }

  /// What holds for the next reply.
  package var conversationSettings: ConversationSettings {
    var settings = ConversationSettings()
    settings.system = conversation.system
    settings.sampling = sampling
    // All replies of a comparison have one seed: after the first the next one is known.
    let first = comparing.flatMap { conversation.comparison($0)?.columns.first?.id } ?? activeReply
    let waiting = first.flatMap { conversation.reply($0) }.flatMap { $0.state == .waiting ? $0.options : nil }
    settings.nextSeed = waiting?.seed ?? sampling.seed &+ repliesStarted
    settings.stitch = currentStop?.id ?? slider.wanted
    settings.adapter = adapter
    settings.auto = slider.auto?.target
    let forgotten = conversation.entries.count { $0.isTurn && $0.isForgotten }
    settings.forgotten = forgotten > 0 ? forgotten : nil
    return settings
  }
}

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
    case .user(let text, let files): return (new, [.user(text, files: files)])
    case .notice(let text, let isWarning): return (new, [.notice(text, isWarning: isWarning)])
    case .reply(let reply):
      let (recorded, records) = RecordedReply.begin(reply)
      new.replies = [recorded]
      return (new, records)
    case .comparison(let comparison):
      let records = new.advance(to: comparison) ?? []
      return (new, [.compare(stitches: comparison.columns.map(\.stitch))] + records)
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

  init(whole reply: ReplyEntry) {
    bytes = reply.text.utf8.count
    stitch = reply.stitch
    isEnded = true
  }

  private init(beginning reply: ReplyEntry) { stitch = reply.stitch }

  static func begin(_ reply: ReplyEntry) -> (RecordedReply, [ConversationRecord]) {
    var new = RecordedReply(beginning: reply)
    return (new, [.reply(reply.start)] + new.write(reply))
  }

  /// What is new in the reply; `nil` if what was recorded of it no longer holds.
  mutating func advance(to reply: ReplyEntry) -> [ConversationRecord]? {
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

  private mutating func write(_ reply: ReplyEntry) -> [ConversationRecord] {
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

import ChatEngine

/// One reply of the model in the transcript, with what made it.
package struct ReplyEntry: Sendable, Equatable {
  package enum State: Sendable, Equatable {
    /// Sent, nothing came back yet.
    case waiting
    case streaming
    case finished(ReplyStamp)
    /// Cancelled before the engine could say what it cost.
    case cancelled
    case failed(String)
  }

  package var text = ""
  package var state: State = .waiting
  /// The stitch that was asked for; from `started` on the one that really runs.
  package var stitch: String
  package var adapterStep: Int?
  package var adapterHash: String?
  package var adapterOrigin: AdapterOrigin?
  /// Sampler and seed it is made with, once it was asked for.
  package var options: ReplyOptions?

  package init(stitch: String) { self.stitch = stitch }

  package var isOpen: Bool { state == .waiting || state == .streaming }
}

/// What made a reply.
package struct Provenance: Sendable, Equatable {
  package var stitch: String
  package var adapterStep: Int?
  package var adapterOrigin: AdapterOrigin?
}

extension ReplyEntry {
  /// What really made it; of a reply that has not begun, what was asked for, with the adapter of the one before.
  func provenance(after previous: Provenance?) -> Provenance? {
    if stitch.isEmpty { return nil }
    return Provenance(
      stitch: stitch, adapterStep: isMade ? adapterStep : previous?.adapterStep,
      adapterOrigin: isMade ? adapterOrigin : previous?.adapterOrigin)
  }

  /// The engine said what makes it.
  var isMade: Bool {
    switch state {
    case .waiting: false
    case .streaming, .finished: true
    case .cancelled, .failed: !text.isEmpty
    }
  }
}

extension Entry {
  /// What made its reply; `nil` where it has none that counts.
  func provenance(after previous: Provenance?) -> Provenance? {
    switch kind {
    case .reply(let reply): reply.provenance(after: previous)
    case .comparison(let comparison):
      comparison.inUse.flatMap { comparison.columns[$0].reply.provenance(after: previous) }
    case .user, .notice: nil
    }
  }
}

/// One thing in the transcript; `id`s grow from the first to the last. `revision` grows with every change, so that
/// layouts can be kept.
package struct Entry: Sendable, Equatable, Identifiable {
  package enum Kind: Sendable, Equatable {
    case user(String)
    case reply(ReplyEntry)
    /// The same question at several sizes.
    case comparison(Comparison)
    /// The program's own words; not part of what the model sees.
    case notice(String, isWarning: Bool)
  }

  package let id: Int
  package var revision = 0
  package var kind: Kind
  /// The model does not see it any more.
  package var isForgotten = false
  /// Of a notice: it belongs to the conversation and is saved with it.
  package var isKept = false
  /// Of a user's turn: the files whose text ends it.
  package var files: [MessageFile] = []
}

/// What was said, in order, with the program's notices in between. Kept in memory; texts are kept as they came and
/// made safe when they are shown.
package struct Conversation: Sendable, Equatable {
  struct SetAside: Sendable, Equatable {
    var after: Int
    var entries: [Entry]
  }

  package internal(set) var entries: [Entry] = []
  package var system = ""
  /// What an edit replaced, and the entry it stood after.
  var setAside: SetAside?
  package var title: String?
  private var nextID = 1

  package init() {}

  @discardableResult
  package mutating func append(_ kind: Entry.Kind, isKept: Bool = false, files: [MessageFile] = []) -> Int {
    defer { nextID += 1 }
    entries.append(Entry(id: nextID, kind: kind, isKept: isKept, files: files))
    return nextID
  }

  /// Changes a reply in place; an unknown `id` (it was cleared meanwhile) does nothing.
  package mutating func changeReply(_ id: Int, _ change: (inout ReplyEntry) -> Void) {
    // The reply that changes is nearly always the last entry. One in a comparison is numbered after its entry.
    guard let index = entries.lastIndex(where: { $0.id <= id }) else { return }
    switch entries[index].kind {
    case .reply(var reply) where entries[index].id == id:
      // Taken out, so that adding to the text does not copy it.
      entries[index].kind = .notice("", isWarning: false)
      change(&reply)
      changeEntry(index, .reply(reply))
    case .comparison(var comparison):
      guard let column = comparison.columns.firstIndex(where: { $0.id == id }) else { return }
      change(&comparison.columns[column].reply)
      changeEntry(index, .comparison(comparison))
    default: break
    }
  }

  /// The entry that has a reply: the reply's own, or that of its comparison.
  package func entry(ofReply id: Int) -> Int? { reply(id) == nil ? nil : entries.last { $0.id <= id }?.id }

  package func reply(_ id: Int) -> ReplyEntry? {
    guard let entry = entries.last(where: { $0.id <= id }) else { return nil }
    switch entry.kind {
    case .reply(let reply): return entry.id == id ? reply : nil
    case .comparison(let comparison): return comparison.columns.first { $0.id == id }?.reply
    default: return nil
    }
  }

  /// Removes the replies to the last question, comparisons too, and all after the first of them.
  /// - Returns: whether there was one, after a user's turn.
  package mutating func removeLastReply() -> Bool {
    guard let last = entries.lastIndex(where: \.isAnswer),
      let question = entries[..<last].lastIndex(where: { if case .user = $0.kind { true } else { false } }),
      let first = entries[question...].firstIndex(where: \.isAnswer)
    else { return false }
    entries.removeSubrange(first...)
    return true
  }

  package mutating func clear() {
    entries = []
    setAside = nil
    title = nil
  }

  /// Removes an entry and all after it.
  package mutating func remove(from index: Int) { entries.removeSubrange(index...) }

  /// Changes an entry in place.
  mutating func changeEntry(_ index: Int, _ kind: Entry.Kind) {
    entries[index].kind = kind
    entries[index].revision += 1
  }

  /// Appends a comparison whose replies all wait.
  /// - Returns: its entry.
  mutating func appendComparison(_ stitches: [String]) -> Int {
    let columns = stitches.enumerated().map { index, stitch in
      Comparison.Column(id: nextID + 1 + index, stitch: stitch, reply: ReplyEntry(stitch: stitch))
    }
    defer { nextID += columns.count }
    return append(.comparison(Comparison(columns: columns)))
  }

  package var lastReply: ReplyEntry? { entries.lazy.reversed().compactMap(\.reply).first }

  /// What the model sees: the system prompt and all turns; replies without text are left out, and so is a user's
  /// turn that was never answered when another follows it.
  package var messages: [ChatMessage] {
    var messages: [ChatMessage] = []
    if !system.isEmpty { messages.append(ChatMessage(role: .system, content: system)) }
    for entry in entries where !entry.isForgotten {
      switch entry.kind {
      case .user(let text):
        if messages.last?.role == .user { messages.removeLast() }
        messages.append(ChatMessage(role: .user, content: text))
      case .reply, .comparison:
        guard let reply = entry.reply, !reply.text.isEmpty else { break }
        // Made in the place of the reply before it.
        if messages.last?.role == .assistant { messages.removeLast() }
        messages.append(ChatMessage(role: .assistant, content: reply.text))
      case .notice: break
      }
    }
    return messages
  }
}

/// A message of the user's.
package struct UserTurn: Sendable, Equatable {
  package var id: Int
  /// As the model sees it, files included.
  package var text: String
  /// As it was written, and the files that went with it.
  package var written: String
  package var files: [AttachedFile]

  fileprivate init(_ entry: Entry, _ text: String) {
    id = entry.id
    self.text = text
    let (written, blocks) = MessageFile.split(text, entry.files)
    self.written = written
    files = blocks.isEmpty ? [] : zip(entry.files, blocks).map { AttachedFile($0, sentAs: $1) }
  }
}

/// Changes to what was said before.
extension Conversation {
  /// The user's turns that can be sent again, the last first.
  private var userTurns: [UserTurn] {
    entries.reversed().compactMap { if case .user(let text) = $0.kind { UserTurn($0, text) } else { nil } }
  }

  /// A turn of the user's, counted from the end, from 1.
  package func userTurn(_ number: Int) -> UserTurn? {
    let turns = userTurns
    return turns.indices.contains(number - 1) ? turns[number - 1] : nil
  }

  /// A message of either side, counted from the end, from 1.
  package func message(_ number: Int) -> ChatMessage? {
    var left = number
    for entry in entries.reversed() {
      let message: ChatMessage
      if case .user(let text) = entry.kind {
        message = ChatMessage(role: .user, content: text)
      } else if let reply = entry.reply, !reply.text.isEmpty {
        message = ChatMessage(role: .assistant, content: reply.text)
      } else {
        continue
      }
      left -= 1
      if left == 0 { return message }
    }
    return nil
  }

  /// A block of code in the replies, counted from the end, from 1.
  package func codeBlock(_ number: Int) -> String? {
    var left = number
    for entry in entries.reversed() {
      guard let reply = entry.reply else { continue }
      let blocks = Markup.codeBlocks(reply.text)
      if left >= 1 && left <= blocks.count { return blocks[blocks.count - left] }
      left -= blocks.count
    }
    return nil
  }

  // MARK: Editing

  /// Takes a turn and all after it away, to come back with `bringBack`.
  /// - Returns: how many messages that were; 0 if there is no such turn.
  mutating func replace(from id: Int) -> Int {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return 0 }
    let old = Array(entries[index...])
    setAside = SetAside(after: index > 0 ? entries[index - 1].id : 0, entries: old)
    entries.removeSubrange(index...)
    return old.count { $0.isTurn }
  }

  /// Puts back what the last edit took away; what came in its place is taken away instead.
  /// - Returns: whether there was something.
  mutating func bringBack() -> Bool {
    guard let old = setAside else { return false }
    let index = entries.firstIndex { $0.id > old.after } ?? entries.count
    setAside = SetAside(after: old.after, entries: Array(entries[index...]))
    entries.replaceSubrange(index..., with: old.entries)
    return true
  }

  /// Takes a reply that was not made and the question before it away.
  /// - Returns: the question; `nil` if the reply has text already.
  mutating func takeBack(reply id: Int) -> UserTurn? {
    guard let index = entries.lastIndex(where: { $0.id == id }), case .reply(let reply) = entries[index].kind,
      reply.text.isEmpty,
      let question = entries[..<index].lastIndex(where: { if case .user = $0.kind { true } else { false } }),
      case .user(let text) = entries[question].kind
    else { return nil }
    let turn = UserTurn(entries[question], text)
    entries.remove(at: index)
    entries.remove(at: question)
    return turn
  }

  /// The last reply, or of a comparison the one in use, if it is the last message and can go on.
  var continuable: Int? {
    guard let entry = entries.last(where: \.isTurn), !entry.isForgotten else { return nil }
    switch entry.kind {
    case .reply: return entry.id
    case .comparison(let comparison): return comparison.inUse.map { comparison.columns[$0].id }
    case .user, .notice: return nil
    }
  }

  // MARK: Forgetting

  /// Keeps the oldest messages from the model. A reply goes with its question.
  /// - Returns: how many messages that were.
  mutating func forget(oldest count: Int) -> Int {
    var forgotten = 0
    let turns = entries.indices.filter { entries[$0].isTurn && !entries[$0].isForgotten }
    for (place, index) in turns.enumerated() {
      if case .user = entries[index].kind {
        if forgotten >= count { break }
        // One that was never answered is no message.
        let next = place + 1 < turns.count ? entries[turns[place + 1]].kind : nil
        if case .user? = next { forgotten -= 1 }
      }
      entries[index].isForgotten = true
      entries[index].revision += 1
      forgotten += 1
    }
    return forgotten
  }
}

extension Entry {
  /// A message that the model sees.
  var isTurn: Bool {
    if case .user = kind { return true }
    return reply.map { !$0.text.isEmpty } ?? false
  }
}

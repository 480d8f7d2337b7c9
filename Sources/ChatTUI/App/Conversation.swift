import ChatEngine

/// One reply of the model, with what made it.
package struct Reply: Sendable, Equatable {
  package enum State: Sendable, Equatable {
    /// Sent, nothing came back yet.
    case waiting
    case streaming
    case finished(ReplyStamp)
    /// Stopped by the user before the engine could say what it cost.
    case stopped
    case failed(String)
  }

  package var text = ""
  package var state: State = .waiting
  /// The stitch that was asked for; from `started` on the one that really runs.
  package var stitch: String
  package var adapterStep: Int?
  package var adapterHash: String?
  /// Sampler and seed it is made with, once it was asked for.
  package var options: ReplyOptions?

  package init(stitch: String) { self.stitch = stitch }

  package var isOpen: Bool { state == .waiting || state == .streaming }
}

/// What made a reply.
package struct Provenance: Sendable, Equatable {
  package var stitch: String
  package var adapterStep: Int?
}

extension Reply {
  /// What really made it; of a reply that has not begun, what was asked for, with the adapter of the one before.
  func provenance(after previous: Provenance?) -> Provenance? {
    if stitch.isEmpty { return nil }
    return Provenance(stitch: stitch, adapterStep: isMade ? adapterStep : previous?.adapterStep)
  }

  /// The engine said what makes it.
  var isMade: Bool {
    switch state {
    case .waiting: false
    case .streaming, .finished: true
    case .stopped, .failed: !text.isEmpty
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
    case reply(Reply)
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
  package mutating func append(_ kind: Entry.Kind, isKept: Bool = false) -> Int {
    defer { nextID += 1 }
    entries.append(Entry(id: nextID, kind: kind, isKept: isKept))
    return nextID
  }

  /// Changes a reply in place; an unknown `id` (it was cleared meanwhile) does nothing.
  package mutating func changeReply(_ id: Int, _ change: (inout Reply) -> Void) {
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

  package func reply(_ id: Int) -> Reply? {
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
    let columns = stitches.indices.map { Comparison.Column(id: nextID + 1 + $0, reply: Reply(stitch: stitches[$0])) }
    defer { nextID += columns.count }
    return append(.comparison(Comparison(columns: columns)))
  }

  package var lastReply: Reply? { entries.lazy.reversed().compactMap(\.reply).first }

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

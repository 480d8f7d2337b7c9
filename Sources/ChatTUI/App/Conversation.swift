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

/// One thing in the transcript; `id`s grow from the first to the last. `revision` grows with every change, so that layouts can be kept.
package struct Entry: Sendable, Equatable, Identifiable {
  package enum Kind: Sendable, Equatable {
    case user(String)
    case reply(Reply)
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
    // The reply that changes is nearly always the last entry.
    guard let index = entries.lastIndex(where: { $0.id == id }), case .reply(var reply) = entries[index].kind else {
      return
    }
    // Taken out, so that adding to the text does not copy it.
    entries[index].kind = .notice("", isWarning: false)
    change(&reply)
    entries[index].kind = .reply(reply)
    entries[index].revision += 1
  }

  package func reply(_ id: Int) -> Reply? {
    guard let entry = entries.last(where: { $0.id == id }), case .reply(let reply) = entry.kind else { return nil }
    return reply
  }

  /// Removes the last reply and all after it.
  /// - Returns: whether there was one, after a user's turn.
  package mutating func removeLastReply() -> Bool {
    guard let index = entries.lastIndex(where: { if case .reply = $0.kind { true } else { false } }),
      entries[..<index].contains(where: { if case .user = $0.kind { true } else { false } })
    else { return false }
    entries.removeSubrange(index...)
    return true
  }

  package mutating func clear() {
    entries = []
    setAside = nil
    title = nil
  }

  /// Removes an entry and all after it.
  package mutating func remove(from index: Int) { entries.removeSubrange(index...) }

  package var lastReply: Reply? {
    for entry in entries.reversed() { if case .reply(let reply) = entry.kind { return reply } }
    return nil
  }

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
      case .reply(let reply) where !reply.text.isEmpty:
        messages.append(ChatMessage(role: .assistant, content: reply.text))
      default: break
      }
    }
    return messages
  }
}

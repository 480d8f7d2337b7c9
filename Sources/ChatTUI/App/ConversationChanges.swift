import ChatEngine

/// Changes to what was said before.
extension Conversation {
  /// The user's turns that can be sent again, the last first.
  private var userTurns: [(id: Int, text: String)] {
    entries.reversed().compactMap { if case .user(let text) = $0.kind { ($0.id, text) } else { nil } }
  }

  /// A turn of the user's, counted from the end, from 1.
  package func userTurn(_ number: Int) -> (id: Int, text: String)? {
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
  mutating func takeBack(reply id: Int) -> String? {
    guard let index = entries.lastIndex(where: { $0.id == id }), case .reply(let reply) = entries[index].kind,
      reply.text.isEmpty,
      let question = entries[..<index].lastIndex(where: { if case .user = $0.kind { true } else { false } }),
      case .user(let text) = entries[question].kind
    else { return nil }
    entries.remove(at: index)
    entries.remove(at: question)
    return text
  }

  /// The last reply, if it is the last message and can go on.
  var continuable: Int? {
    guard let entry = entries.last(where: \.isTurn), case .reply(let reply) = entry.kind, !reply.text.isEmpty,
      !entry.isForgotten
    else { return nil }
    return entry.id
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

import ChatEngine
import Foundation

/// The conversation in memory and the same in its file.

extension Entry {
  /// What is saved of an entry.
  enum Content {
    case user(String)
    case reply(Reply)
    case notice(String, isWarning: Bool)
  }

  /// A reply counts once it began, a notice if it belongs to the conversation.
  var content: Content? {
    switch kind {
    case .user(let text): .user(text)
    case .reply(let reply): reply.state == .waiting && reply.text.isEmpty ? nil : .reply(reply)
    // Of a comparison, the reply the conversation goes on with.
    case .comparison(let comparison):
      comparison.isOpen ? nil : comparison.inUse.map { .reply(comparison.columns[$0].reply) }
    case .notice(let text, let isWarning): isKept ? .notice(text, isWarning: isWarning) : nil
    }
  }

  fileprivate var item: SavedConversation.Item? {
    switch content {
    case .user(let text): return .user(text)
    case .notice(let text, let isWarning): return .notice(text, isWarning: isWarning)
    case .reply(let reply):
      var saved = SavedConversation.Reply(
        stitch: reply.stitch, adapter: reply.start.adapter, options: reply.options)
      saved.text = reply.text
      saved.end = reply.end
      return .reply(saved)
    case nil: return nil
    }
  }
}

extension Reply {
  /// What makes it.
  var start: ConversationRecord.ReplyStart {
    .init(
      stitch: stitch, adapter: AdapterReference(step: adapterStep, hash: adapterHash), options: options)
  }

  var end: ConversationRecord.ReplyEnd? {
    switch state {
    case .waiting, .streaming: nil
    case .finished(let stamp): .finished(stamp)
    case .stopped: .stopped
    case .failed(let message): .failed(message)
    }
  }

  fileprivate init(_ saved: SavedConversation.Reply) {
    self.init(stitch: saved.stitch)
    text = saved.text
    adapterStep = saved.adapter?.step
    adapterHash = saved.adapter?.hash
    options = saved.options
    state =
      switch saved.end {
      case .finished(let stamp): .finished(stamp)
      case .failed(let message): .failed(message)
      // The program ended before the reply did.
      case .stopped, nil: .stopped
      }
  }
}

extension Conversation {
  /// Becomes a saved conversation.
  mutating func restore(_ saved: SavedConversation) {
    clear()
    title = saved.title
    system = saved.settings.system
    for item in saved.items {
      switch item {
      case .user(let text): append(.user(text))
      case .reply(let reply): append(.reply(Reply(reply)))
      case .notice(let text, let isWarning): append(.notice(text, isWarning: isWarning), isKept: true)
      }
    }
    if let forgotten = saved.settings.forgotten { _ = forget(oldest: forgotten) }
  }

  var turns: Int { entries.count(where: \.isTurn) }

  /// Only the first messages stay, with the notices between them.
  mutating func keep(turns: Int) {
    var count = 0
    guard
      let end = entries.firstIndex(where: { entry in
        if entry.isTurn { count += 1 }
        return count > turns
      })
    else { return }
    remove(from: end)
  }

  /// The same as files have it.
  var items: [SavedConversation.Item] { entries.compactMap(\.item) }
}

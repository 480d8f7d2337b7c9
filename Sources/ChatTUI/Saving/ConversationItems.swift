import ChatEngine
import Conversations
import Foundation

/// The conversation in memory and the same in its file.

extension Entry {
  /// What is saved of an entry.
  enum Content {
    case user(String, files: [MessageFile])
    case reply(ReplyEntry)
    case comparison(Comparison)
    case notice(String, isWarning: Bool)
  }

  /// Replies count once they began, a notice if it belongs to the conversation.
  var content: Content? {
    switch kind {
    case .user(let text): .user(text, files: files)
    case .reply(let reply): reply.hasBegun ? .reply(reply) : nil
    case .comparison(let comparison): comparison.columns.first?.reply.hasBegun == true ? .comparison(comparison) : nil
    case .notice(let text, let isWarning): isKept ? .notice(text, isWarning: isWarning) : nil
    }
  }

  fileprivate var item: SavedConversation.Item? {
    switch content {
    case .user(let text, let files): return .user(text, files: files)
    case .notice(let text, let isWarning): return .notice(text, isWarning: isWarning)
    case .reply(let reply): return .reply(reply.saved)
    case .comparison(let comparison):
      var saved = SavedConversation.Comparison(stitches: comparison.columns.map(\.stitch))
      saved.replies = comparison.columns.map(\.reply).prefix(while: \.hasBegun).map(\.saved)
      saved.kept = comparison.kept
      return .comparison(saved)
    case nil: return nil
    }
  }
}

extension ReplyEntry {
  /// What makes it.
  var start: ConversationRecord.ReplyStart {
    .init(
      stitch: stitch,
      adapter: isMade ? AdapterReference(step: adapterStep, hash: adapterHash, origin: adapterOrigin) : nil,
      options: options)
  }

  var end: ConversationRecord.ReplyEnd? {
    switch state {
    case .waiting, .streaming: nil
    case .finished(let stamp): .finished(stamp)
    case .cancelled: .stopped
    case .failed(let message): .failed(message)
    }
  }

  /// It was asked for, and not only waits.
  var hasBegun: Bool { !text.isEmpty || (state != .waiting && (options != nil || end != .stopped)) }

  fileprivate var saved: SavedReply {
    var saved = SavedReply(stitch: stitch, adapter: start.adapter, options: options)
    saved.text = text
    saved.end = end
    return saved
  }

  fileprivate init(_ saved: SavedReply) {
    self.init(stitch: saved.stitch)
    text = saved.text
    adapterStep = saved.adapter?.step
    adapterHash = saved.adapter?.hash
    adapterOrigin = saved.adapter?.origin
    options = saved.options
    state =
      switch saved.end {
      case .finished(let stamp): .finished(stamp)
      case .failed(let message): .failed(message)
      // The program ended before the reply did.
      case .stopped, nil: .cancelled
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
      case .user(let text, let files): append(.user(text), files: files)
      case .reply(let reply): append(.reply(ReplyEntry(reply)))
      case .comparison(let comparison): appendComparison(restoring: comparison)
      case .notice(let text, let isWarning): append(.notice(text, isWarning: isWarning), isKept: true)
      }
    }
    if let forgotten = saved.settings.forgotten { _ = forget(oldest: forgotten) }
  }

  private mutating func appendComparison(restoring saved: SavedConversation.Comparison) {
    let entry = appendComparison(saved.stitches)
    for (column, place) in zip(comparison(entry)?.columns ?? [], saved.stitches.indices) {
      // Those that never began never will.
      let reply = saved.replies.indices.contains(place) ? ReplyEntry(saved.replies[place]) : nil
      changeReply(column.id) { if let reply { $0 = reply } else { $0.state = .cancelled } }
    }
    if let kept = saved.kept { _ = keep(kept, of: entry) }
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

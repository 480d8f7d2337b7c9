import ChatEngine
import Foundation
import Support

/// A reply as a conversation's file tells it.
public struct SavedReply: Sendable, Equatable {
  public var text = ""
  public var stitch: String
  public var adapter: AdapterReference?
  /// Sampler and seed; `nil` if they are not known.
  public var options: ReplyOptions?
  /// `nil`: the program ended before the reply did.
  public var end: ConversationRecord.ReplyEnd?

  public init(stitch: String, adapter: AdapterReference? = nil, options: ReplyOptions? = nil) {
    self.stitch = stitch
    self.adapter = adapter
    self.options = options
  }

  /// More text is to come, made with this.
  fileprivate mutating func goOn(_ start: ConversationRecord.ReplyStart) {
    stitch = start.stitch
    adapter = start.adapter
    options = start.options
    end = nil
  }
}

/// A conversation as its file tells it.
public struct SavedConversation: Sendable, Equatable {
  /// Replies to one question at several sizes. One of them counts as the conversation's.
  public struct Comparison: Sendable, Equatable {
    /// Those that were asked for, in the order of the replies.
    public var stitches: [String]
    /// Those that began.
    public var replies: [SavedReply] = []
    /// The reply that was chosen, from 0.
    public var kept: Int?

    public init(stitches: [String]) { self.stitches = stitches }

    /// The reply that counts: the one chosen, else the last one with text.
    public var inUse: Int? { kept ?? replies.lastIndex { !$0.text.isEmpty } }

    /// The reply that is being made: the chosen one, gone on with, or else the last that began.
    fileprivate var open: Int? { [kept, replies.indices.last].compactMap(\.self).first { replies[$0].end == nil } }
  }

  public enum Item: Sendable, Equatable {
    /// - Parameter files: whose text ends the message.
    case user(String, files: [MessageFile] = [])
    case reply(SavedReply)
    case comparison(Comparison)
    case notice(String, isWarning: Bool)

    /// A reply, or of a comparison the one that counts.
    public var reply: SavedReply? {
      switch self {
      case .reply(let reply): reply
      case .comparison(let comparison): comparison.inUse.map { comparison.replies[$0] }
      case .user, .notice: nil
      }
    }
  }

  public var id: String
  public var created: Date
  /// Which program wrote it.
  public var program: String
  public var family: FamilyReference?
  public var parent: ConversationParent?
  public var title: String?
  public var settings = ConversationSettings()
  public var items: [Item] = []
  /// Lines that could not be read, each with its file and number.
  public var problems: [String] = []

  public init(
    id: String, created: Date, program: String, family: FamilyReference? = nil, parent: ConversationParent? = nil
  ) {
    self.id = id
    self.created = created
    self.program = program
    self.family = family
    self.parent = parent
  }

  /// Messages: the user's and replies with text.
  public var turns: Int {
    items.count {
      if case .user = $0 { return true }
      return $0.reply.map { !$0.text.isEmpty } ?? false
    }
  }

  /// The stitches that replied, in the order of their first reply.
  public var stitches: [String] {
    var seen: [String] = []
    for reply in items.lazy.compactMap(\.reply) where !reply.text.isEmpty && !seen.contains(reply.stitch) {
      seen.append(reply.stitch)
    }
    return seen
  }

  public var firstQuestion: String {
    for case .user(let text, let files) in items { return MessageFile.split(text, files).text }
    return ""
  }

  // MARK: Folding

  /// Takes in what happened next.
  mutating func apply(_ record: ConversationRecord) {
    switch record {
    case .begin: break
    case .settings(let settings): self.settings = settings
    case .user(let text, let files): items.append(.user(text, files: files))
    case .reply(let start):
      settings.follow(start)
      if !start.continues || !continueLastReply(start) { begin(start) }
    case .compare(let stitches): items.append(.comparison(Comparison(stitches: stitches)))
    case .keep(let column):
      if let last = lastTurn, case .comparison(var comparison) = items[last],
        comparison.replies.indices.contains(column - 1)
      {
        comparison.kept = column - 1
        items[last] = .comparison(comparison)
      }
    case .text(let text): changeOpenReply { $0.text += text }
    case .end(let end):
      changeOpenReply {
        $0.end = end
        if case .finished(let stamp) = end {
          $0.stitch = stamp.stitch
          $0.adapter = stamp.adapter
        }
      }
    case .notice(let text, let isWarning): items.append(.notice(text, isWarning: isWarning))
    case .title(let text): title = text.isEmpty ? nil : text
    case .drop(let keep): items.removeSubrange(min(keep, items.count)...)
    }
  }

  private mutating func begin(_ start: ConversationRecord.ReplyStart) {
    let reply = SavedReply(stitch: start.stitch, adapter: start.adapter, options: start.options)
    if let last = lastTurn, case .comparison(var comparison) = items[last],
      comparison.replies.count < comparison.stitches.count
    {
      comparison.replies.append(reply)
      items[last] = .comparison(comparison)
    } else {
      items.append(.reply(reply))
    }
  }

  /// The last reply is open again; of a comparison the one in use, which is thereby chosen.
  /// - Returns: false if there is none.
  private mutating func continueLastReply(_ start: ConversationRecord.ReplyStart) -> Bool {
    guard let last = lastTurn else { return false }
    switch items[last] {
    case .reply(var reply):
      reply.goOn(start)
      items[last] = .reply(reply)
    case .comparison(var comparison):
      guard let column = comparison.inUse else { return false }
      comparison.kept = column
      comparison.replies[column].goOn(start)
      items[last] = .comparison(comparison)
    case .user, .notice: return false
    }
    return true
  }

  /// The last message: something may have been said about training while a reply streamed.
  private var lastTurn: Int? { items.lastIndex { if case .notice = $0 { false } else { true } } }

  /// Text whose beginning is lost, because that line was damaged, is a reply all the same.
  private mutating func changeOpenReply(_ change: (inout SavedReply) -> Void) {
    if let last = lastTurn, case .reply(var reply) = items[last], reply.end == nil {
      // Not in two places at once, so that its text grows in place.
      items[last] = .notice("", isWarning: false)
      change(&reply)
      items[last] = .reply(reply)
    } else if let last = lastTurn, case .comparison(var comparison) = items[last], let open = comparison.open {
      items[last] = .notice("", isWarning: false)
      change(&comparison.replies[open])
      items[last] = .comparison(comparison)
    } else {
      var reply = SavedReply(stitch: "unknown")
      change(&reply)
      items.append(.reply(reply))
    }
  }
}

extension ConversationSettings {
  /// A reply is made with a seed of its own and with the adapter in use; the next one goes on from there.
  package mutating func follow(_ start: ConversationRecord.ReplyStart) {
    if let options = start.options { nextSeed = options.seed &+ 1 }
    if let adapter = start.adapter { self.adapter = adapter }
  }
}

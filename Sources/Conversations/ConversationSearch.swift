import ChatEngine
import Foundation
import Support
import Synchronization

/// What a list of conversations shows of one.
public struct ConversationSummary: Sendable, Equatable, Identifiable {
  /// Where a text was found.
  public struct Match: Sendable, Equatable {
    /// Counted from 1.
    public var turn: Int
    public var role: ChatMessage.Role
    /// The line, cut to what stands around the text.
    public var line: String

    package init(turn: Int, role: ChatMessage.Role, line: String) {
      self.turn = turn
      self.role = role
      self.line = line
    }
  }

  public var id: String
  public var title: String?
  public var firstQuestion: String
  public var created: Date
  public var updated: Date
  public var turns: Int
  /// Those that replied, in the order of their first reply.
  public var stitches: [String]
  public var family: FamilyReference?
  public var parent: ConversationParent?
  /// Of a search; where the title alone fits there is none.
  public var matches: [Match] = []

  init(_ conversation: SavedConversation, updated: Date) {
    id = conversation.id
    title = conversation.title
    firstQuestion = conversation.firstQuestion
    created = conversation.created
    self.updated = updated
    turns = conversation.turns
    stitches = conversation.stitches
    family = conversation.family
    parent = conversation.parent
  }

  package init(
    id: String, title: String? = nil, firstQuestion: String, updated: Date, turns: Int, stitches: [String],
    matches: [Match] = []
  ) {
    self.id = id
    self.title = title
    self.firstQuestion = firstQuestion
    (created, self.updated) = (updated, updated)
    self.turns = turns
    self.stitches = stitches
    self.matches = matches
  }
}

extension ConversationSummary {
  /// When it was last added to, where the user is: `2026-11-21 14:32`.
  public var updatedText: String {
    let parts = Calendar.current.dateComponents([.year, .month, .day, .hour, .minute], from: updated)
    return String(
      format: "%04d-%02d-%02d %02d:%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0, parts.hour ?? 0,
      parts.minute ?? 0)
  }
}

/// The saved conversations, with their texts in memory: the first look reads them all, the next ones are quick.
public final class ConversationLibrary: Sendable {
  /// What was found, and one line for each file that could not be read.
  public struct Listing: Sendable, Equatable {
    /// The one written to last is first.
    public var conversations: [ConversationSummary] = []
    public var unreadable: [String] = []

    public init(conversations: [ConversationSummary] = [], unreadable: [String] = []) {
      self.conversations = conversations
      self.unreadable = unreadable
    }
  }

  private struct Kept {
    var summary: ConversationSummary
    var turns: [Turn]
    var title: [UInt8]
  }

  private struct Turn {
    /// Counted from 1; the replies of a comparison share one.
    var number: Int
    var role: ChatMessage.Role
    var text: String
    /// The same for comparing.
    var folded: [UInt8]

    init(_ number: Int, _ role: ChatMessage.Role, _ text: String) {
      self.number = number
      self.role = role
      self.text = text
      folded = fold(text)
    }
  }

  private struct State {
    var kept: [Kept] = []
    var unreadable: [String] = []
    /// Counts what was asked for: of several requests in a row only the last is worth an answer.
    var request = 0
  }

  private let store: ConversationStore
  private let state = Mutex(State())
  private let worker = WorkerThread(name: "stitch-search")

  public init(store: ConversationStore) { self.store = store }

  /// Finds the conversations whose title or messages hold a text, upper and lower case being the same; all of them
  /// for an empty one. On a thread of its own, in the order of the calls.
  /// - Parameters:
  ///   - refreshes: read the files again.
  ///   - answer: called there with `ConversationError.unreadable`, or with what was found, unless something else was asked
  ///     for meanwhile.
  public func find(
    _ text: String, refreshes: Bool, answer: @escaping @Sendable (Result<Listing, any Error>) -> Void
  ) {
    let request = state.withLock { state in
      state.request += 1
      return state.request
    }
    worker.perform { [self] in
      do {
        if refreshes { try refresh() }
        if state.withLock({ $0.request == request }) { answer(.success(listing(text))) }
      } catch {
        answer(.failure(error))
      }
    }
  }

  /// The same at once, on the caller's thread.
  /// - Throws: `ConversationError.unreadable`.
  public func find(_ text: String) throws(ConversationError) -> Listing {
    try refresh()
    return listing(text)
  }

  private func refresh() throws(ConversationError) {
    var kept: [Kept] = []
    var unreadable: [String] = []
    for (id, updated) in try store.entries() {
      do throws(ConversationError) {
        let conversation = try store.read(id)
        // Nobody said anything yet.
        if conversation.turns == 0 { continue }
        kept.append(
          Kept(
            summary: ConversationSummary(conversation, updated: updated), turns: Self.turns(conversation),
            title: Self.fold(conversation.title ?? "")))
      } catch {
        unreadable.append("\(error)")
      }
    }
    state.withLock { state in
      state.kept = kept
      state.unreadable = unreadable
    }
  }

  private static func turns(_ conversation: SavedConversation) -> [Turn] {
    var number = 0
    return conversation.items.flatMap { item -> [Turn] in
      let replies: [SavedReply]
      switch item {
      case .user(let text, _):
        number += 1
        return [Turn(number, .user, text)]
      case .reply(let reply): replies = [reply]
      case .comparison(let comparison): replies = comparison.replies
      case .notice: return []
      }
      let texts = replies.map(\.text).filter { !$0.isEmpty }
      if !texts.isEmpty { number += 1 }
      return texts.map { Turn(number, .assistant, $0) }
    }
  }

  private static func fold(_ text: String) -> [UInt8] { Array(text.lowercased().utf8) }

  private func listing(_ text: String) -> Listing {
    let (kept, unreadable) = state.withLock { ($0.kept, $0.unreadable) }
    let wanted = Self.fold(text)
    if wanted.isEmpty { return Listing(conversations: kept.map(\.summary), unreadable: unreadable) }
    let found = kept.compactMap { kept -> ConversationSummary? in
      var summary = kept.summary
      for turn in kept.turns where Self.holds(turn.folded, wanted) {
        let line = Self.line(of: turn.text, with: text)
        summary.matches.append(.init(turn: turn.number, role: turn.role, line: line))
      }
      return summary.matches.isEmpty && !Self.holds(kept.title, wanted) ? nil : summary
    }
    return Listing(conversations: found, unreadable: unreadable)
  }

  private static func holds(_ text: [UInt8], _ wanted: [UInt8]) -> Bool {
    guard let first = wanted.first, text.count >= wanted.count else { return false }
    let last = text.count - wanted.count
    var place = 0
    while place <= last {
      guard let next = text[place...last].firstIndex(of: first) else { return false }
      if text[next..<(next + wanted.count)].elementsEqual(wanted) { return true }
      place = next + 1
    }
    return false
  }

  /// The line in which a text stands, from a little before it on.
  private static func line(of text: String, with wanted: String) -> String {
    // Lower case can be longer than upper case, so places in the one mean nothing in the other.
    let range = text.range(of: wanted, options: .caseInsensitive)
    let start = range?.lowerBound ?? text.startIndex
    let from = text[..<start].lastIndex(where: \.isNewline).map(text.index(after:)) ?? text.startIndex
    let to = text[(range?.upperBound ?? start)...].firstIndex(where: \.isNewline) ?? text.endIndex
    let before = text[from..<start]
    let lead = before.count > 24 ? "…" + before.suffix(20) : String(before)
    return (lead + text[start..<to].prefix(200)).trimmingCharacters(in: .whitespaces)
  }
}

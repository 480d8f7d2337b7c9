import ChatEngine
import ChatTUI
import Conversations
import Foundation
import Testing

/// A chat whose conversations are saved in a folder of its own.
final class Desk {
  let root: URL
  let store: ConversationStore
  var state: AppState
  private let recorder: ConversationRecorder
  private let queue = ActionQueue(wake: {})
  /// What was recorded, in order.
  var recorded: [ConversationRecord] = []

  /// - Parameter beside: share the folder of another chat.
  init(beside other: Desk? = nil, saves: Bool = true) throws {
    root =
      other?.root ?? FileManager.default.temporaryDirectory.appendingPathComponent("stitch-saving-\(UUID().uuidString)")
    store = ConversationStore(root: root)
    state = readyState()
    state.familyReference = FamilyReference(name: "tiny", identity: "abc", directory: "/families/tiny")
    state.journal.isOn = saves
    recorder = ConversationRecorder(store: store, program: "test") { [queue] in queue.push(.recorder($0)) }
  }

  func cleanUp() { try? FileManager.default.removeItem(at: root) }

  /// Applies actions as the loop does, saving included; the effects of the last one that are not about saving.
  @discardableResult
  func apply(_ actions: Action...) throws -> [Effect] {
    var rest: [Effect] = []
    for action in actions {
      rest = []
      for effect in update(&state, action) {
        switch effect {
        case .record(let records):
          recorded += records
          recorder.record(records)
        case .attachConversation(let id): recorder.attach(id)
        case .openConversation(let id):
          let found = try store.find(id)
          if state.journal.isOn {
            let (conversation, obstacle) = try recorder.prepare(found)
            try apply(.conversationOpened(conversation, obstacle: obstacle))
          } else {
            try apply(.conversationOpened(try store.read(found), obstacle: nil))
          }
        default: rest.append(effect)
        }
      }
      for event in queue.drain() { _ = update(&state, event) }
    }
    return rest
  }

  func exchange(_ question: String, _ answer: String, step: Int? = 400, hash: String? = nil) throws {
    try apply(.submit(question))
    try finish(answer, step: step, hash: hash)
  }

  /// The running reply, in two pieces.
  func finish(_ answer: String, step: Int? = 400, hash: String? = nil) throws {
    let id = state.activeReply!
    let stitch = state.conversation.reply(id)!.stitch
    let half = answer.index(answer.startIndex, offsetBy: answer.count / 2)
    try apply(
      .reply(id: id, .started(stitch: stitch, adapterStep: step, adapterHash: hash)),
      .reply(id: id, .text(String(answer[..<half]))), .reply(id: id, .text(String(answer[half...]))),
      .reply(
        id: id,
        .finished(
          ReplyStamp(
            stitch: stitch, adapterStep: step, tokens: 5, tokensPerSecond: 50, finish: .stop, contextTokens: 31,
            adapterHash: hash))),
      .replyEnded(id: id))
  }

  /// What the file of the open conversation says.
  func saved() throws -> SavedConversation { try store.read(try #require(state.journal.id)) }

  /// Turns in a form to compare: `u:text`, `stitch:text`.
  func turns(_ conversation: SavedConversation) -> [String] {
    conversation.items.map { item in
      switch item {
      case .user(let text, _): "u:\(text)"
      case .reply(let reply): "\(reply.stitch):\(reply.text)"
      case .comparison(let comparison):
        comparison.replies.enumerated().map { index, reply in
          "\(index == comparison.inUse ? "*" : "")\(reply.stitch):\(reply.text)"
        }.joined(separator: " | ")
      case .notice(let text, _): "n:\(text.prefix(12))"
      }
    }
  }
}

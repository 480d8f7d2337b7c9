import ChatEngine
import Conversations
import Foundation
import Support

/// A saved conversation is a script: it asks the same questions at the same sizes, with the same sampling and seeds,
/// and expects the same replies.
extension Script {
  /// Whether a text is the file of a saved conversation.
  static func isConversation(_ text: String) -> Bool {
    guard text.first == "{", let line = text.utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first,
      let value = try? JSONValue(utf8: line)
    else { return false }
    return value.object?["type"]?.string == "conversation"
  }

  package init(_ conversation: SavedConversation, file: String) {
    self.init(file: file, settings: [], steps: [])
    family = conversation.family?.directory
    var here: String?
    system = conversation.settings.system.isEmpty ? nil : conversation.settings.system
    var sampling: ReplyOptions?
    for (index, item) in conversation.items.enumerated() {
      guard case .user(let text, _) = item else { continue }
      let reply = Self.answer(in: conversation.items[(index + 1)...])
      if let reply, reply.stitch != here {
        if here == nil { stitch = reply.stitch } else { append(.stitch(reply.stitch)) }
        here = reply.stitch
      }
      if let options = reply?.options {
        if let before = sampling {
          let changes = Self.changes(from: before, to: options)
          if !changes.isEmpty { append(.set(changes)) }
        } else {
          settings = SamplingSetting.Name.allCases.compactMap { Self.setting($0, options) }
        }
        sampling = options
      }
      append(.user(text), expecting: reply.flatMap(Self.expectation))
    }
  }

  /// The last reply before the next question: a comparison takes the place of the reply before it.
  private static func answer(in items: ArraySlice<SavedConversation.Item>) -> SavedReply? {
    items.prefix { if case .user = $0 { false } else { true } }.compactMap(\.reply).last
  }

  private mutating func append(_ action: Action, expecting expectation: Expectation? = nil) {
    steps.append(Step(action: action, expectation: expectation, line: steps.count + 1, column: 1))
  }

  /// Only whole replies can be expected again.
  private static func expectation(_ reply: SavedReply) -> Expectation? {
    guard case .finished(let stamp)? = reply.end, stamp.finish != .cancelled else { return nil }
    var expectation = Expectation()
    expectation.equals = reply.text
    expectation.finish = stamp.finish
    expectation.stitch = stamp.stitch
    return expectation
  }

  /// Every reply has the seed after that of the one before, unless it was set.
  package static func changes(from before: ReplyOptions, to options: ReplyOptions) -> [SamplingSetting] {
    var expected = before
    expected.seed &+= 1
    return SamplingSetting.Name.allCases.compactMap { name in
      let isSame = SamplingSetting.text(of: name, in: options) == SamplingSetting.text(of: name, in: expected)
      return isSame ? nil : setting(name, options)
    }
  }

  package static func setting(_ name: SamplingSetting.Name, _ options: ReplyOptions) -> SamplingSetting? {
    // A value out of range, which a damaged file may hold, stays what it is without it.
    try? SamplingSetting(name: name.rawValue, value: SamplingSetting.text(of: name, in: options))
  }
}

import ChatEngine
import Conversations

/// Keys and the mouse while a list shows.
extension AppState {
  mutating func pressInPicker(_ intent: Intent?, _ key: KeyPress) -> [Effect] {
    let page = max(1, PickerView.list(in: self).height - 1)
    switch intent {
    case .up: picker?.move(by: -1)
    case .down: picker?.move(by: 1)
    case .pageUp: picker?.move(by: -page)
    case .pageDown: picker?.move(by: page)
    case .top, .lineStart: picker?.move(by: -Int(Int32.max))
    case .bottom, .lineEnd: picker?.move(by: Int(Int32.max))
    case .send: return choosePicked()
    case .stopReply, .interrupt: picker = nil
    case .deleteBackward: return editPicker { if !$0.isEmpty { $0.removeLast() } }
    case .deleteToLineStart, .deleteWordBackward: return editPicker { $0 = "" }
    case .redraw: return [.redraw]
    case .suspend: return [.suspend(wholeGroup: true)]
    case nil:
      if case .character(let character) = key.key, key.modifiers.isEmpty {
        return editPicker { $0.append(character) }
      }
    default: break
    }
    return []
  }

  mutating func pasteInPicker(_ text: String) -> [Effect] {
    editPicker { $0 += sanitiseLine(text).trimmingWhitespace }
  }

  private mutating func editPicker(_ change: (inout String) -> Void) -> [Effect] {
    guard let before = picker?.query else { return [] }
    picker?.edit(change)
    guard let query = picker?.query, query != before else { return [] }
    return [.listConversations(query: query, refreshes: false)]
  }

  private mutating func choosePicked() -> [Effect] {
    guard let row = picker?.selectedRow else { return [] }
    picker = nil
    return openConversation(row.id)
  }
}

extension Picker.Row {
  init(_ conversation: ConversationSummary, isOpen: Bool) {
    let messages = conversation.turns == 1 ? "1 message" : "\(conversation.turns) messages"
    var details = [conversation.updatedText, messages]
    if let first = conversation.stitches.first {
      let others = conversation.stitches.count - 1
      details.append(others == 0 ? first : "\(first) +\(others)")
    }
    if isOpen { details.append("open") }
    let title = sanitiseLine(conversation.title ?? conversation.firstQuestion)
    let lines = conversation.matches.lazy.map { sanitiseLine($0.line) }
    self.init(
      id: conversation.id, title: title, detail: sanitiseLine(details.joined(separator: " · ")),
      // What the title says need not be said again.
      match: lines.first { $0 != title })
  }
}

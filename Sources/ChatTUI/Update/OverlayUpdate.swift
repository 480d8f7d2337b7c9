import ChatEngine
import Conversations

/// Keys and the mouse in what stands over the chat: help, a list, the search line.
extension AppState {
  /// `nil`: the key means what it means without an overlay.
  mutating func pressInOverlay(_ intent: Intent?, _ key: KeyPress) -> [Effect]? {
    switch overlay {
    case .none: nil
    case .help(let line): pressInHelp(line, intent, key)
    case .search: pressInSearch(intent, key)
    case .picker: pressInPicker(intent, key)
    }
  }

  // MARK: Help

  /// `nil`: the key closes help and then means what it always means.
  private mutating func pressInHelp(_ line: Int, _ intent: Intent?, _ key: KeyPress) -> [Effect]? {
    let page = max(1, HelpView.frame(in: self).height - 2)
    switch intent {
    case .pageUp: scrollHelp(to: line - page)
    case .pageDown: scrollHelp(to: line + page)
    case .up: scrollHelp(to: line - 1)
    case .down: scrollHelp(to: line + 1)
    case .top, .lineStart: scrollHelp(to: 0)
    case .bottom, .lineEnd: scrollHelp(to: .max)
    default:
      overlay = .none
      let onlyCloses = intent == .help || intent == .cancelReply || intent == .send || key == KeyPress(.character("q"))
      return onlyCloses ? [] : nil
    }
    return []
  }

  private mutating func scrollHelp(to line: Int) {
    let frame = HelpView.frame(in: self)
    let count = HelpView.lines(glyphs: glyphs, width: frame.width - 4).count
    overlay = .help(firstLine: max(0, min(count - max(1, frame.height - 2), line)))
  }

  // MARK: The mouse

  /// - Returns: whether there is an overlay that has a place on the screen of its own.
  mutating func wheelInOverlay(by lines: Int) -> Bool {
    switch overlay {
    case .help(let line): scrollHelp(to: line + lines)
    case .picker: overlay.picker?.move(by: lines)
    case .none, .search: return false
    }
    return true
  }

  /// A click closes it.
  /// - Returns: as `wheelInOverlay`.
  mutating func clickInOverlay() -> Bool {
    switch overlay {
    case .help, .picker: overlay = .none
    case .none, .search: return false
    }
    return true
  }

  // MARK: A list

  private mutating func pressInPicker(_ intent: Intent?, _ key: KeyPress) -> [Effect] {
    let page = max(1, PickerView.list(in: self).height - 1)
    switch intent {
    case .up: overlay.picker?.move(by: -1)
    case .down: overlay.picker?.move(by: 1)
    case .pageUp: overlay.picker?.move(by: -page)
    case .pageDown: overlay.picker?.move(by: page)
    case .top, .lineStart: overlay.picker?.move(by: -Int(Int32.max))
    case .bottom, .lineEnd: overlay.picker?.move(by: Int(Int32.max))
    case .send: return choosePicked()
    case .cancelReply, .interrupt: overlay = .none
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
    overlay.picker?.edit(change)
    guard let query = picker?.query, query != before, picker?.lists == .conversations else { return [] }
    return [.listConversations(query: query, refreshes: false)]
  }

  private mutating func choosePicked() -> [Effect] {
    guard let row = picker?.selectedRow else { return [] }
    let kind = picker?.lists
    overlay = .none
    return kind == .adapters ? mixIn(row.id) : openConversation(row.id)
  }

  // MARK: Searching the transcript

  /// `/search`.
  mutating func openSearch(_ text: String) {
    if conversation.entries.isEmpty {
      say("there is nothing to search yet")
      return
    }
    var search = Search(text, origin: search?.origin ?? scroll)
    search.update(transcript)
    overlay = .search(search)
    findNearest()
  }

  /// `nil`: the key means what it means without a search, which stays open.
  private mutating func pressInSearch(_ intent: Intent?, _ key: KeyPress) -> [Effect]? {
    switch (intent, key) {
    case (_, KeyPress(.up, .shift)), (_, KeyPress(.enter, .shift)), (_, KeyPress(.backTab)): step(by: -1)
    case (_, KeyPress(.down, .shift)): step(by: 1)
    case (.send, _), (.down, _), (.search, _): step(by: 1)
    case (.up, _): step(by: -1)
    case (.cancelReply, _), (.interrupt, _):
      returnToOrigin()
      overlay = .none
    case (.complete, _): overlay = .none
    case (.newline, _): break
    case (.endOfInput, _):
      overlay.search?.editor.deleteForward()
      searchAnew()
    case (let intent?, _):
      let before = search?.editor.text
      guard overlay.search?.editor.apply(intent) == true else { return nil }
      if search?.editor.text != before { searchAnew() }
    case (nil, _):
      guard case .character(let character) = key.key, key.modifiers.isEmpty else { return [] }
      overlay.search?.editor.insert(String(character))
      searchAnew()
    }
    return []
  }

  mutating func pasteInSearch(_ text: String) {
    overlay.search?.editor.insert(sanitiseLine(text.trimmingWhitespace))
    searchAnew()
  }

  private mutating func searchAnew() {
    overlay.search?.current = nil
    overlay.search?.update(transcript)
    findNearest()
  }

  /// The first match from the top of the screen on, or else the nearest above it.
  private mutating func findNearest() {
    guard let search else { return }
    let top = transcript.top(search.origin, height: layout.transcript.height)
    let matches = search.matches
    let below = matches.firstIndex { line(of: $0) >= top }
    overlay.search?.current = below ?? (matches.isEmpty ? nil : matches.count - 1)
    if overlay.search?.current == nil { returnToOrigin() }
    showMatch()
  }

  private mutating func step(by step: Int) {
    guard let search, !search.matches.isEmpty else { return }
    let count = search.matches.count
    overlay.search?.current = ((search.current ?? -step) + step + count) % count
    showMatch()
  }

  private mutating func returnToOrigin() {
    guard let origin = search?.origin else { return }
    if origin == .end { scrollToEnd() } else { scroll = origin }
  }

  private func line(of match: Search.Match) -> Int {
    (transcript.start(of: match.entry) ?? 0) + (match.parts.first?.line ?? 0)
  }

  /// Scrolls, where the match is not on the screen.
  private mutating func showMatch() {
    guard let search, let current = search.current else { return }
    let line = line(of: search.matches[current])
    let height = layout.transcript.height
    let top = transcript.top(scroll, height: height)
    // The lowest line may be under the mark that says that there is more.
    if line >= top && line < top + height - 1 { return }
    scrollBy(line - height / 3 - top)
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

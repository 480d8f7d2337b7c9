/// Searching in the transcript.
extension AppState {
  mutating func openSearch(_ text: String) {
    if conversation.entries.isEmpty {
      say("there is nothing to search yet")
      return
    }
    search = Search(text, origin: search?.origin ?? scroll)
    search!.update(transcript)
    findNearest()
  }

  /// `nil`: the key means what it means without a search, which stays open.
  mutating func pressInSearch(_ intent: Intent?, _ key: KeyPress) -> [Effect]? {
    switch (intent, key) {
    case (_, KeyPress(.up, .shift)), (_, KeyPress(.enter, .shift)), (_, KeyPress(.backTab)): step(by: -1)
    case (_, KeyPress(.down, .shift)): step(by: 1)
    case (.send, _), (.down, _), (.search, _): step(by: 1)
    case (.up, _): step(by: -1)
    case (.stopReply, _), (.interrupt, _):
      returnToOrigin()
      search = nil
    case (.complete, _): search = nil
    case (.newline, _): break
    case (.endOfInput, _):
      search!.editor.deleteForward()
      searchAnew()
    case (let intent?, _):
      let before = search!.editor.text
      guard search!.editor.apply(intent) else { return nil }
      if search!.editor.text != before { searchAnew() }
    case (nil, _):
      guard case .character(let character) = key.key, key.modifiers.isEmpty else { return [] }
      search!.editor.insert(String(character))
      searchAnew()
    }
    return []
  }

  mutating func pasteInSearch(_ text: String) {
    search!.editor.insert(sanitiseLine(text.trimmingWhitespace))
    searchAnew()
  }

  private mutating func searchAnew() {
    search!.current = nil
    search!.update(transcript)
    findNearest()
  }

  /// The first match from the top of the screen on, or else the nearest above it.
  private mutating func findNearest() {
    let top = transcript.top(search!.origin, height: layout.transcript.height)
    let matches = search!.matches
    let below = matches.firstIndex { line(of: $0) >= top }
    search!.current = below ?? (matches.isEmpty ? nil : matches.count - 1)
    if search!.current == nil { returnToOrigin() }
    showMatch()
  }

  private mutating func step(by step: Int) {
    let count = search!.matches.count
    guard count > 0 else { return }
    search!.current = ((search!.current ?? -step) + step + count) % count
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
    guard let current = search?.current else { return }
    let line = line(of: search!.matches[current])
    let height = layout.transcript.height
    let top = transcript.top(scroll, height: height)
    // The lowest line may be under the mark that says that there is more.
    if line >= top && line < top + height - 1 { return }
    scrollBy(line - height / 3 - top)
  }
}

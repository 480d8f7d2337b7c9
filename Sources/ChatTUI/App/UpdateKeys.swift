import ChatEngine

/// Keys and the mouse.
extension AppState {
  mutating func press(_ key: KeyPress) -> [Effect] {
    let intent = Keymap.standard.intent(for: key)
    if intent != .interrupt { quitArmed = false }
    if quitting == nil { hint = nil }
    if help != nil, let effects = pressInHelp(intent, key) { return effects }
    if search != nil, let effects = pressInSearch(intent, key) { return effects }
    if picker != nil { return pressInPicker(intent, key) }
    if let effects = pressInChoice(key) { return effects }
    if let intent { return perform(intent) }
    if case .character(let character) = key.key, key.modifiers.isEmpty { editor.insert(String(character)) }
    return []
  }

  private mutating func perform(_ intent: Intent) -> [Effect] {
    if editor.apply(intent) { return [] }
    switch intent {
    case .send: return send()
    case .newline: editor.insert("\n")
    case .complete:
      if let line = Command.complete(editor.text) {
        editor.replace(with: line)
      } else if PathCompletion.applies(to: editor.text) {
        return [.completePath(line: editor.text)]
      }
    case .smaller: choose(stop - 1)
    case .larger: choose(stop + 1)
    case .smallest: choose(0)
    case .largest: choose(stops.count - 1)
    case .stopReply:
      if activeReply != nil { return stopReply() }
      if editing != nil { leaveEditing() }
      scrollToEnd()
    case .interrupt: return interrupt()
    case .endOfInput:
      if editor.isEmpty { return quit(status: 0) }
      editor.deleteForward()
    case .suspend: return [.suspend(wholeGroup: true)]
    case .redraw: return [.redraw]
    case .help: help = help == nil ? 0 : nil
    case .pageUp: scrollBy(-max(1, layout.transcript.height - 2))
    case .pageDown: scrollBy(max(1, layout.transcript.height - 2))
    case .top: scrollBy(-transcript.total)
    case .bottom: scrollToEnd()
    case .up: editor.moveUp()
    case .down: editor.moveDown()
    case .search: openSearch("")
    case .copyReply: return copy(.reply)
    case .copyCode: return copy(.code(1))
    case .editDraft: return [.editDraft(editor.text)]
    case .compare: return compareAtOnce()
    case .collapseTraining: collapseTraining()
    case .toggleTraining:
      switch training.phase {
      case .running, .preparing: return [.pauseTraining]
      case .paused: return [.resumeTraining]
      default: say("no training is running: /train FILE starts one")
      }
    default: break
    }
    return []
  }

  private mutating func interrupt() -> [Effect] {
    if quitArmed { return quit(status: 0) }
    if activeReply != nil && !isStopping { return stopReply() }
    if !editor.isEmpty {
      editing = nil
      editor.putAside()
      say("put aside: ↑ brings it back")
      return []
    }
    quitArmed = true
    say("Ctrl-C again to leave")
    return []
  }

  /// `nil`: the key closes help and then means what it always means.
  private mutating func pressInHelp(_ intent: Intent?, _ key: KeyPress) -> [Effect]? {
    let lines = HelpView.lines(glyphs: glyphs, width: HelpView.frame(in: self).width - 4).count
    let page = max(1, HelpView.frame(in: self).height - 2)
    let last = max(0, lines - page)
    switch intent {
    case .pageUp: help = max(0, help! - page)
    case .pageDown: help = min(last, help! + page)
    case .up: help = max(0, help! - 1)
    case .down: help = min(last, help! + 1)
    case .top, .lineStart: help = 0
    case .bottom, .lineEnd: help = last
    case .help, .stopReply, .send: help = nil
    default:
      if key == KeyPress(.character("q")) {
        help = nil
        return []
      }
      help = nil
      return nil
    }
    return []
  }

  // MARK: Scrolling

  mutating func scrollToEnd() {
    scroll = .end
    hasNews = false
  }

  mutating func scrollBy(_ lines: Int) {
    let height = layout.transcript.height
    let last = max(0, transcript.total - height)
    let top = transcript.top(scroll, height: height) + lines
    if top >= last {
      scrollToEnd()
    } else {
      scroll = transcript.anchor(line: max(0, top))
    }
  }

  // MARK: The mouse

  mutating func mouse(_ event: MouseEvent) -> [Effect] {
    let layout = self.layout
    switch event.kind {
    case .wheelUp, .wheelDown:
      let step = event.kind == .wheelUp ? -3 : 3
      if let line = help {
        let frame = HelpView.frame(in: self)
        let count = HelpView.lines(glyphs: glyphs, width: frame.width - 4).count
        help = min(max(0, count - frame.height + 2), max(0, line + step))
      } else if picker != nil {
        picker?.move(by: step)
      } else {
        scrollBy(step)
      }
    case .press:
      if help != nil {
        help = nil
      } else if picker != nil {
        picker = nil
      } else if layout.slider.contains(x: event.x, y: event.y) && event.y == layout.sliderTrackY {
        isDragging = true
        drag(to: event.x)
      } else if scroll != .end && event.y == layout.transcript.maxY - 1
        && layout.transcript.contains(x: event.x, y: event.y)
      {
        scrollToEnd()
      }
    case .move: if isDragging { drag(to: event.x) }
    case .release: isDragging = false
    }
    return []
  }

  private mutating func drag(to x: Int) {
    let columns = SliderView.columns(self)
    guard let nearest = columns.indices.min(by: { abs(columns[$0] - x) < abs(columns[$1] - x) }) else { return }
    choose(nearest)
  }
}

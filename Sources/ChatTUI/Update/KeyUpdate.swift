import ChatEngine

/// Keys and the mouse.
extension AppState {
  mutating func press(_ key: KeyPress) -> [Effect] {
    let intent = Keymap.standard.intent(for: key)
    if leaving == .armed && intent != .interrupt { leaving = .no }
    if leaving.status == nil { hint = nil }
    if let effects = pressInOverlay(intent, key) ?? pressInChoice(key) { return effects }
    if let intent { return perform(intent) }
    if case .character(let character) = key.key, key.modifiers.isEmpty { editor.insert(String(character)) }
    return []
  }

  private mutating func perform(_ intent: Intent) -> [Effect] {
    if editor.apply(intent) { return [] }
    switch intent {
    case .send: return enter()
    case .newline: editor.insert("\n")
    case .complete: return complete()
    case .up: editor.moveUp()
    case .down: editor.moveDown()
    case .editDraft: return [.editDraft(editor.text)]
    case .smaller: choose(slider.stop - 1)
    case .larger: choose(slider.stop + 1)
    case .smallest: choose(0)
    case .largest: choose(stops.count - 1)
    case .mixLess: return moveMix(by: -Mixer.stride)
    case .mixMore: return moveMix(by: Mixer.stride)
    case .cancelReply: return escape()
    case .interrupt: return interrupt()
    case .endOfInput: return endOfInput()
    case .suspend: return [.suspend(wholeGroup: true)]
    case .redraw: return [.redraw]
    case .help: overlay = .help(firstLine: 0)
    case .search: openSearch("")
    case .pageUp: scrollBy(-max(1, layout.transcript.height - 2))
    case .pageDown: scrollBy(max(1, layout.transcript.height - 2))
    case .top: scrollBy(-transcript.total)
    case .bottom: scrollToEnd()
    case .copyReply: return copy(.reply)
    case .copyCode: return copy(.code(1))
    case .compare: return compareAtOnce()
    case .toggleTraining: return toggleTraining()
    case .collapseTraining: collapseTraining()
    case .left, .right, .wordLeft, .wordRight, .lineStart, .lineEnd, .deleteBackward, .deleteForward,
      .deleteBackwardToSpace, .deleteWordBackward, .deleteWordForward, .deleteToLineStart, .deleteToLineEnd,
      .transpose, .putBack:
      // The editor's.
      break
    }
    return []
  }

  private mutating func escape() -> [Effect] {
    if activity != .idle { return cancelReply() }
    if attachments.question != nil {
      attachments.question = nil
      say("left out")
      return []
    }
    if editing != nil { leaveEditing() }
    scrollToEnd()
    return []
  }

  // MARK: Leaving

  private mutating func interrupt() -> [Effect] {
    if leaving != .no { return quit(status: 0) }
    if activity != .idle && !isCancelling { return cancelReply() }
    if !editor.isEmpty {
      editing = nil
      editor.putAside()
      say("put aside: ↑ brings it back")
      return []
    }
    leaving = .armed
    say("Ctrl-C again to leave")
    return []
  }

  private mutating func endOfInput() -> [Effect] {
    if editor.isEmpty { return quit(status: 0) }
    editor.deleteForward()
    return []
  }

  mutating func quit(status: Int32) -> [Effect] {
    recordLeaving()
    if leaving.status != nil || !isTraining { return [.quit(status: status)] }
    leaving = .puttingTrainingAway(status: status)
    say("keeping what was learned… again to leave at once", isWarning: true)
    return [.putTrainingAway]
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
    switch event.kind {
    case .wheelUp, .wheelDown:
      let step = event.kind == .wheelUp ? -3 : 3
      if !wheelInOverlay(by: step) { scrollBy(step) }
    case .press: if !clickInOverlay() { return click(event) }
    case .move:
      if slider.isDragging { drag(to: event.x) }
      if mixer.isDragging { return dragMix(to: event.x) }
    case .release: (slider.isDragging, mixer.isDragging) = (false, false)
    }
    return []
  }

  private mutating func click(_ event: MouseEvent) -> [Effect] {
    let layout = self.layout
    if layout.mixer.contains(x: event.x, y: event.y) {
      mixer.isDragging = true
      return dragMix(to: event.x)
    }
    if layout.slider.contains(x: event.x, y: event.y) && event.y == layout.sliderTrackY {
      slider.isDragging = true
      drag(to: event.x)
    } else if scroll != .end && event.y == layout.transcript.maxY - 1
      && layout.transcript.contains(x: event.x, y: event.y)
    {
      scrollToEnd()
    }
    return []
  }
}

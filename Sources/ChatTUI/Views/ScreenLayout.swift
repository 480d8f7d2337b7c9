import ChatEngine

/// Where everything stands for a size of the screen. Panes that have no room are empty.
package struct ScreenLayout: Sendable, Equatable {
  package static let minimumWidth = 30
  package static let minimumHeight = 10
  /// From here on there is room for the panes.
  package static let paneWidth = 76
  package static let paneHeight = 18

  package var isTooSmall = false
  package var title = Rect.empty
  package var transcript = Rect.empty
  /// The line between the chat and the panes.
  package var divider = Rect.empty
  package var frontier = Rect.empty
  package var training = Rect.empty
  /// Training in one line, where there is no pane for it.
  package var trainingLine = Rect.empty
  package var slider = Rect.empty
  /// The second slider, where adapters are mixed.
  package var mixer = Rect.empty
  package var composer = Rect.empty
  package var status = Rect.empty

  /// The row of the slider's track: the second of three, or the first of two.
  package var sliderTrackY: Int { slider.y + (slider.height == 3 ? 1 : 0) }
  /// Columns for the text in the composer: a prompt of two stands before it, and the cursor may stand after it.
  package static func composerTextWidth(of width: Int) -> Int { max(1, width - 4) }

  package static func hasRoomForPanes(width: Int, height: Int) -> Bool { width >= paneWidth && height >= paneHeight }

  package init(_ state: AppState) {
    let width = state.width
    let height = state.height
    guard width >= Self.minimumWidth, height >= Self.minimumHeight else {
      isTooSmall = true
      return
    }
    composer.width = width
    // A line above, and at most a third of the screen in all.
    let lines = state.search == nil ? state.editor.lines.count : 1
    let composerHeight = 1 + min(lines, max(1, height / 3 - 1))
    let sliderHeight = height >= 18 ? 3 : 2
    let hasPanes = Self.hasRoomForPanes(width: width, height: height)
    let hasTrainingPane = hasPanes && !state.isTrainingCollapsed && state.summary?.learns != false
    let lineHeight = !hasTrainingPane && state.training.phase != .idle ? 1 : 0
    let mixerHeight = state.mixer.ends == nil ? 0 : 1
    let main = height - 2 - composerHeight - sliderHeight - mixerHeight - lineHeight

    title = Rect(x: 0, y: 0, width: width, height: 1)
    var chatWidth = width
    if hasPanes {
      let paneWidth = min(56, max(28, width * 35 / 100))
      chatWidth = width - paneWidth - 1
      divider = Rect(x: chatWidth, y: 1, width: 1, height: main)
      let frontierHeight = hasTrainingPane ? main * 45 / 100 : main
      frontier = Rect(x: chatWidth + 1, y: 1, width: paneWidth, height: frontierHeight)
      training = Rect(x: chatWidth + 1, y: 1 + frontierHeight, width: paneWidth, height: main - frontierHeight)
    }
    transcript = Rect(x: 0, y: 1, width: chatWidth, height: main)
    trainingLine = Rect(x: 0, y: 1 + main, width: width, height: lineHeight)
    slider = Rect(x: 0, y: 1 + main + lineHeight, width: width, height: sliderHeight)
    mixer = Rect(x: 0, y: slider.maxY, width: width, height: mixerHeight)
    composer = Rect(x: 0, y: mixer.maxY, width: width, height: composerHeight)
    status = Rect(x: 0, y: height - 1, width: width, height: 1)
  }
}

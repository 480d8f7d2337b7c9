import ChatEngine

/// What the training pane does by itself.
extension AppState {
  mutating func collapseTraining() {
    if ScreenLayout.hasRoomForPanes(width: width, height: height) {
      isTrainingCollapsed.toggle()
    } else {
      say("the training pane needs a window of \(ScreenLayout.paneWidth)x\(ScreenLayout.paneHeight)")
    }
  }

  mutating func show(_ lessons: [LessonFile]) {
    pendingAnswers -= 1
    if lessons.isEmpty {
      notice("No lessons come with this family: /train FILE takes JSON Lines with questions and answers.")
      return
    }
    notice(
      "Lessons that come with the family:\n"
        + lessons.map { "  \($0.name) · \($0.file)" }.joined(separator: "\n")
        + "\n/train NAME teaches one, /train FILE any other data (Tab completes).")
  }
}

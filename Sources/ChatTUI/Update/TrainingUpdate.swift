import ChatEngine

/// Training: asked for, as the engine tells of it, and its pane.
extension AppState {
  // MARK: Commands

  /// `/train`, and `/distill`, where the largest size teaches the others.
  mutating func train(file: String, steps: Int?, distills: Bool) -> [Effect] {
    guard let summary else {
      say("training starts once the family is loaded; try again then", isWarning: true)
      return []
    }
    if isTraining {
      say("training is running: /stop ends it first", isWarning: true)
      return []
    }
    if case .silent = trainingState {
      trainingRefused(Self.silence)
      return []
    }
    let dearest = summary.stops.map(\.flopsPerToken).max() ?? 0
    let steps = steps ?? defaultTrainingSteps ?? LessonSettings.steps(flopsPerToken: dearest)
    trainingState = .asked(file: file, steps: steps)
    recordTraining(before: .idle)
    notice(
      distills
        ? "The largest size teaches the others on \(file) for \(steps) steps. Chat goes on meanwhile."
        : "Adapting all sizes to \(file) for \(steps) steps. Chat goes on meanwhile.")
    return [.startTraining(file: file, steps: steps, distills: distills)]
  }

  /// `/pause`, `/resume` and `/save`, which make sense in some phases.
  mutating func whileTraining(_ phases: Set<TrainingStatus.Phase>, _ effect: Effect) -> [Effect] {
    if phases.contains(training.phase) { return [effect] }
    say(isTraining ? "training is \(training.phase.rawValue)" : "no training is running: /train FILE starts one")
    return []
  }

  /// `/stop`.
  mutating func endTraining() -> [Effect] {
    // It may never begin.
    if case .asked = trainingState { training = trainingState.status }
    return whileTraining([.running, .paused, .preparing], .endTraining)
  }

  /// The key.
  mutating func toggleTraining() -> [Effect] {
    switch training.phase {
    case .running, .preparing: return [.pauseTraining]
    case .paused: return [.resumeTraining]
    default:
      say("no training is running: /train FILE starts one")
      return []
    }
  }

  mutating func collapseTraining() {
    if ScreenLayout.hasRoomForPanes(width: width, height: height) {
      isTrainingCollapsed.toggle()
    } else {
      say("the training pane needs a window of \(ScreenLayout.paneWidth)x\(ScreenLayout.paneHeight)")
    }
  }

  /// Asks for something that the answer to will say.
  mutating func askFor(_ effect: Effect) -> [Effect] {
    pendingAnswers += 1
    return [effect]
  }

  // MARK: What the engine tells

  mutating func trainingTold(_ status: TrainingStatus) -> [Effect] {
    if case .asked = trainingState, status.phase == .idle { return [] }
    let before = training
    training = status
    adapter = status.adapter ?? adapter
    closeMixer(unless: status.adapter)
    announce(before: before)
    recordTraining(before: before.phase)
    // A snapshot taken into use is said in the message.
    return before.phase != status.phase || before.message != status.message ? [.describe] : []
  }

  mutating func trainingRefused(_ message: String) {
    var status = training
    status.phase = .failed
    status.message = message
    if case .silent = trainingState { trainingState = .silent(status) } else { training = status }
    notice("Training did not start: \(message)", isWarning: true)
  }

  private static let silence = "the engine tells nothing more of training; start stitch anew to train"

  /// Nothing more will be heard of training, of one that runs neither.
  mutating func trainingFellSilent() {
    let before = training
    trainingState = .silent(before)
    guard isTraining else { return }
    var status = before
    status.phase = .failed
    status.message = Self.silence
    trainingState = .silent(status)
    announce(before: before)
    recordTraining(before: before.phase)
  }

  /// Marks in the transcript what changed in training, where it matters to the chat.
  private mutating func announce(before: TrainingStatus) {
    let message = training.message.isEmpty ? "" : ": \(training.message)"
    if training.phase == before.phase {
      // A snapshot was written and taken into use.
      if isTraining && training.message != before.message { notice("Training\(message)", isKept: true) }
      return
    }
    switch training.phase {
    case .finished: notice("Training finished after \(training.step) steps\(message)", isKept: true)
    case .failed: notice("Training failed\(message)", isWarning: true)
    // The phases in between may have been skipped.
    case .idle where [.running, .paused, .ending].contains(before.phase):
      notice("Training stopped after \(training.step) steps\(message)", isKept: true)
    default: break
    }
  }

  // MARK: Answers

  mutating func adapterUndone(_ message: String) -> [Effect] {
    pendingAnswers -= 1
    mixer = Mixer()
    notice("Undo: \(message)", isKept: true)
    return [.describe]
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

import ChatEngine
import ChatTUI
import Testing

/// A state with the scripted family loaded.
func readyState(width: Int = 80, height: Int = 24, glyphs: GlyphSet = .unicode) -> AppState {
  var state = AppState()
  state.glyphs = glyphs
  _ = update(&state, .resize(width: width, height: height))
  _ = update(&state, .loaded(ScriptedBackend.summary))
  return state
}

extension AppState {
  /// Applies actions and returns the effects of the last.
  @discardableResult
  mutating func apply(_ actions: Action...) -> [Effect] {
    var effects: [Effect] = []
    for action in actions { effects = update(&self, action) }
    return effects
  }

  @discardableResult
  mutating func type(_ text: String) -> [Effect] {
    for character in text { _ = update(&self, .key(KeyPress(.character(character)))) }
    return []
  }

  @discardableResult
  mutating func press(_ key: Key, _ modifiers: KeyPress.Modifiers = []) -> [Effect] {
    update(&self, .key(KeyPress(key, modifiers)))
  }

  /// A question and its whole answer.
  mutating func exchange(_ question: String, _ answer: String, finish: ReplyStamp.Finish = .stop) {
    type(question)
    press(.enter)
    let id = activeReply!
    let stitch = currentStop!.id
    apply(
      .reply(id: id, .started(stitch: stitch, adapterStep: 400)), .reply(id: id, .text(answer)),
      .reply(
        id: id,
        .finished(
          ReplyStamp(
            stitch: stitch, adapterStep: 400, tokens: 12, tokensPerSecond: 52.125, finish: finish, contextTokens: 61))
      ),
      .replyEnded(id: id))
  }

  /// The last notice of the transcript.
  var lastNotice: String? {
    for entry in conversation.entries.reversed() { if case .notice(let text, _) = entry.kind { return text } }
    return nil
  }

  func screen() -> [String] {
    var canvas = Canvas(width: width, height: height)
    view(self, &canvas)
    return canvas.dump()
  }
}

/// Compares a screen with a drawing of it, row by row.
func expectScreen(_ state: AppState, _ drawing: String, sourceLocation: SourceLocation = #_sourceLocation) {
  let rows = state.screen()
  let drawn = drawing.split(separator: "\n", omittingEmptySubsequences: false).map { line in
    var line = String(line)
    while line.last == " " { line.removeLast() }
    return line
  }
  #expect(rows.count == drawn.count, sourceLocation: sourceLocation)
  for (row, (is_, should)) in zip(rows, drawn).enumerated() where is_ != should {
    Issue.record("row \(row)\n   is: \(is_)\ndrawn: \(should)", sourceLocation: sourceLocation)
  }
}

/// A family in use: two sizes, a stopped reply, training half way.
func busyState(width: Int, height: Int, glyphs: GlyphSet = .unicode) -> AppState {
  var state = readyState(width: width, height: height, glyphs: glyphs)
  state.exchange("what is 12+7?", "12 + 7 = **19**.")
  state.press(.left, .alt)
  state.press(.left, .alt)
  state.exchange("and in Japanese?", "十二足す七は十九です。", finish: .cancelled)
  var training = TrainingStatus()
  training.phase = .running
  training.dataFile = "weights/lessons/facts.jsonl"
  training.totalSteps = 100
  for step in 1...50 { ScriptedBackend.advance(&training, to: step, of: 100) }
  state.apply(.training(training))
  return state
}

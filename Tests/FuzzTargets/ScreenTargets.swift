import ChatEngine
import ChatTUI

/// What a terminal sends, and what a model says, on the chat's screen.
extension FuzzTarget {
  static let screens = [
    FuzzTarget("keys") { bytes in
      var state = AppState.ready(width: 60, height: 20)
      var choices = Choices(bytes)
      var steps = 0
      while !choices.isOver && steps < 200 {
        for _ in update(&state, action(&choices)) {}
        steps += 1
        // Drawing is slow beside a key.
        if steps % 4 == 0 { checkScreen(state) }
      }
      checkScreen(state)
    },
    FuzzTarget("markdown") { bytes in
      let width = 1 + Int(bytes.first ?? 79) % 120
      var state = AppState.ready(width: width, height: 24)
      let reply = text(bytes.dropFirst(2))
      state.ask("q")
      // In pieces, as a model says it.
      let size = 1 + Int(bytes.dropFirst().first ?? 0) % 40
      var rest = reply[...]
      var pieces = 0
      while !rest.isEmpty {
        let piece = rest.prefix(size)
        rest = rest.dropFirst(size)
        state.hear(String(piece))
        pieces += 1
        if pieces <= 20 { checkScreen(state) }
      }
      state.endReply()
      checkScreen(state)
      let streamed = state.drawn
      var whole = AppState.ready(width: width, height: 24)
      whole.ask("q")
      whole.hear(reply)
      whole.endReply()
      expect(streamed == whole.drawn, "the same lines however the text came: \(streamed) and \(whole.drawn)")
    },
    FuzzTarget("paste") { bytes in
      var state = AppState.ready(width: 50, height: 16)
      _ = update(&state, .paste(text(bytes)))
      checkScreen(state)
      _ = update(&state, .key(KeyPress(.enter)))
      checkScreen(state)
    },
    // Lines as they are typed, in a chat where something was said.
    FuzzTarget("commands") { bytes in
      var state = AppState.ready(width: 100, height: 30)
      state.ask("q")
      state.hear("one\n```\ntwo\n```\n")
      state.endReply()
      for line in bytes.split(separator: 0x0A).prefix(24) {
        _ = update(&state, .submit(text(line)))
        state.finishReplies()
      }
      checkScreen(state)
    },
  ]

  /// One event of a terminal, of any kind.
  private static func action(_ choices: inout Choices) -> Action {
    let kind = choices.number(below: 16)
    let modifiers = KeyPress.Modifiers(rawValue: choices.number(below: 8))
    let keys: [Key] = [
      .enter, .tab, .backTab, .escape, .backspace, .delete, .insert, .left, .right, .up, .down, .home, .end, .pageUp,
      .pageDown,
    ]
    switch kind {
    case 0..<5: return .key(KeyPress(choices.pick(keys), choices.seldom() ? modifiers : []))
    case 5: return .key(.control(Character(UnicodeScalar(97 + choices.byte() % 26))))
    case 6: return .key(KeyPress(.function(choices.number(below: 64))))
    case 7:
      let scalar = UnicodeScalar(UInt32(choices.number(below: 65536)) << (choices.seldom() ? 4 : 0))
      return .key(KeyPress(.character(Character(scalar ?? "\u{FFFD}")), choices.seldom() ? modifiers : []))
    case 8: return .paste(text(choices.bytes(choices.number(below: 40))))
    case 9:
      let kinds: [MouseEvent.Kind] = [.press, .release, .move, .wheelUp, .wheelDown]
      return .mouse(
        MouseEvent(choices.pick(kinds), x: choices.number(below: 130) - 5, y: choices.number(below: 50) - 5))
    case 10: return .resize(width: choices.number(below: 120), height: choices.number(below: 50))
    case 11: return .submit("/" + text(choices.bytes(choices.number(below: 24))))
    default: return .key(KeyPress(.character(Character(UnicodeScalar(32 + choices.byte() % 95)))))
    }
  }
}

/// Nothing on the screen acts on a terminal or reorders its text, and every row fits.
func checkScreen(_ state: AppState) {
  for row in state.drawn {
    expect(
      row.unicodeScalars.allSatisfy {
        switch $0.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069, 0xFFF9...0xFFFB, 0xE0000...0xE0FFF: false
        default: true
        }
      }, "a harmless row, not \(row.debugDescription)")
  }
}

extension AppState {
  /// With a family of three sizes loaded.
  static func ready(width: Int, height: Int) -> AppState {
    var state = AppState()
    _ = update(&state, .resize(width: width, height: height))
    let stops = (0..<3).map { index in
      Stop(
        id: ["small", "small-large@1", "large"][index], route: "small[0..<4]", parameters: 400_000 * (index + 1),
        flopsPerToken: 1e6 * Double(index + 1), weightBytes: 1 << 20)
    }
    _ = update(
      &state, .loaded(FamilySummary(name: "fuzz", stops: stops, contextLength: 512, adapterStep: 4, measuredStep: 4)))
    return state
  }

  fileprivate mutating func ask(_ question: String) {
    _ = update(&self, .submit(question))
    guard let id = activeReply else { return expect(false, "a reply that runs") }
    _ = update(&self, .reply(id: id, .started(stitch: "large", adapterStep: 4)))
  }

  mutating func hear(_ text: String) {
    if let id = activeReply { _ = update(&self, .reply(id: id, .text(text))) }
  }

  mutating func endReply() {
    guard let id = activeReply else { return }
    let stamp = ReplyStamp(
      stitch: "large", adapterStep: 4, tokens: 12, tokensPerSecond: 52, finish: .stop, contextTokens: 61)
    _ = update(&self, .reply(id: id, .finished(stamp)))
    _ = update(&self, .replyEnded(id: id))
  }

  /// Whatever is made ends at once: a reply, or all of a comparison.
  mutating func finishReplies() {
    for _ in 0..<4 where activeReply != nil {
      hear("text")
      endReply()
    }
  }

  /// The screen, row by row.
  var drawn: [String] {
    var canvas = Canvas(width: width, height: height)
    view(self, &canvas)
    return canvas.dump()
  }
}

/// What a key can mean.
package enum Intent: String, Sendable, CaseIterable {
  case send, newline, complete
  case smaller, larger, smallest, largest, mixLess, mixMore
  case cancelReply, interrupt, endOfInput, suspend, redraw
  case help
  case pageUp, pageDown, top, bottom
  case left, right, wordLeft, wordRight, lineStart, lineEnd, up, down
  case deleteBackward, deleteForward, deleteBackwardToSpace, deleteWordBackward, deleteWordForward
  case deleteToLineStart, deleteToLineEnd, transpose, putBack
  case search, copyReply, copyCode, editDraft
  case compare, toggleTraining, collapseTraining
}

/// Which keys mean what, and how help says so: the one place for both.
package struct Keymap: Sendable {
  package struct Binding: Sendable {
    package var intent: Intent
    package var keys: [KeyPress]
    package var help: String
  }

  package var groups: [(title: String, bindings: [Binding])]
  private var intents: [KeyPress: Intent] = [:]

  package init(groups: [(title: String, bindings: [Binding])]) {
    self.groups = groups
    for binding in groups.flatMap(\.bindings) {
      for key in binding.keys { intents[key] = binding.intent }
    }
  }

  package func intent(for key: KeyPress) -> Intent? { intents[key] }

  /// The name of the first key of an intent.
  package func name(of intent: Intent, ascii: Bool = false) -> String {
    groups.flatMap(\.bindings).first { $0.intent == intent }?.keys.first?.name(ascii: ascii) ?? ""
  }

  private static func bind(_ intent: Intent, _ help: String, _ keys: KeyPress...) -> Binding {
    Binding(intent: intent, keys: keys, help: help)
  }

  package static let standard = Keymap(groups: [
    (
      "Size",
      [
        // Some terminals send Esc B and Esc F for Alt and an arrow.
        bind(
          .smaller, "smaller network, from the next reply on", KeyPress(.left, .alt), .alt("b"),
          KeyPress(.function(7))),
        bind(.larger, "larger network", KeyPress(.right, .alt), .alt("f"), KeyPress(.function(8))),
        bind(.smallest, "smallest", KeyPress(.home, .alt)),
        bind(.largest, "largest", KeyPress(.end, .alt)),
        bind(.mixMore, "more of the right adapter, from the next reply on (/adapters)", KeyPress(.up, .alt), .alt("+")),
        bind(.mixLess, "less of it", KeyPress(.down, .alt), .alt("-")),
      ]
    ),
    (
      "Chat",
      [
        bind(.send, "send", KeyPress(.enter)),
        bind(.newline, "new line", .control("j"), KeyPress(.enter, .alt)),
        bind(.cancelReply, "stop the reply and keep its text; back to the end", KeyPress(.escape)),
        bind(.up, "line above, or what was sent before", KeyPress(.up), .control("p")),
        bind(.down, "line below, or what was sent after", KeyPress(.down), .control("n")),
        bind(.complete, "complete a command", KeyPress(.tab)),
        bind(.editDraft, "write the message in $VISUAL or $EDITOR", .control("g")),
        bind(.copyReply, "copy the last reply", .alt("c")),
        bind(.copyCode, "copy its last block of code", .alt("k")),
        bind(.compare, "the last question, or what is written, at three sizes", KeyPress(.function(6))),
        bind(.toggleTraining, "pause or resume training", KeyPress(.function(9))),
        bind(.collapseTraining, "training as a pane or as one line", .alt("t")),
      ]
    ),
    (
      "View",
      [
        bind(.pageUp, "scroll up", KeyPress(.pageUp), KeyPress(.up, .shift)),
        bind(.pageDown, "scroll down", KeyPress(.pageDown), KeyPress(.down, .shift)),
        bind(.top, "to the beginning", KeyPress(.home, .control), KeyPress(.pageUp, .control)),
        bind(.bottom, "to the end", KeyPress(.end, .control), KeyPress(.pageDown, .control)),
        bind(.search, "search the conversation", .control("f")),
        bind(.help, "this help", KeyPress(.function(1))),
        bind(.redraw, "draw the screen anew", .control("l")),
      ]
    ),
    (
      "Editing",
      [
        bind(.left, "left", KeyPress(.left), .control("b")),
        bind(.right, "right", KeyPress(.right)),
        bind(.wordLeft, "a word left", KeyPress(.left, .control)),
        bind(.wordRight, "a word right", KeyPress(.right, .control)),
        bind(.lineStart, "start of the line", KeyPress(.home), .control("a")),
        bind(.lineEnd, "end of the line", KeyPress(.end), .control("e")),
        bind(.deleteBackward, "delete before the cursor", KeyPress(.backspace)),
        bind(.deleteForward, "delete after the cursor", KeyPress(.delete)),
        bind(.deleteBackwardToSpace, "delete to the space before", .control("w")),
        bind(.deleteWordBackward, "delete the word before", KeyPress(.backspace, .alt)),
        bind(.deleteWordForward, "delete the word after", .alt("d"), KeyPress(.delete, .control)),
        bind(.deleteToLineStart, "delete to the start of the line", .control("u")),
        bind(.deleteToLineEnd, "delete to the end of the line", .control("k")),
        bind(.transpose, "swap the characters around the cursor", .control("t")),
        bind(.putBack, "put back what was deleted", .control("y")),
      ]
    ),
    (
      "Leaving",
      [
        bind(.interrupt, "stop the reply, put the draft aside, twice: quit", .control("c")),
        bind(.endOfInput, "quit, if nothing is written", .control("d")),
        bind(.suspend, "to the shell (fg comes back)", .control("z")),
      ]
    ),
  ])
}

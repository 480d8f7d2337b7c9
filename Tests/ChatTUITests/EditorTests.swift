import ChatTUI
import Testing

@Suite struct EditorTests {
  /// Wrapping only around a change gives what wrapping all of it gives.
  @Test func linesFollowEveryChange() {
    var generator = SystemRandomNumberGenerator()
    let pieces = [
      "a", " ", "\n", "word ", "漢字", "averyveryverylongword", "   ", "x\ny", "e\u{301}", "\u{301}", "😀",
      "one two three four five",
    ]
    for width in [1, 2, 5, 9, 20] {
      var editor = Editor()
      editor.setWidth(width)
      var script: [String] = []
      for _ in 0..<400 {
        let step = Int.random(in: 0..<9, using: &generator)
        let piece = pieces.randomElement(using: &generator)!
        switch step {
        case 0...3: editor.insert(piece)
        case 4: editor.deleteBackward()
        case 5: editor.deleteWordBackward()
        case 6: for _ in 0..<Int.random(in: 1...12, using: &generator) { editor.moveLeft() }
        case 7: for _ in 0..<Int.random(in: 1...12, using: &generator) { editor.moveRight() }
        default: Bool.random(using: &generator) ? editor.deleteToLineEnd() : editor.moveUp()
        }
        script.append("\(step) \(piece)")
        guard editor.lines == Wrap.ranges(editor.characters, width: width) else {
          Issue.record("width \(width), after \(script.suffix(8)): \(editor.text)")
          return
        }
      }
    }
  }

  /// What made a word move may stand two lines on.
  @Test func aWideCharacterThatGoesLetsAWordGoBack() {
    var editor = Editor()
    editor.setWidth(5)
    editor.insert(" abcd漢")
    #expect(editor.lines == [0..<1, 1..<5, 5..<6])
    editor.deleteBackward()
    #expect(editor.lines == [0..<5])
  }

  @Test func killsInARowComeBackTogether() {
    var state = readyState()
    state.type("one two/three four")
    state.apply(.key(.control("w")))
    #expect(state.editor.text == "one two/three ")
    state.apply(.key(.control("w")))
    #expect(state.editor.text == "one ")
    state.apply(.key(.control("y")))
    #expect(state.editor.text == "one two/three four")
    state.press(.backspace, .alt)
    state.press(.left)
    state.press(.backspace, .alt)
    #expect(state.editor.text == "one two/ ")
    state.apply(.key(.control("a")), .key(.alt("d")), .key(.control("k")), .key(.control("y")))
    #expect(state.editor.text == "one two/ ")
  }

  @Test func readlineKeys() {
    var state = readyState()
    state.type("ab")
    state.apply(.key(.control("t")))
    #expect(state.editor.text == "ba")
    state.apply(.key(.control("a")), .key(.control("t")))
    #expect(state.editor.text == "ba")
    state.type(" x")
    state.press(.right, .control)
    #expect(state.editor.cursor == 4)
    state.apply(.key(.control("b")), .key(.control("u")))
    #expect(state.editor.text == "a")
    state.apply(.key(.control("d")))
    #expect(state.editor.isEmpty)
  }

  @Test func growsToAThirdOfTheScreen() {
    var state = readyState(width: 80, height: 30)
    for _ in 0..<50 { state.apply(.key(.control("j"))) }
    #expect(state.layout.composer.height == 10)
    #expect(state.screen().contains { $0.contains("more above") })
  }

  /// A megabyte: what a key then costs does not grow with it.
  @Test func aHugePasteIsWrappedOnce() {
    var state = readyState()
    let line = "many words in a line of a large text, pasted "
    state.apply(.paste(String(repeating: line, count: 1_000_000 / line.count)))
    #expect(state.editor.characters.count > 990_000)
    for _ in 0..<200 {
      state.type("x")
      state.press(.left)
      _ = state.screen()
    }
    #expect(state.editor.lines == Wrap.ranges(state.editor.characters, width: 76))
  }
}

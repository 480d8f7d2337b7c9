/// The text being written, by grapheme, with a cursor and a history of what was sent.
package struct Editor: Sendable, Equatable {
  package private(set) var characters: [Character] = []
  /// The lines as they are wrapped, after `Wrap.ranges`; kept up to date with every change.
  package private(set) var lines = [0..<0]
  private var width = Int.max / 2
  /// 0 … `characters.count`.
  package private(set) var cursor = 0
  /// What deletions of more than a character took, for putting it back: those that follow each other, together.
  private var killed = ""
  private var killsFollow = false
  /// Grows with every change.
  private(set) var revision = 0

  package var history: [String] = []
  /// Where in the history we are, and the draft that was left for it.
  private var historyIndex: Int?
  private var draft = ""

  package init() {}

  package var text: String { String(characters) }
  package var isEmpty: Bool { characters.isEmpty }

  // MARK: Changing

  /// The one place where the text changes. Only lines around the change are wrapped anew.
  private mutating func change(_ range: Range<Int>, to new: [Character]) {
    revision += 1
    characters.replaceSubrange(range, with: new)
    let shift = new.count - range.count
    let changedEnd = range.lowerBound + new.count
    // A word at the start of a line may fit the line before it now. Where it was the wide character behind it that did
    // not fit, and that one did not fit the word's own line either, the change is two lines on.
    let first = max(0, row(of: range.lowerBound) - 2)
    var old = first
    var fresh: [Range<Int>] = []
    var start: Int? = lines[first].lowerBound
    while let from = start {
      // From a place after the change where a line began before, everything is as it was.
      if from >= changedEnd {
        while old < lines.count && lines[old].lowerBound < from - shift { old += 1 }
        if old < lines.count && lines[old].lowerBound == from - shift { break }
      }
      let line = Wrap.line(characters, from: from, width: width)
      fresh.append(line.range)
      start = line.next
    }
    if start != nil {
      fresh += lines[old...].map { ($0.lowerBound + shift)..<($0.upperBound + shift) }
    }
    lines.replaceSubrange(first..., with: fresh)
    killsFollow = false
  }

  /// Sets the columns that a line may have.
  package mutating func setWidth(_ width: Int) {
    if width == self.width { return }
    self.width = width
    lines = Wrap.ranges(characters, width: width)
  }

  package mutating func insert(_ text: String) {
    // A combining character joins the grapheme before it.
    let before = cursor > 0 ? String(characters[cursor - 1]) : ""
    let joined = Array(before + text)
    let start = cursor - (before.isEmpty ? 0 : 1)
    change(start..<cursor, to: joined)
    cursor = start + joined.count
  }

  package mutating func replace(with text: String) {
    change(0..<characters.count, to: Array(text))
    cursor = characters.count
  }

  /// What stands before the cursor.
  var textBeforeCursor: String { String(characters[..<cursor]) }

  mutating func replaceBeforeCursor(with text: String) {
    let new = Array(text)
    change(0..<cursor, to: new)
    cursor = new.count
  }

  package mutating func deleteBackward() {
    guard cursor > 0 else { return }
    cursor -= 1
    change(cursor..<(cursor + 1), to: [])
  }

  package mutating func deleteForward() {
    if cursor < characters.count { change(cursor..<(cursor + 1), to: []) }
  }

  /// To the white space before.
  package mutating func deleteBackwardToSpace() {
    var index = cursor
    while index > 0 && characters[index - 1].isWhitespace { index -= 1 }
    while index > 0 && !characters[index - 1].isWhitespace { index -= 1 }
    kill(index..<cursor)
  }
  package mutating func deleteWordBackward() { kill(wordLeft..<cursor) }
  package mutating func deleteWordForward() { kill(cursor..<wordRight) }
  package mutating func deleteToLineStart() { kill(lineStart..<cursor) }
  package mutating func deleteToLineEnd() {
    // At a line's end its line break goes.
    kill(cursor..<(lineEnd == cursor ? min(cursor + 1, characters.count) : lineEnd))
  }
  package mutating func putBack() { insert(killed) }

  /// Swaps the characters around the cursor, at the end of a line those before it.
  package mutating func transpose() {
    let end = cursor == lineEnd ? cursor : cursor + 1
    guard end - lineStart >= 2 else { return }
    change((end - 2)..<end, to: [characters[end - 1], characters[end - 2]])
    cursor = end
  }

  private mutating func kill(_ range: Range<Int>) {
    if range.isEmpty { return }
    let taken = String(characters[range])
    killed = !killsFollow ? taken : range.upperBound == cursor ? taken + killed : killed + taken
    change(range, to: [])
    cursor = range.lowerBound
    killsFollow = true
  }

  // MARK: Moving

  package mutating func moveLeft() { move(to: cursor - 1) }
  package mutating func moveRight() { move(to: cursor + 1) }
  package mutating func moveWordLeft() { move(to: wordLeft) }
  package mutating func moveWordRight() { move(to: wordRight) }
  package mutating func moveToLineStart() { move(to: lineStart) }
  package mutating func moveToLineEnd() { move(to: lineEnd) }

  private mutating func move(to index: Int) {
    cursor = min(max(0, index), characters.count)
    killsFollow = false
  }

  /// Up: to the line above, or to what was sent before.
  package mutating func moveUp() {
    if !moveVertically(by: -1) { olderInHistory() }
  }
  package mutating func moveDown() {
    if !moveVertically(by: 1) { newerInHistory() }
  }

  private mutating func moveVertically(by step: Int) -> Bool {
    let (row, column) = position
    guard lines.indices.contains(row + step) else { return false }
    let line = lines[row + step]
    var index = line.lowerBound
    var x = 0
    while index < line.upperBound && x + Glyphs.width(of: characters[index]) <= column {
      x += Glyphs.width(of: characters[index])
      index += 1
    }
    // The end of a wrapped line is the start of the next one: stay on this one.
    if index == line.upperBound && row + step + 1 < lines.count && lines[row + step + 1].lowerBound == index
      && index > line.lowerBound
    {
      index -= 1
    }
    move(to: index)
    return true
  }

  /// The cursor's row among wrapped lines, and its column.
  package var position: (row: Int, column: Int) {
    let row = row(of: cursor)
    return (row, Glyphs.width(of: String(characters[lines[row].lowerBound..<cursor])))
  }

  /// The line of a place, by halving.
  private func row(of index: Int) -> Int {
    var low = 0
    var high = lines.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lines[middle].lowerBound <= index { low = middle } else { high = middle }
    }
    return low
  }

  private var lineStart: Int { (characters[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
  private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }
  private var wordLeft: Int {
    var index = cursor
    while index > 0 && !Self.isWord(characters[index - 1]) { index -= 1 }
    while index > 0 && Self.isWord(characters[index - 1]) { index -= 1 }
    return index
  }
  private var wordRight: Int {
    var index = cursor
    while index < characters.count && !Self.isWord(characters[index]) { index += 1 }
    while index < characters.count && Self.isWord(characters[index]) { index += 1 }
    return index
  }
  private static func isWord(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_"
  }

  // MARK: History

  /// Takes the text out, to send it.
  package mutating func take() -> String {
    let text = self.text
    putAside()
    return text
  }

  /// Empties the composer; what stood there is the newest entry of the history.
  package mutating func putAside() {
    let text = self.text
    if !text.isEmpty && history.last != text { history.append(text) }
    replace(with: "")
    historyIndex = nil
    draft = ""
  }

  private mutating func olderInHistory() {
    let index = (historyIndex ?? history.count) - 1
    guard index >= 0 else { return }
    if historyIndex == nil { draft = text }
    historyIndex = index
    replace(with: history[index])
  }

  private mutating func newerInHistory() {
    guard let index = historyIndex else { return }
    if index + 1 < history.count {
      historyIndex = index + 1
      replace(with: history[index + 1])
    } else {
      historyIndex = nil
      replace(with: draft)
    }
  }
}

/// What keys do to a text, in the composer and wherever else something is written.
extension Editor {
  /// - Returns: whether the intent is one of writing.
  mutating func apply(_ intent: Intent) -> Bool {
    switch intent {
    case .left: moveLeft()
    case .right: moveRight()
    case .wordLeft: moveWordLeft()
    case .wordRight: moveWordRight()
    case .lineStart: moveToLineStart()
    case .lineEnd: moveToLineEnd()
    case .deleteBackward: deleteBackward()
    case .deleteForward: deleteForward()
    case .deleteBackwardToSpace: deleteBackwardToSpace()
    case .deleteWordBackward: deleteWordBackward()
    case .deleteWordForward: deleteWordForward()
    case .deleteToLineStart: deleteToLineStart()
    case .deleteToLineEnd: deleteToLineEnd()
    case .transpose: transpose()
    case .putBack: putBack()
    default: return false
    }
    return true
  }
}

/// The text being written, by grapheme, with a cursor and a history of what was sent.
package struct Editor: Sendable, Equatable {
  package private(set) var characters: [Character] = []
  /// 0 … `characters.count`.
  package private(set) var cursor = 0
  /// What the last deletion of more than a character took, for putting it back.
  private var killed = ""

  package private(set) var history: [String] = []
  /// Where in the history we are, and the draft that was left for it.
  private var historyIndex: Int?
  private var draft = ""

  package init() {}

  package var text: String { String(characters) }
  package var isEmpty: Bool { characters.isEmpty }

  // MARK: Changing

  package mutating func insert(_ text: String) {
    // A combining character joins the grapheme before it.
    let before = cursor > 0 ? String(characters[cursor - 1]) : ""
    let joined = Array(before + text)
    characters.replaceSubrange((cursor - (before.isEmpty ? 0 : 1))..<cursor, with: joined)
    cursor += joined.count - (before.isEmpty ? 0 : 1)
  }

  package mutating func replace(with text: String) {
    characters = Array(text)
    cursor = characters.count
  }

  package mutating func deleteBackward() {
    guard cursor > 0 else { return }
    cursor -= 1
    characters.remove(at: cursor)
  }

  package mutating func deleteForward() {
    if cursor < characters.count { characters.remove(at: cursor) }
  }

  package mutating func deleteWordBackward() { kill(wordLeft..<cursor) }
  package mutating func deleteWordForward() { kill(cursor..<wordRight) }
  package mutating func deleteToLineStart() { kill(lineStart..<cursor) }
  package mutating func deleteToLineEnd() {
    // At a line's end its line break goes.
    kill(cursor..<(lineEnd == cursor ? min(cursor + 1, characters.count) : lineEnd))
  }
  package mutating func putBack() { insert(killed) }

  private mutating func kill(_ range: Range<Int>) {
    if range.isEmpty { return }
    killed = String(characters[range])
    characters.removeSubrange(range)
    cursor = range.lowerBound
  }

  // MARK: Moving

  package mutating func moveLeft() { cursor = max(0, cursor - 1) }
  package mutating func moveRight() { cursor = min(characters.count, cursor + 1) }
  package mutating func moveWordLeft() { cursor = wordLeft }
  package mutating func moveWordRight() { cursor = wordRight }
  package mutating func moveToLineStart() { cursor = lineStart }
  package mutating func moveToLineEnd() { cursor = lineEnd }

  /// Up: to the line above, or to what was sent before.
  package mutating func moveUp(width: Int) {
    if !moveVertically(by: -1, width: width) { olderInHistory() }
  }
  package mutating func moveDown(width: Int) {
    if !moveVertically(by: 1, width: width) { newerInHistory() }
  }

  private mutating func moveVertically(by step: Int, width: Int) -> Bool {
    let lines = Wrap.ranges(characters, width: width)
    let (row, column) = position(in: lines)
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
    cursor = index
    return true
  }

  /// The cursor's row among wrapped lines, and its column.
  package func position(in lines: [Range<Int>]) -> (row: Int, column: Int) {
    let row = lines.lastIndex { $0.lowerBound <= cursor } ?? 0
    return (row, Glyphs.width(of: String(characters[lines[row].lowerBound..<cursor])))
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
    remember()
    clear()
    return text
  }

  /// Empties the composer; what stood there is the newest entry of the history.
  package mutating func putAside() {
    remember()
    clear()
  }

  private mutating func remember() {
    if !isEmpty && history.last != text { history.append(text) }
  }

  private mutating func clear() {
    characters = []
    cursor = 0
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

/// Looking for text in the transcript, as it is laid out.
package struct Search: Sendable, Equatable {
  /// Where a match stands: lines of an entry, and columns of them. More than one where it was wrapped.
  package struct Match: Sendable, Equatable {
    package struct Part: Sendable, Equatable {
      package var line: Int
      package var columns: Range<Int>
    }
    package var entry: Int
    package var parts: [Part]
  }

  /// What was found in an entry as it was.
  private struct Found: Sendable, Equatable {
    var entry: Int
    var revision: Int
    var lines: Int
    var matches: [Match]
  }

  /// The text to look for, being written.
  package var editor = Editor()
  package private(set) var matches: [Match] = []
  /// The match that is shown; an index of `matches`.
  package var current: Int?
  /// Where the transcript stood before.
  package let origin: AppState.Scroll

  private var found: [Found] = []
  private var query = ""
  private var generation = -1

  init(_ text: String, origin: AppState.Scroll) {
    self.origin = origin
    editor.replace(with: text)
  }

  /// Looks anew at what has changed.
  mutating func update(_ transcript: TranscriptLayout) {
    let text = editor.text
    if text != query || transcript.generation != generation {
      found = []
      query = text
      generation = transcript.generation
    }
    let needle = Self.needle(text)
    var hasChanged = found.count != transcript.blocks.count
    for (index, block) in transcript.blocks.enumerated() {
      if index < found.count, found[index].entry == block.entry, found[index].revision == block.revision,
        found[index].lines == block.lines.count
      {
        continue
      }
      hasChanged = true
      let matches = needle.characters.isEmpty ? [] : Self.matches(of: needle, in: block)
      let now = Found(entry: block.entry, revision: block.revision, lines: block.lines.count, matches: matches)
      if index < found.count { found[index] = now } else { found.append(now) }
    }
    if !hasChanged { return }
    found.removeSubrange(transcript.blocks.count...)
    matches = found.flatMap(\.matches)
    if let now = current { current = matches.isEmpty ? nil : min(now, matches.count - 1) }
  }

  // MARK: Matching

  private typealias Needle = (characters: [Character], isExact: Bool)

  /// Large and small letters are the same unless there is a large one.
  private static func needle(_ text: String) -> Needle {
    let isExact = text.contains(where: \.isUppercase)
    return (Array(sanitiseLine(text)).map { fold($0, isExact: isExact) }, isExact)
  }

  private static func fold(_ character: Character, isExact: Bool) -> Character {
    if isExact { return character }
    if let ascii = character.asciiValue {
      return (0x41...0x5A).contains(ascii) ? Character(Unicode.Scalar(ascii + 0x20)) : character
    }
    let lower = character.lowercased()
    return lower.count == 1 ? lower[lower.startIndex] : character
  }

  private static func matches(of needle: Needle, in block: TranscriptBlock) -> [Match] {
    var matches: [Match] = []
    // A line and those that continue it are one text.
    var text: [Character] = []
    var places: [(line: Int, column: Int, width: Int)] = []
    func finish() {
      let first = needle.characters[0]
      var index = 0
      while index + needle.characters.count <= text.count {
        let end = index + needle.characters.count
        if text[index] == first && text[index..<end].elementsEqual(needle.characters) {
          matches.append(Match(entry: block.entry, parts: parts(places[index..<end])))
          index = end
        } else {
          index += 1
        }
      }
      text = []
      places = []
    }
    for (number, line) in block.lines.enumerated() {
      if line.kind != .continuation { finish() }
      if line.kind == .ornament { continue }
      var column = 0
      for character in line.spans.lazy.flatMap(\.text) {
        let width = Glyphs.width(of: character)
        if column >= line.indent {
          text.append(fold(character, isExact: needle.isExact))
          places.append((number, column, width))
        }
        column += width
      }
    }
    finish()
    return matches
  }

  private static func parts(_ places: ArraySlice<(line: Int, column: Int, width: Int)>) -> [Match.Part] {
    var parts: [Match.Part] = []
    for (line, column, width) in places {
      if let last = parts.last, last.line == line {
        parts[parts.count - 1].columns = last.columns.lowerBound..<(column + width)
      } else {
        parts.append(Match.Part(line: line, columns: column..<(column + width)))
      }
    }
    return parts
  }
}

/// What a piece of text means; the terminal decides how that looks.
package enum Style: UInt8, Sendable, CaseIterable {
  case text, dim, accent, user, assistant, warning, error, rule, title
  case graph, graphSecond, mark, selection, code, strong, key, emphasis, match
}

/// The glyphs that views draw with: box drawing and braille, or plain ASCII.
package struct GlyphSet: Sendable, Equatable {
  package var isASCII: Bool
  package var horizontal: Character
  package var vertical: Character
  package var trackDone: Character
  package var trackAhead: Character
  package var stop: Character
  package var currentStop: Character
  package var prompt: Character
  package var ellipsis: Character
  package var arrow: Character
  package var down: Character
  package var bullet: Character
  /// From empty to full.
  package var levels: [Character]

  package static let unicode = GlyphSet(
    isASCII: false, horizontal: "─", vertical: "│", trackDone: "━", trackAhead: "─", stop: "┼",
    currentStop: "●", prompt: "›", ellipsis: "…", arrow: "→", down: "↓", bullet: "·",
    levels: Array(" ▁▂▃▄▅▆▇█"))

  package static let ascii = GlyphSet(
    isASCII: true, horizontal: "-", vertical: "|", trackDone: "=", trackAhead: "-", stop: "+",
    currentStop: "@", prompt: ">", ellipsis: "~", arrow: ">", down: "v", bullet: "*",
    levels: Array(" .:-=+*#@"))

  /// Replaces the few ornaments that the program's own texts use.
  package func plain(_ text: String) -> String {
    guard isASCII else { return text }
    var result = ""
    for character in text {
      switch character {
      case "→": result += "->"
      case "←": result += "<-"
      case "·": result += "-"
      case "…": result += "..."
      case "≈": result += "~"
      case "≥": result += ">="
      case "×": result += "x"
      case "↑": result += "Up"
      case "↓": result += "Down"
      case "‘", "’": result += "'"
      case "“", "”": result += "\""
      default: result.append(character)
      }
    }
    return result
  }
}

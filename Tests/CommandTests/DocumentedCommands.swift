import Foundation

/// The commands that the documentation shows: lines of its fenced blocks, and the program's name with what follows it
/// between backticks.
struct DocumentedCommands {
  struct Block {
    /// `README.md:7`
    var place: String
    var language: String
    var lines: [String]
  }

  struct Line {
    var place: String
    /// As a shell splits it.
    var words: [String]
  }

  let blocks: [Block]
  /// Text between backticks outside of blocks that begins with the program's name.
  let spans: [Line]

  init(_ text: String, file: String) {
    var blocks: [Block] = []
    var prose = ""
    var open: Block?
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("```") {
        if let block = open { blocks.append(block) }
        open = open == nil ? Block(place: "\(file):\(index + 1)", language: String(line.dropFirst(3)), lines: []) : nil
      } else if open != nil {
        open!.lines.append(String(line))
      } else {
        prose += line + "\n"
      }
    }
    self.blocks = blocks
    spans = prose.matches(of: /`(stitch(?:\s[^`]*)?)`/).map { match in
      // A bar within a table has a backslash.
      Line(
        place: file,
        words: match.output.1.replacing("\\|", with: "|").split(whereSeparator: \.isWhitespace).map(String.init))
    }
  }

  /// The commands of a block: comments left out, continued lines joined, `a && b` two of them.
  static func commands(_ block: Block) -> [Line] {
    let text = block.lines.joined(separator: "\n").replacing("\\\n", with: " ")
    return text.split(separator: "\n").flatMap { line -> [Line] in
      split(String(line)).split(separator: "&&").map { Line(place: block.place, words: Array($0)) }
    }
  }

  /// Words with simple quotes; a word that begins with `#` begins a comment.
  private static func split(_ line: String) -> [String] {
    var words: [String] = []
    for match in line.matches(of: /"([^"]*)"|'([^']*)'|(\S+)/) {
      if let word = match.output.3, word.hasPrefix("#") { break }
      words.append(String(match.output.1 ?? match.output.2 ?? match.output.3 ?? ""))
    }
    return words
  }
}

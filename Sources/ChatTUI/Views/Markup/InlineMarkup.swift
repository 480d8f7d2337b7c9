/// Marks within a line: `code`, *emphasis*, **strong**.
enum InlineMarkup {
  /// - Parameter isUnfinished: more of the line will come; what is open at its end is taken to close there.
  static func styled(_ text: Substring, base: Style, isUnfinished: Bool) -> [StyledCharacter] {
    var parser = Parser(characters: Array(text), isUnfinished: isUnfinished)
    parser.parse(0..<parser.characters.count, base: base, depth: 0)
    return parser.result
  }

  private struct Parser {
    let characters: [Character]
    let isUnfinished: Bool
    var result: [StyledCharacter] = []

    /// How many marks stand at a place.
    func run(at index: Int, in range: Range<Int>) -> Int {
      var end = index
      while end < range.upperBound && characters[end] == characters[index] { end += 1 }
      return end - index
    }

    mutating func parse(_ range: Range<Int>, base: Style, depth: Int) {
      /// Marks that are known to close nowhere ahead, so that no text takes quadratic time.
      var closesNowhere: Set<String> = []
      var index = range.lowerBound
      while index < range.upperBound {
        let mark = characters[index]
        switch mark {
        case "\\" where index + 1 < range.upperBound && "*_`#|~>".contains(characters[index + 1]):
          result.append((characters[index + 1], base))
          index += 2
          continue
        case "`", "*", "_":
          let count = run(at: index, in: range)
          let key = "\(mark)\(min(count, 99))"
          let start = index + count
          if depth < 4, mark == "`" || opens(mark, count, at: index, in: range) {
            if !closesNowhere.contains(key) {
              if let close = mark == "`"
                ? closeOfCode(count, from: start, in: range) : close(mark, count, from: start, in: range)
              {
                add(start..<close, mark: mark, count: count, base: base, depth: depth)
                index = close + count
                continue
              }
              closesNowhere.insert(key)
            }
            if isUnfinished && range.upperBound == characters.count && start < range.upperBound
              && (mark == "`" ? count == 1 : count == 2)
            {
              add(start..<range.upperBound, mark: mark, count: count, base: base, depth: depth)
              return
            }
          }
          for _ in 0..<count { result.append((mark, base)) }
          index = start
        default:
          result.append((mark, base))
          index += 1
        }
      }
    }

    private mutating func add(_ content: Range<Int>, mark: Character, count: Int, base: Style, depth: Int) {
      if mark == "`" {
        var content = content
        // “`` ` ``”: the spaces only keep the marks apart.
        if content.count > 2, characters[content.lowerBound] == " ", characters[content.upperBound - 1] == " " {
          content = (content.lowerBound + 1)..<(content.upperBound - 1)
        }
        for index in content { result.append((characters[index], .code)) }
      } else {
        let style: Style = base == .title ? .title : count > 1 || base == .strong ? .strong : .emphasis
        parse(content, base: style, depth: depth + 1)
      }
    }

    private func closeOfCode(_ count: Int, from start: Int, in range: Range<Int>) -> Int? {
      var index = start
      while index < range.upperBound {
        if characters[index] == "`" {
          let run = run(at: index, in: range)
          if run == count && index > start { return index }
          index += run
        } else {
          index += 1
        }
      }
      return nil
    }

    /// Whether marks can open something: what they enclose begins at once. “2*3*4” and “snake_case_name” are no marks.
    private func opens(_ mark: Character, _ count: Int, at index: Int, in range: Range<Int>) -> Bool {
      let start = index + count
      guard count <= 3, start < range.upperBound, !characters[start].isWhitespace else { return false }
      return index == 0 || !joins(characters[index - 1], mark, count)
    }

    private func close(_ mark: Character, _ count: Int, from start: Int, in range: Range<Int>) -> Int? {
      var index = start
      while index < range.upperBound {
        if characters[index] == "\\" {
          index += 2
        } else if characters[index] == mark {
          let run = run(at: index, in: range)
          let after = index + run
          if index > start, run == count || (run == 3 && count < 3), !characters[index - 1].isWhitespace,
            after == characters.count || !joins(characters[after], mark, count)
          {
            return index + run - count
          }
          index = after
        } else {
          index += 1
        }
      }
      return nil
    }

    /// Whether marks beside this character are a part of a word or a sum. Scripts without spaces have their marks
    /// within what looks like a word.
    private func joins(_ character: Character, _ mark: Character, _ count: Int) -> Bool {
      if mark == "_" { return character.isLetter || character.isNumber }
      return character.isASCII && (character.isNumber || (count == 1 && character.isLetter))
    }
  }
}

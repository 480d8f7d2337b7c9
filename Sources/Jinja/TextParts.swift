// MARK: - Parts of texts

extension MarkedString {
  static func firstRange(of part: [Unit], in units: ArraySlice<Unit>) -> Range<Int>? {
    if part.isEmpty { return units.startIndex..<units.startIndex }
    guard units.count >= part.count else { return nil }
    let first = code(part[0])
    for start in units.startIndex...(units.endIndex - part.count) where code(units[start]) == first {
      if part.indices.allSatisfy({ (units[start + $0] ^ part[$0]) & codeMask == 0 }) {
        return start..<start + part.count
      }
    }
    return nil
  }

  func firstRange(of part: MarkedString) -> Range<Int>? { Self.firstRange(of: part.units, in: units[...]) }

  func lastRange(of part: MarkedString) -> Range<Int>? {
    guard count >= part.count else { return nil }
    for start in stride(from: count - part.count, through: 0, by: -1) {
      if part.units.indices.allSatisfy({ (units[start + $0] ^ part.units[$0]) & Self.codeMask == 0 }) {
        return start..<start + part.count
      }
    }
    return nil
  }

  func hasPrefix(_ part: MarkedString) -> Bool { with(units.prefix(part.count)) == part }
  func hasSuffix(_ part: MarkedString) -> Bool { with(units.suffix(part.count)) == part }

  func split(on separator: MarkedString, maximum: Int?) -> [MarkedString] {
    var parts: [MarkedString] = []
    var rest = units[...]
    while parts.count < maximum ?? .max, let range = Self.firstRange(of: separator.units, in: rest) {
      parts.append(with(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [with(rest)]
  }

  func splitFromEnd(on separator: MarkedString, maximum: Int?) -> [MarkedString] {
    var parts: [MarkedString] = []
    var rest = self
    while parts.count < maximum ?? .max, let range = rest.lastRange(of: separator) {
      parts.insert(with(rest.units[range.upperBound...]), at: 0)
      rest = with(rest.units[..<range.lowerBound])
    }
    return [rest] + parts
  }

  /// What white space separates; what is left after `maximum` cuts is one part.
  func words(maximum: Int?) -> [MarkedString] {
    var words: [MarkedString] = []
    var rest = units[...].drop(while: Self.isSpace)
    while !rest.isEmpty {
      if words.count == maximum { return words + [with(rest).stripped(left: false)] }
      let word = rest.prefix { !Self.isSpace($0) }
      words.append(with(word))
      rest = rest.dropFirst(word.count).drop(while: Self.isSpace)
    }
    return words
  }

  func lastWords(maximum: Int?) -> [MarkedString] {
    with(units.reversed()).words(maximum: maximum).reversed().map { with($0.units.reversed()) }
  }

  var lines: [MarkedString] {
    var lines: [MarkedString] = []
    var line: [Unit] = []
    for (index, unit) in units.enumerated() {
      let isSecondHalf = Self.code(unit) == 0x0A && index > 0 && Self.code(units[index - 1]) == 0x0D
      if isSecondHalf { continue }
      if Self.isLineEnd(unit) {
        lines.append(with(line))
        line = []
      } else {
        line.append(unit)
      }
    }
    return line.isEmpty ? lines : lines + [with(line)]
  }

  var capitalized: MarkedString {
    guard let first = units.first else { return self }
    return with(Self.changed(first) { $0.properties.titlecaseMapping } + with(units.dropFirst()).lowercased.units)
  }

  /// The first letter of every word large, the others small.
  /// - Parameter afterAny: whether anything but a letter begins a word, as Python's method has it; the filter looks for
  ///   spaces and brackets alone.
  func titled(afterAny: Bool) -> MarkedString {
    var result: [Unit] = []
    var isInWord = false
    for unit in units {
      let scalar = Self.scalar(unit)
      result += Self.changed(unit) { isInWord ? $0.properties.lowercaseMapping : $0.properties.titlecaseMapping }
      isInWord = afterAny ? scalar.properties.isCased : !Self.isSpace(unit) && !"-({[<".unicodeScalars.contains(scalar)
    }
    return with(result)
  }
}

// MARK: - Parts of texts

extension MarkedString {
  static func firstRange(of part: [Unit], in units: ArraySlice<Unit>) -> Range<Int>? {
    if part.isEmpty { return units.startIndex..<units.startIndex }
    guard units.count >= part.count else { return nil }
    func isSame(_ a: Unit, _ b: Unit) -> Bool { (a ^ b) & codeMask == 0 }
    if part.count <= 16 {
      for start in units.startIndex...(units.endIndex - part.count) where isSame(units[start], part[0]) {
        if part.indices.allSatisfy({ isSame(units[start + $0], part[$0]) }) { return start..<start + part.count }
      }
      return nil
    }
    // Knuth, Morris and Pratt's way, which takes no longer for texts made to take long.
    var borders = [Int](repeating: 0, count: part.count)
    var length = 0
    for index in part.indices.dropFirst() {
      while length > 0, !isSame(part[index], part[length]) { length = borders[length - 1] }
      if isSame(part[index], part[length]) { length += 1 }
      borders[index] = length
    }
    length = 0
    for index in units.indices {
      while length > 0, !isSame(units[index], part[length]) { length = borders[length - 1] }
      if isSame(units[index], part[length]) { length += 1 }
      if length == part.count { return index + 1 - length..<index + 1 }
    }
    return nil
  }

  func firstRange(of part: MarkedString) -> Range<Int>? { Self.firstRange(of: part.units, in: units[...]) }

  func lastRange(of part: MarkedString) -> Range<Int>? {
    Self.firstRange(of: part.units.reversed(), in: units.reversed()[...]).map {
      count - $0.upperBound..<count - $0.lowerBound
    }
  }

  func count(of part: MarkedString) -> Int {
    var count = 0
    var rest = units[...]
    while let range = Self.firstRange(of: part.units, in: rest) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }

  var wordCount: Int {
    var count = 0
    var isInWord = false
    for unit in units {
      if !Self.isSpace(unit), !isInWord { count += 1 }
      isInWord = !Self.isSpace(unit)
    }
    return count
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
    with(units.reversed()).split(on: separator.with(separator.units.reversed()), maximum: maximum).reversed()
      .map { with($0.units.reversed()) }
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

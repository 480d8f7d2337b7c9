/// Tokens that are found in text by their spelling before anything else is done: special ones where text may name them,
/// other added ones everywhere.
public struct SpecialTokenFinder: Sendable {
  /// What is found, and when.
  struct Entry: Sendable {
    var spelling: [UInt8]
    var token: Int
    /// Found only where special tokens are recognised.
    var isSpecial = true
    /// Not within a word.
    var isSingleWord = false
    /// White space on that side belongs to it.
    var stripsLeft = false
    var stripsRight = false
  }

  private let entries: [Entry]
  /// Nodes of a trie of the spellings, by parent (upper part) and byte.
  private var children: [UInt64: Int32] = [:]
  /// By node: the entry that ends there, or −1.
  private var ends: [Int32] = [-1]
  /// Whether a spelling begins with the byte.
  private var begins = [Bool](repeating: false, count: 256)

  /// - Parameter tokens: special tokens by their spelling; empty spellings are left out.
  public init(_ tokens: [(spelling: [UInt8], token: Int)]) {
    self.init(tokens.map { Entry(spelling: $0.spelling, token: $0.token) })
  }

  init(_ entries: [Entry]) {
    self.entries = entries
    for (number, entry) in entries.enumerated() where !entry.spelling.isEmpty {
      begins[Int(entry.spelling[0])] = true
      var node: Int32 = 0
      for byte in entry.spelling {
        let key = UInt64(node) << 8 | UInt64(byte)
        if let child = children[key] {
          node = child
        } else {
          node = Int32(ends.count)
          ends.append(-1)
          children[key] = node
        }
      }
      ends[Int(node)] = Int32(number)
    }
  }

  var isEmpty: Bool { children.isEmpty }

  /// What pieces consist of, put together: text between the tokens found, and those. A special token lies within one
  /// piece.
  public func parts(of pieces: [TextPiece]) -> [Part] {
    var classes = CharacterClasses()
    return parts(of: pieces, &classes)
  }

  /// - Parameter classes: of characters, as far as they were met.
  func parts(of pieces: [TextPiece], _ classes: inout CharacterClasses) -> [Part] {
    var text: [UInt8] = []
    var ends: [(end: Int, isRecognized: Bool)] = []
    for piece in pieces {
      text += piece.text.utf8
      ends.append((text.count, piece.recognizesSpecialTokens))
    }
    return parts(of: text, ends, &classes)
  }

  /// What a text consists of, whoever wrote it.
  func parts(of text: [UInt8], _ classes: inout CharacterClasses) -> [Part] {
    parts(of: text, [(text.count, false)], &classes)
  }

  private func parts(
    of text: [UInt8], _ pieces: [(end: Int, isRecognized: Bool)], _ classes: inout CharacterClasses
  ) -> [Part] {
    if text.isEmpty { return [] }
    if isEmpty { return [.text(text)] }
    var parts: [Part] = []
    // Up to here the text is among the parts.
    var done = 0
    var index = 0
    var piece = 0
    while index < text.count {
      while pieces[piece].end <= index { piece += 1 }
      guard begins[Int(text[index])], let (entry, stop) = longest(in: text, at: index) else {
        index += 1
        continue
      }
      let end = pieces[piece].end
      if entry.isSpecial, !pieces[piece].isRecognized || stop > end {
        // Not meant as such: text, and nothing in it is looked at. What the next piece says counts all the same.
        index = min(stop, end)
        continue
      }
      var range = index..<stop
      index = stop
      if entry.isSingleWord, Neighbours.isInsideWord(range, of: text, &classes) { continue }
      if entry.stripsLeft { range = max(done, Neighbours.spaceStart(range.lowerBound, of: text))..<range.upperBound }
      if entry.stripsRight { range = range.lowerBound..<Neighbours.spaceEnd(range.upperBound, of: text) }
      if done < range.lowerBound { parts.append(.text(Array(text[done..<range.lowerBound]))) }
      parts.append(.token(entry.token))
      done = range.upperBound
    }
    if done < text.count { parts.append(.text(done == 0 ? text : Array(text[done...]))) }
    return parts
  }

  private func longest(in text: [UInt8], at start: Int) -> (entry: Entry, end: Int)? {
    var node: Int32 = 0
    var found: (number: Int, end: Int)?
    var index = start
    while index < text.count, let child = children[UInt64(node) << 8 | UInt64(text[index])] {
      node = child
      index += 1
      if ends[Int(node)] >= 0 { found = (Int(ends[Int(node)]), index) }
    }
    return found.map { (entries[$0.number], $0.end) }
  }

  public enum Part: Sendable, Equatable {
    /// Never empty.
    case text([UInt8])
    case token(Int)
  }
}

/// What stands beside a place in a text.
private enum Neighbours {
  static func isInsideWord(
    _ range: Range<Int>, of text: [UInt8], _ classes: inout CharacterClasses
  ) -> Bool {
    func isWord(_ scalar: Unicode.Scalar?) -> Bool { scalar.map { classes[$0].contains(.word) } ?? false }
    return isWord(before(range.lowerBound, text)?.scalar) || isWord(after(range.upperBound, text)?.scalar)
  }

  static func spaceStart(_ end: Int, of text: [UInt8]) -> Int {
    var place = end
    while let found = before(place, text), found.scalar.properties.isWhitespace { place -= found.length }
    return place
  }

  static func spaceEnd(_ start: Int, of text: [UInt8]) -> Int {
    var place = start
    while let found = after(place, text), found.scalar.properties.isWhitespace { place += found.length }
    return place
  }

  private static func before(_ end: Int, _ text: [UInt8]) -> (scalar: Unicode.Scalar, length: Int)? {
    for length in 1...4 where end - length >= 0 && text[end - length] & 0xC0 != 0x80 {
      guard let found = after(end - length, text), found.length == length else { return nil }
      return found
    }
    return nil
  }

  private static func after(_ start: Int, _ text: [UInt8]) -> (scalar: Unicode.Scalar, length: Int)? {
    UTF8Text.scalar(of: text, at: start)
  }
}

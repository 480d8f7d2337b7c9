import Support

/// Spellings of tokens as UTF-8. They lie one after the other, or where the file has them that they were read from: a real
/// vocabulary has a hundred thousand, and strings of their own would take most of the time that opening a model takes.
public struct Spellings: Sendable, RandomAccessCollection {
  private(set) var bytes: [UInt8]
  /// Where each of them lies among the bytes.
  private(set) var places: [Range<Int>] = []

  public init() { bytes = [] }

  public init(_ texts: some Sequence<String>) {
    self.init()
    for text in texts { append(text) }
  }

  /// None yet; the bytes of a file, in which they lie.
  init(in bytes: [UInt8]) { self.bytes = bytes }

  /// Some of another's, by their numbers there; empty ones where there is no number.
  init(_ others: Spellings, at numbers: some Collection<Int?>) {
    bytes = others.bytes
    places = numbers.map { $0.map { others.places[$0] } ?? 0..<0 }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { places.count }
  public subscript(number: Int) -> String { String(decoding: bytes[places[number]], as: UTF8.self) }

  /// Whether two of them are the same bytes.
  func hasSame(_ a: Int, _ b: Int) -> Bool { bytes[places[a]] == bytes[places[b]] }

  public mutating func append(_ text: String) { append(utf8: text.utf8) }

  /// The same of UTF-8.
  mutating func append(utf8 text: some Collection<UInt8>) {
    let start = bytes.count
    bytes += text
    places.append(start..<bytes.count)
  }

  /// Appends the next string of the document whose bytes these are.
  mutating func append(from reader: inout JSONReader) throws(JSONValue.SyntaxError) {
    if let place = reader.plainString() { places.append(place) } else { append(utf8: try reader.string().utf8) }
  }

  /// Appends two that files write with a space between, which byte-level spellings never hold.
  /// - Returns: whether that is what `text`, UTF-8, is. Otherwise it is appended as it is.
  public mutating func append(pair text: [UInt8]) -> Bool {
    append(utf8: text)
    return splitLast()
  }

  /// Makes two of the last one, at its only space.
  /// - Returns: whether it has one, with something on both sides.
  mutating func splitLast() -> Bool {
    guard let place = places.last else { return false }
    var space: Int?
    for index in place where bytes[index] == UInt8(ascii: " ") {
      if space != nil { return false }
      space = index
    }
    guard let space, space > place.lowerBound, space + 1 < place.upperBound else { return false }
    places[places.count - 1] = place.lowerBound..<space
    places.append(space + 1..<place.upperBound)
    return true
  }
}

extension Spellings: Equatable {
  public static func == (a: Spellings, b: Spellings) -> Bool {
    a.count == b.count && zip(a.places, b.places).allSatisfy { a.bytes[$0] == b.bytes[$1] }
  }
}

/// Ends a streamed text before the first of some strings, and holds back what may be the beginning of one.
///
/// What it delivers depends on the whole text alone, not on the pieces it comes in: of stop strings that overlap, the
/// one that begins first counts, of those that begin at the same place any, for the text ends there.
package struct StopStringFilter {
  private let stopStrings: [[UInt8]]
  /// The end of the text so far, which is the beginning of a stop string or empty.
  private var pending: [UInt8] = []
  /// A stop string has come: no more is delivered.
  package private(set) var hasEnded = false

  /// - Parameter stopStrings: empty ones count for nothing.
  package init(_ stopStrings: [String]) {
    self.stopStrings = stopStrings.filter { !$0.isEmpty }.map { Array($0.utf8) }
  }

  /// The text that a further piece lets through, often empty.
  package mutating func next(_ piece: String) -> String {
    if hasEnded || stopStrings.isEmpty { return hasEnded ? "" : piece }
    pending += Array(piece.utf8)
    return release(isLast: false)
  }

  /// The text is over: what was held back is no stop string.
  package mutating func finish() -> String { release(isLast: true) }

  /// Lets through what stands before a stop string, or else before what may become one, unless nothing comes any more.
  private mutating func release(isLast: Bool) -> String {
    var end = 0
    while end < pending.count {
      let rest = pending[end...]
      hasEnded = stopStrings.contains { rest.starts(with: $0) }
      if hasEnded || !isLast && stopStrings.contains(where: { $0.starts(with: rest) }) { break }
      end += 1
    }
    // A stop string begins where a character does, so no character is cut.
    let text = String(decoding: pending[..<end], as: UTF8.self)
    pending.removeFirst(hasEnded ? pending.count : end)
    return text
  }
}

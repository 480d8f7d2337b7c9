import LLaMAStitch
import Support
import Testing

/// Texts side by side, continued by random pieces.
struct BatchComparison {
  let texts: [[Int]]
  /// The bits of the logits after each token of each text alone.
  let expected: [[[UInt32]]]
  /// Tokens of a step, at most, and of a text in it, at least and at most.
  let room: Int
  let pieces: ClosedRange<Int>
  /// Of so many pieces the logits of one are not wanted.
  let unwanted: Int

  /// Continues all texts to their ends; every logits that is wanted has the bits of the text alone.
  /// - Returns: how many were compared.
  func run(_ session: BatchSession, _ random: inout SeededGenerator, _ note: (_ text: Int) -> String) throws -> Int {
    var compared = 0
    while texts.indices.contains(where: { session.position(of: $0) < texts[$0].count }) {
      var left = room
      var continuations: [BatchSession.Continuation] = []
      for text in random.permutation(of: texts.count) where random.index(below: 3) > 0 {
        let start = session.position(of: text)
        let wanted = pieces.lowerBound + random.index(below: pieces.count)
        let length = min(wanted, texts[text].count - start, left)
        if length == 0 { continue }
        left -= length
        continuations.append(
          .init(
            text: text, tokens: texts[text][start..<start + length], wantsLogits: random.index(below: unwanted) > 0))
      }
      if continuations.isEmpty { continue }
      let logits = try session.evaluate(continuations)
      for (row, wanted) in continuations.filter(\.wantsLogits).enumerated() {
        #expect(
          logits.row(row).array.map(\.bitPattern) == expected[wanted.text][wanted.tokens.endIndex - 1],
          "\(note(wanted.text)) at \(wanted.tokens.endIndex)")
        compared += 1
      }
    }
    return compared
  }
}

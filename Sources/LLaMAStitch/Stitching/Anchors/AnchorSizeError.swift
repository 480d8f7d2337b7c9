/// Why an anchor cannot have another size. The description is one line.
public enum AnchorSizeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The number of blocks asked for is not one that the method can make.
  case blocks(Int, of: Int, possible: ClosedRange<Int>)
  /// The model has too few blocks to learn from or to leave out any.
  case tooShallow(Int, needed: Int)
  /// Blocks to leave out that there are not, or that are the first or the last.
  case span(String, depth: Int)
  /// A stitch that is no anchor without some of its blocks; `known` are those of the family that are.
  case notWithin(id: String, known: [String])
  /// What was computed is not a number: the weights are damaged.
  case notANumber(String)

  public var description: String {
    switch self {
    case .blocks(let wanted, let depth, let possible):
      "an anchor of \(depth) blocks cannot be made one of \(wanted) this way; ask for \(possible.lowerBound) to \(possible.upperBound)"
    case .tooShallow(let depth, let needed):
      "an anchor of \(depth) blocks is too shallow for this; it needs \(needed) at least"
    case .span(let span, let depth):
      "blocks \(span) cannot be left out of \(depth): name blocks from 1 to \(depth - 2), each once, such as 4-7"
    case .notWithin(let id, let known):
      "“\(id)” is no anchor without some of its blocks; \(known.isEmpty ? "the family has none such" : "those are \(known.joined(separator: ", "))")"
    case .notANumber(let what):
      "\(what) came to what is no number; the model's weights are damaged, or the text too short"
    }
  }
}

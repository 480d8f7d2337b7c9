/// Sequences of different lengths, one after another without padding. No sequence sees another.
public struct PackedBatch: Sendable, Equatable {
  /// Where a target is not counted.
  public static let ignored: Int32 = -1

  public private(set) var tokens: [Int32] = []
  /// The token that should follow each token, or `ignored`.
  public private(set) var targets: [Int32] = []
  /// First row of each sequence.
  public private(set) var starts: [Int] = []

  public init() {}

  /// Adds a sequence. `lossMask[i]` says whether token `i` is a target (token 0 never is).
  public mutating func append(_ sequence: [Int32], lossMask: [Bool]? = nil) {
    if sequence.isEmpty { return }
    starts.append(tokens.count)
    tokens += sequence
    for index in 1..<max(1, sequence.count) {
      targets.append(lossMask?[index] ?? true ? sequence[index] : Self.ignored)
    }
    targets.append(Self.ignored)
  }

  /// Adds a sequence whose targets are known.
  mutating func append(tokens sequence: [Int32], targets: [Int32]) {
    starts.append(tokens.count)
    tokens += sequence
    self.targets += targets
  }

  /// Sequences in batches of about 1024 rows, each cut to a context.
  public static func batches(of sequences: [[Int32]], contextLength: Int) -> [PackedBatch] {
    var batches = [PackedBatch()]
    for sequence in sequences {
      if batches[batches.count - 1].rows >= 1024 { batches.append(PackedBatch()) }
      batches[batches.count - 1].append(Array(sequence.prefix(contextLength)))
    }
    return batches.filter { $0.rows > 0 }
  }

  public var rows: Int { tokens.count }
  public var sequenceCount: Int { starts.count }
  public var targetCount: Int { targets.count { $0 != Self.ignored } }

  func range(ofSequence index: Int) -> Range<Int> {
    starts[index]..<(index + 1 < starts.count ? starts[index + 1] : tokens.count)
  }

  /// Sequences `which`, as a batch of their own.
  func sequences(_ which: some Sequence<Int>) -> PackedBatch {
    var part = PackedBatch()
    for index in which {
      let range = range(ofSequence: index)
      part.starts.append(part.tokens.count)
      part.tokens += tokens[range]
      part.targets += targets[range]
    }
    return part
  }

  /// The batch in parts of about 512 rows, an even number of them, two at least where there are sequences enough: what goes
  /// through a network at a time, on one thread. They depend on the batch alone.
  var parts: [PackedBatch] {
    divided(into: max(2, 2 * Int((Double(rows) / 1024).rounded()))).filter { $0.rows > 0 }
  }

  /// Divides the batch into `parts` of about equally many rows, whole sequences each: longest first to the emptiest
  /// part, so the division depends on the batch alone.
  func divided(into parts: Int) -> [PackedBatch] {
    var members = Array(repeating: [Int](), count: parts)
    var sizes = Array(repeating: 0, count: parts)
    let lengths = (0..<sequenceCount).map { range(ofSequence: $0).count }
    for index in (0..<sequenceCount).sorted(by: { (lengths[$1], $0) < (lengths[$0], $1) }) {
      let emptiest = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) }!
      members[emptiest].append(index)
      sizes[emptiest] += lengths[index]
    }
    return members.map { sequences($0.sorted()) }
  }
}

/// A batch as the kernels want it.
struct RowPlan {
  let tokenIDs: [Int32]
  let tokens: IndexBuffer
  let positions: IndexBuffer
  let sequences: [Range<Int>]
  let targets: [Int32]
  /// Rows that have a target.
  let targetRows: [Int32]
  /// One more than the last position.
  let positionCount: Int

  /// - Parameter offset: of the position of a sequence's first token.
  init(_ batch: PackedBatch, offset: Int = 0) {
    tokenIDs = batch.tokens
    tokens = IndexBuffer(batch.tokens)
    sequences = (0..<batch.sequenceCount).map { batch.range(ofSequence: $0) }
    positions = IndexBuffer(sequences.flatMap { range in range.indices.map { Int32($0 - range.lowerBound + offset) } })
    positionCount = (sequences.map(\.count).max() ?? 0) + offset
    targets = batch.targets
    targetRows = batch.targets.indices.filter { batch.targets[$0] != PackedBatch.ignored }.map(Int32.init)
  }
}

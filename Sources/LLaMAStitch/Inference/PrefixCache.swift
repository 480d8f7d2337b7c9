import Foundation

/// What the blocks of one anchor have computed of a text, for all stitches that start in it.
///
/// It holds the keys and values of every block, and the hidden state wherever one of those stitches leaves the
/// anchor, until all have read it. A session that joins goes on from there: after a move of the slider only the blocks
/// behind the stitching layer have the text before them. What is computed is the same bits with and without it.
///
/// The sessions must run the same blocks: with biases of scope `all`, each stitch has its own and nothing is shared.
///
/// `@unchecked Sendable`: everything changes only while `lock`, which the sessions share, is held.
public final class PrefixCache: @unchecked Sendable {
  /// Positions that fit.
  public let contextLength: Int
  let caches: [KVCache]
  /// Of the side network, by the number of blocks after which it keeps something.
  let sideCaches: [Int: KVCache]
  let lock = NSLock()
  /// The hidden state after so many blocks, by that number; `nil` where it is not kept.
  private let states: [HiddenStateCache?]
  /// The text, and how many positions of it each block has computed: none more than the block before it.
  private(set) var tokens: [Int] = []
  private var computed: [Int]
  /// Grows whenever a part of the text is replaced.
  private(set) var version = 0

  /// - Parameters:
  ///   - anchor: the anchor as a network, with the adapter that the stitches use.
  ///   - exits: after how many blocks the hidden state is kept, and until how many sessions that leave there have
  ///     read it.
  ///   - cacheType: that of the sessions.
  public init(anchor: Network, exits: [Int: Int], contextLength: Int, cacheType: CacheType = .f32) {
    let configurations = anchor.leadingBlocks.map(\.configuration)
    self.contextLength = contextLength
    caches = anchor.leadingBlocks.map {
      KVCache(of: $0, capacity: contextLength + anchor.virtualTokens, type: cacheType)
    }
    computed = [Int](repeating: 0, count: configurations.count)
    var sideCaches: [Int: KVCache] = [:]
    for (place, shape) in anchor.side?.kept ?? [:] {
      sideCaches[place] = KVCache(shape, capacity: contextLength, type: cacheType)
    }
    self.sideCaches = sideCaches
    let sideWidth = anchor.side?.stateWidth ?? 0
    states = (0...configurations.count).map { exit in
      // Before the first block it is the embedding.
      guard exit > 0, let readers = exits[exit] else { return nil }
      return HiddenStateCache(
        width: configurations[exit - 1].hiddenSize, sideWidth: sideWidth, contextLength: contextLength,
        expectedReaders: readers)
    }
    tokens.reserveCapacity(contextLength)
  }

  /// Bytes that keys, values and hidden states of so many positions take.
  public static func byteCount(anchor: Network, exits: [Int: Int], positions: Int, cacheType: CacheType = .f32) -> Int {
    let side = (anchor.side?.kept ?? [:]).values.reduce(0) {
      $0 + KVCache.byteCount($1, capacity: positions, type: cacheType)
    }
    return anchor.leadingBlocks.enumerated().reduce(side) { total, block in
      let configuration = block.element.configuration
      let width = configuration.hiddenSize + (anchor.side?.stateWidth ?? 0)
      return total + KVCache.byteCount(configuration: configuration, capacity: positions, type: cacheType)
        + (exits[block.offset + 1] != nil ? 4 * positions * width : 0)
    }
  }

  /// Whether it can hold what these blocks compute.
  func serves(_ blocks: [Block], contextLength: Int, type: CacheType) -> Bool {
    self.contextLength == contextLength && caches.count >= blocks.count && caches.allSatisfy { $0.type == type }
  }

  func hiddenState(after blocks: Int) -> HiddenStateCache? { states[blocks] }

  /// From which position on the hidden state is kept where stitches leave after so many blocks; `nil` where none does.
  package func hiddenStateStart(after blocks: Int) -> Int? { lock.withLock { states[blocks]?.start } }

  /// Tokens of the beginning of `text` that the first `blocks` blocks have computed.
  public func commonPrefix(with text: [Int], blocks: Int) -> Int {
    lock.withLock { common(text, blocks: blocks) }
  }

  func common(_ text: [Int], blocks: Int) -> Int {
    let limit = min(computedPositions(blocks: blocks), text.count)
    var common = 0
    while common < limit && tokens[common] == text[common] { common += 1 }
    return common
  }

  /// Positions that each of the first `blocks` blocks has computed.
  func computedPositions(blocks: Int) -> Int { blocks == 0 ? tokens.count : computed[blocks - 1] }

  /// Makes `text` its text from `position` on.
  func follow(_ text: some Sequence<Int>, from position: Int) {
    var position = position
    for token in text {
      if position < tokens.count && tokens[position] != token {
        tokens.removeLast(tokens.count - position)
        for block in computed.indices { computed[block] = min(computed[block], position) }
        for state in states { state?.truncate(to: position) }
        version += 1
      }
      if position == tokens.count { tokens.append(token) }
      position += 1
    }
  }

  /// From which of the first `limit` blocks the computation of a position can go on, and up to which position, at most
  /// `end`, that is so.
  func entry(at position: Int, limit: Int, end: Int) -> (block: Int, end: Int) {
    func entry(_ position: Int) -> Int {
      (1...max(1, limit)).last { blocks in
        guard blocks <= limit, let state = states[blocks] else { return false }
        return state.start <= position && position < computed[blocks - 1]
      } ?? 0
    }
    let block = entry(position)
    // Later positions are computed less far: the entry changes where the block before it has stopped.
    return (block, block == 0 ? end : min(end, computed[block - 1]))
  }

  /// Notes that the blocks in `range` have computed everything before `position`.
  func note(_ range: Range<Int>, upTo position: Int) {
    for block in range { computed[block] = max(computed[block], position) }
  }

  /// Notes that a session that leaves after so many blocks has read everything before `end`.
  func note(_ session: InferenceSession, leavingAfter blocks: Int, hasRead end: Int) {
    states[blocks]?.note(session, hasRead: end)
  }

  /// Evicts the hidden states that all have read. It takes some 0.1 ms, so not while a listener waits for a reply's first token.
  func evict() {
    for state in states { state?.evict(computed: computed.last ?? 0) }
  }

  /// Notes that a session that leaves after so many blocks will not go on.
  func remove(_ session: InferenceSession, leavingAfter blocks: Int) { states[blocks]?.remove(session) }
}

/// The hidden state of a text where stitches leave an anchor, kept as long as it is of use.
///
/// It is read by the sessions that leave here, and by the anchor's later blocks where they have yet to compute the text.
/// What all of them have read is evicted; for a session that needs it nevertheless it is computed again.
///
/// `@unchecked Sendable`: part of a `PrefixCache`; everything changes only while its lock is held.
final class HiddenStateCache: @unchecked Sendable {
  /// One for each position; the last columns are the state of a side network.
  let rows: UnsafeRows
  let sideWidth: Int
  /// Positions before are evicted.
  private(set) var start = 0
  private let buffer: FloatBuffer
  /// Sessions to wait for, one for each of the slider's stops that leave here.
  private let expectedReaders: Int
  /// What each session has read ends here.
  private var ends: [ObjectIdentifier: Int] = [:]
  /// So many positions stay though all have read them, for the end of a text is often read again. Memory is released in
  /// steps of as many.
  private static let margin = 32

  init(width: Int, sideWidth: Int, contextLength: Int, expectedReaders: Int) {
    buffer = FloatBuffer(count: contextLength * (width + sideWidth))
    rows = UnsafeRows(buffer, stride: width + sideWidth)
    self.sideWidth = sideWidth
    self.expectedReaders = expectedReaders
  }

  /// Notes that a session has read everything before `end`.
  func note(_ session: InferenceSession, hasRead end: Int) { ends[ObjectIdentifier(session)] = end }

  /// Notes that a session will not go on.
  func remove(_ session: InferenceSession) { ends[ObjectIdentifier(session)] = nil }

  /// Notes that another text takes the place of this one from `position` on.
  func truncate(to position: Int) {
    start = min(start, position)
    for reader in ends.values.indices { ends.values[reader] = min(ends.values[reader], position) }
  }

  /// Evicts what the sessions have read and the anchor's last block has `computed`.
  func evict(computed: Int) {
    guard ends.count >= expectedReaders, let end = ends.values.min() else { return }
    let newStart = (min(end, computed) / Self.margin - 1) * Self.margin
    guard newStart > start else { return }
    buffer.clear(start * rows.stride..<newStart * rows.stride)
    start = newStart
  }
}

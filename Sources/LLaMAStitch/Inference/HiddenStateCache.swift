/// The hidden state of a text where stitches leave an anchor, kept as long as it is of use.
///
/// It is read by the sessions that leave here, and by the anchor's later blocks where they have yet to compute the text.
/// What all of them have read is evicted; for a session that needs it nevertheless it is computed again.
///
/// `@unchecked Sendable`: part of a `PrefixCache`; everything changes only while its lock is held.
final class HiddenStateCache: @unchecked Sendable {
  /// One for each position.
  let rows: UnsafeRows
  /// Positions before are evicted.
  private(set) var start = 0
  private let buffer: FloatBuffer
  /// Sessions to wait for, one for each of the slider's stops that leave here.
  private let expectedReaders: Int
  /// What each session has read ends here.
  private var ends: [ObjectIdentifier: Int] = [:]
  /// So many positions stay though they are read, for the end of a text is often read again. Memory is released in
  /// steps of as many.
  private static let margin = 32

  init(width: Int, contextLength: Int, expectedReaders: Int) {
    buffer = FloatBuffer(count: contextLength * width)
    rows = UnsafeRows(buffer, stride: width)
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

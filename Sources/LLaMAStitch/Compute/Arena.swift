/// Scratch memory handed out in order and taken back all at once: what a pass needs has the same addresses in the
/// next one, and nothing is allocated once the largest pass has run.
///
/// Not thread-safe: one worker owns it.
package final class Arena {
  private var chunks: [FloatBuffer] = []
  private var chunk = 0
  private var used = 0
  private let chunkSize: Int

  package init(chunkSize: Int = 1 << 20) { self.chunkSize = chunkSize }

  /// Where the arena stands; see `release(to:)`.
  package struct Mark {
    fileprivate let chunk: Int
    fileprivate let used: Int
  }

  package var mark: Mark { Mark(chunk: chunk, used: used) }

  /// Bytes of memory that it holds, handed out or not: as many as the largest pass needed, in whole chunks.
  package var byteCount: Int { chunks.reduce(0) { $0 + $1.count } * MemoryLayout<Float>.size }

  /// Takes back everything handed out since the mark.
  package func release(to mark: Mark) {
    chunk = mark.chunk
    used = mark.used
  }

  /// Takes back everything.
  package func reset() {
    chunk = 0
    used = 0
  }

  /// `count` floats with whatever was in them.
  package func vector(_ count: Int) -> VectorView {
    let rounded = (count + 15) / 16 * 16
    while chunk < chunks.count {
      if used + rounded <= chunks[chunk].count {
        defer { used += rounded }
        return chunks[chunk].vector(offset: used, count: count)
      }
      chunk += 1
      used = 0
    }
    chunks.append(FloatBuffer(count: max(chunkSize, rounded)))
    used = rounded
    return chunks[chunk].vector(offset: 0, count: count)
  }

  /// A dense matrix with whatever was in it.
  package func matrix(_ rows: Int, _ columns: Int) -> MatrixView {
    vector(rows * columns).matrix(rows: rows, columns: columns)
  }

  /// Memory of that many bytes, 64-byte aligned, for the time of `body`.
  package func lend<Result>(bytes: Int, _ body: (VectorView) -> Result) -> Result {
    let before = mark
    defer { release(to: before) }
    return body(vector((bytes + 3) / MemoryLayout<Float>.size))
  }
}

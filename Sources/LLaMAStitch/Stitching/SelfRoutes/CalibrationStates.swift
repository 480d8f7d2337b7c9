/// The hidden states of one anchor on calibration text, after every block where a route may leave it or enter it again.
///
/// `@unchecked Sendable`: filled in before `init` returns, by parts of a job that write rows of their own; only read
/// afterwards.
final class CalibrationStates: @unchecked Sendable {
  /// After 1, 2, … blocks, `[N × d]` each.
  private let states: [MatrixView]
  /// Batches that are computed between two reports.
  private static let reported = 4

  /// - Parameters:
  ///   - depth: blocks to compute.
  ///   - progress: hears how many rows of how many are computed.
  init(
    _ anchor: LlamaModel, _ batches: [PackedBatch], depth: Int, passes: PassPool, pool: ComputePool,
    progress: (_ done: Int, _ all: Int) -> Void
  ) {
    let width = anchor.configuration.hiddenSize
    let rows = batches.reduce(0) { $0 + $1.rows }
    let states = (0..<depth).map { _ in
      FloatBuffer(count: rows * width).matrix(rows: rows, columns: width)
    }
    var done = 0
    for first in stride(from: 0, to: batches.count, by: Self.reported) {
      let group = batches[first..<min(first + Self.reported, batches.count)].map { batch in
        defer { done += batch.rows }
        return (rows: done..<done + batch.rows, batch: batch)
      }
      pool.run(parts: group.count) { part in
        let (range, batch) = group[part]
        passes.lend { worker in
          worker.pass.hiddenStates(anchor, batch: batch, from: nil, to: depth) { blocks, state in
            if blocks > 0 { states[blocks - 1].rows(range).dense.copy(from: state.dense) }
          }
        }
      }
      progress(done, rows)
    }
    self.states = states
  }

  /// The state after so many blocks, at least one.
  func state(after blocks: Int) -> MatrixView { states[blocks - 1] }

  /// Bytes that the states of a token take.
  static func bytesPerToken(_ anchor: LlamaModel, depth: Int) -> Int {
    4 * depth * anchor.configuration.hiddenSize
  }
}

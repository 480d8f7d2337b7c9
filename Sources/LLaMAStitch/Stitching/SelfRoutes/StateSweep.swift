/// The hidden states of one anchor on calibration text, block after block; those that nobody needs any more are let go of.
///
/// `@unchecked Sendable`: `states` changes between jobs only; parts of a job write rows of their own.
final class StateSweep: @unchecked Sendable {
  let anchor: LlamaModel
  /// Rows of all batches.
  let rows: Int
  /// The first row of each sequence.
  let starts: Set<Int>
  private let batches: [(rows: Range<Int>, batch: PackedBatch)]
  private let passes: PassPool
  private let pool: ComputePool
  private var states: [Int: MatrixView] = [:]
  private var reached = -1

  init(_ anchor: LlamaModel, _ batches: [PackedBatch], passes: PassPool, pool: ComputePool) {
    self.anchor = anchor
    self.passes = passes
    self.pool = pool
    var rows = 0
    var starts: Set<Int> = []
    self.batches = batches.map { batch in
      defer { rows += batch.rows }
      starts.formUnion(batch.starts.map { $0 + rows })
      return (rows..<rows + batch.rows, batch)
    }
    self.rows = rows
    self.starts = starts
  }

  /// The state after so many blocks, `[rows × d]`.
  func state(after blocks: Int) -> MatrixView { states[blocks]! }

  /// Computes all states up to that after `blocks` blocks.
  func advance(to blocks: Int) {
    while reached < blocks {
      let before = states[reached]
      let depth = reached + 1
      let after = FloatBuffer(count: rows * anchor.configuration.hiddenSize)
        .matrix(rows: rows, columns: anchor.configuration.hiddenSize)
      pool.run(parts: batches.count) { [self] part in
        let (range, batch) = batches[part]
        passes.lend { worker in
          worker.pass.hiddenStates(
            anchor, batch: batch, from: before.map { (depth - 1, $0.rows(range)) }, to: depth
          ) { visited, state in
            if visited == depth { after.rows(range).dense.copy(from: state.dense) }
          }
        }
      }
      states[depth] = after
      reached = depth
    }
  }

  /// Lets go of the states after fewer blocks.
  func forget(before blocks: Int) { states = states.filter { $0.key >= blocks } }
}

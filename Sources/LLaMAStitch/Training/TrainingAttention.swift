/// Causal attention, forward and backward, a head and a block of query rows at a time.
///
/// Probabilities are not kept: the backward pass computes them again from the scores and each row's log-sum
/// (Dao et al. 2022), so memory grows with the length of a sequence and not with its square.
/// Not thread-safe: each worker has its own.
final class TrainingAttention {
  private static let blockRows = 64
  private let scratch = Arena()

  /// query, attended [N × heads·c], key, value [N × kvHeads·c], logSums [N × heads]; c the head dimension.
  func forward(
    _ block: Block, query: MatrixView, key: MatrixView, value: MatrixView,
    into attended: MatrixView, logSums: VectorView, sequences: [Range<Int>]
  ) {
    let scale = 1 / Float(block.configuration.headDimension).squareRoot()
    forEachTile(block, sequences) { tile in
      scratch.reset()
      let q = query.rows(tile.queries).columns(tile.head)
      let k = key.rows(tile.keys).columns(tile.keyValueHead)
      let v = value.rows(tile.keys).columns(tile.keyValueHead)
      let prefix = tile.prefix(of: block)
      let scores = scratch.matrix(q.rows, tile.before + k.rows)
      let own = scores.columns(tile.before..<scores.columns)
      LinearAlgebra.multiply(q, k.transposed, into: own, alpha: scale)
      if let prefix {
        LinearAlgebra.multiply(q, prefix.keys.transposed, into: scores.columns(0..<tile.before), alpha: scale)
      }
      TrainingKernels.causalSoftmax(
        scores, first: tile.before + tile.first, logSums: tile.logSums(logSums, heads: block.configuration.headCount),
        stride: block.configuration.headCount)
      let out = attended.rows(tile.queries).columns(tile.head)
      LinearAlgebra.multiply(own, v, into: out)
      if let prefix { LinearAlgebra.multiply(scores.columns(0..<tile.before), prefix.values, into: out, beta: 1) }
    }
  }

  /// dQuery, dKey and dValue are written; the gradients of a prefix are added.
  func backward(
    _ block: Block, query: MatrixView, key: MatrixView, value: MatrixView,
    logSums: VectorView, dAttended: MatrixView, dQuery: MatrixView,
    dKey: MatrixView, dValue: MatrixView, sequences: [Range<Int>], _ gradients: GradientBuffer
  ) {
    let scale = 1 / Float(block.configuration.headDimension).squareRoot()
    dKey.dense.fill(0)
    dValue.dense.fill(0)
    forEachTile(block, sequences) { tile in
      scratch.reset()
      let q = query.rows(tile.queries).columns(tile.head)
      let k = key.rows(tile.keys).columns(tile.keyValueHead)
      let v = value.rows(tile.keys).columns(tile.keyValueHead)
      let dOut = dAttended.rows(tile.queries).columns(tile.head)
      let prefix = tile.prefix(of: block)
      let before = 0..<tile.before
      let probabilities = scratch.matrix(q.rows, tile.before + k.rows)
      let own = tile.before..<probabilities.columns
      LinearAlgebra.multiply(q, k.transposed, into: probabilities.columns(own), alpha: scale)
      if let prefix {
        LinearAlgebra.multiply(q, prefix.keys.transposed, into: probabilities.columns(before), alpha: scale)
      }
      TrainingKernels.causalSoftmaxAgain(
        probabilities, first: tile.before + tile.first,
        logSums: tile.logSums(logSums, heads: block.configuration.headCount),
        stride: block.configuration.headCount)
      LinearAlgebra.multiply(
        probabilities.columns(own).transposed, dOut,
        into: dValue.rows(tile.keys).columns(tile.keyValueHead), beta: 1)
      let dScores = scratch.matrix(q.rows, probabilities.columns)
      LinearAlgebra.multiply(dOut, v.transposed, into: dScores.columns(own))
      if let prefix { LinearAlgebra.multiply(dOut, prefix.values.transposed, into: dScores.columns(before)) }
      TrainingKernels.softmaxBackward(probabilities: probabilities, gradient: dScores, scale: scale)
      let dQuery = dQuery.rows(tile.queries).columns(tile.head)
      LinearAlgebra.multiply(dScores.columns(own), k, into: dQuery)
      if let prefix {
        LinearAlgebra.multiply(dScores.columns(before), prefix.keys, into: dQuery, beta: 1)
        if let keys = tile.gradient(of: block.attention.prefix?.keys, gradients) {
          LinearAlgebra.multiply(dScores.columns(before).transposed, q, into: keys, beta: 1)
        }
        if let values = tile.gradient(of: block.attention.prefix?.values, gradients) {
          LinearAlgebra.multiply(probabilities.columns(before).transposed, dOut, into: values, beta: 1)
        }
      }
      LinearAlgebra.multiply(
        dScores.columns(own).transposed, q, into: dKey.rows(tile.keys).columns(tile.keyValueHead), beta: 1)
    }
  }

  /// A block of query rows of one head, and the keys it may see.
  private struct Tile {
    var queries: Range<Int>
    var keys: Range<Int>
    /// Query row 0 sees keys 0 … first.
    var first: Int
    /// Columns of the head in query and attended.
    var head: Range<Int>
    /// Columns of its group in key and value.
    var keyValueHead: Range<Int>
    var headIndex: Int
    /// Keys before the text's own.
    var before: Int

    /// Those keys and their values.
    func prefix(of block: Block) -> (keys: MatrixView, values: MatrixView)? {
      block.attention.prefix.map {
        ($0.keys.floatsInPlace!.columns(keyValueHead), $0.values.floatsInPlace!.columns(keyValueHead))
      }
    }

    func gradient(of matrix: WeightMatrix?, _ gradients: GradientBuffer) -> MatrixView? {
      matrix.flatMap { gradients.matrix($0) }?.columns(keyValueHead)
    }

    func logSums(_ all: VectorView, heads: Int) -> VectorView {
      all.slice(queries.lowerBound * heads + headIndex..<queries.upperBound * heads)
    }
  }

  private func forEachTile(_ block: Block, _ sequences: [Range<Int>], _ body: (Tile) -> Void) {
    let c = block.configuration.headDimension
    let group = block.configuration.headCount / block.configuration.keyValueHeadCount
    for sequence in sequences {
      for head in 0..<block.configuration.headCount {
        let keyValueHead = head / group
        var start = sequence.lowerBound
        while start < sequence.upperBound {
          let end = min(start + Self.blockRows, sequence.upperBound)
          body(
            Tile(
              queries: start..<end, keys: sequence.lowerBound..<end, first: start - sequence.lowerBound,
              head: head * c..<(head + 1) * c, keyValueHead: keyValueHead * c..<(keyValueHead + 1) * c,
              headIndex: head, before: block.attention.prefix?.length ?? 0))
          start = end
        }
      }
    }
  }
}

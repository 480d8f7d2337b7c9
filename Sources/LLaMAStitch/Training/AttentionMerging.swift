import Foundation

/// UniPT's merging of all z (see `ParallelNetwork`), forward and backward.
///
/// Scores are computed again in the backward pass, some query rows at a time, so that memory grows with the length of a
/// sequence and not with its square.
struct AttentionMerging: Merging {
  let out: MatrixView

  private static let blockRows = 64
  private let zs: [MatrixView]
  private let sequences: [Range<Int>]
  private let confidence: WeightVector
  private let projection: WeightMatrix
  private let norm: WeightVector
  private let arena: Arena
  private let scratch: Arena
  /// Means of the tokens so far, of each z.
  private let means: [MatrixView]
  /// m, of each z but the guide's.
  private let attended: [MatrixView]
  /// How much each counts, `[N × L]`.
  private let shares: MatrixView
  /// What they add up to, P of it, and the inverse root mean squares of that.
  private let sum: MatrixView
  private let projected: MatrixView
  private let inverse: VectorView

  private var guide: MatrixView { zs[zs.count - 1] }
  private var width: Int { guide.columns }

  init(
    _ zs: [MatrixView], _ sequences: [Range<Int>], confidence: WeightVector, projection: WeightMatrix,
    norm: WeightVector, _ arena: Arena, _ scratch: Arena
  ) {
    self.zs = zs
    self.sequences = sequences
    self.confidence = confidence
    self.projection = projection
    self.norm = norm
    self.arena = arena
    self.scratch = scratch
    let guide = zs[zs.count - 1]
    let (n, width) = (guide.rows, guide.columns)
    means = zs.map { Self.means(of: $0, sequences, arena) }
    let last = means[zs.count - 1]
    shares = arena.matrix(n, zs.count - 1)
    sum = arena.matrix(n, width)
    sum.dense.fill(0)
    var attended: [MatrixView] = []
    for (index, z) in zs.dropLast().enumerated() {
      let m = arena.matrix(n, width)
      for tile in Self.tiles(sequences) {
        let mark = scratch.mark
        let keys = z.rows(tile.keys)
        let weights = scratch.matrix(tile.queries.count, tile.keys.count)
        LinearAlgebra.multiply(guide.rows(tile.queries), keys.transposed, into: weights)
        _ = Self.weigh(weights, first: tile.first, inverse: scratch.vector(tile.queries.count))
        LinearAlgebra.multiply(weights, keys, into: m.rows(tile.queries))
        scratch.release(to: mark)
      }
      TrainingKernels.add(z, to: m)
      attended.append(m)
      for row in 0..<n {
        var logit: Float = 0
        for column in 0..<width { logit += confidence.values[column] * last[row, column] * means[index][row, column] }
        shares[row, index] = logit
      }
    }
    self.attended = attended
    for row in 0..<n {
      var logSum: Float = 0
      TrainingKernels.softmax(shares.row(row), logSum: &logSum)
      for (index, m) in attended.enumerated() {
        for column in 0..<width { sum[row, column] += shares[row, index] * m[row, column] }
      }
    }
    projected = arena.matrix(n, width)
    projection.multiply(sum, into: projected, scratch: scratch)
    inverse = arena.vector(n)
    out = arena.matrix(n, width)
    TrainingKernels.rmsNorm(
      projected, weight: norm.values, epsilon: SideNetwork.epsilon, into: out, inverseRMS: inverse)
    TrainingKernels.add(guide, to: out)
    out.dense.rectify()
  }

  func backward(_ dOut: MatrixView, _ gradients: GradientBuffer) -> [MatrixView] {
    let n = guide.rows
    func zeros() -> MatrixView {
      let matrix = arena.matrix(n, width)
      matrix.dense.fill(0)
      return matrix
    }
    let (dzs, dMeans) = (zs.map { _ in zeros() }, zs.map { _ in zeros() })
    let (dGuide, dLast) = (dzs[zs.count - 1], dMeans[zs.count - 1])
    dOut.dense.rectifyBackward(out.dense)
    TrainingKernels.add(dOut, to: dGuide)
    let dProjected = zeros()
    TrainingKernels.rmsNormBackward(
      dOut, x: projected, weight: norm.values, inverseRMS: inverse, addingTo: dProjected,
      weightGradient: gradients.vector(norm))
    if let own = gradients.matrix(projection) {
      LinearAlgebra.multiply(dProjected.transposed, sum, into: own, beta: 1)
    }
    let dSum = arena.matrix(n, width)
    projection.multiplyBackward(dProjected, into: dSum, accumulate: false, scratch: scratch)

    let dLogits = arena.matrix(n, attended.count)
    for row in 0..<n {
      var mean: Float = 0
      for (index, m) in attended.enumerated() {
        var slope: Float = 0
        for column in 0..<width { slope += dSum[row, column] * m[row, column] }
        dLogits[row, index] = slope
        mean += slope * shares[row, index]
      }
      for index in attended.indices { dLogits[row, index] = shares[row, index] * (dLogits[row, index] - mean) }
    }
    let dConfidence = gradients.vector(confidence)
    let last = means[zs.count - 1]
    let dAttended = arena.matrix(n, width)
    for index in attended.indices {
      for row in 0..<n {
        let (share, slope) = (shares[row, index], dLogits[row, index])
        for column in 0..<width {
          dAttended[row, column] = share * dSum[row, column]
          let (own, other) = (means[index][row, column], last[row, column])
          if let dConfidence { dConfidence[column] += slope * own * other }
          dMeans[index][row, column] += slope * confidence.values[column] * other
          dLast[row, column] += slope * confidence.values[column] * own
        }
      }
      TrainingKernels.add(dAttended, to: dzs[index])
      attendBackward(zs[index], dAttended, dz: dzs[index], dGuide: dGuide)
    }
    for (dMean, dz) in zip(dMeans, dzs) { meansBackward(dMean, dz: dz) }
    return dzs
  }

  // MARK: Attention

  private typealias Tile = (queries: Range<Int>, keys: Range<Int>, first: Int)

  private static func tiles(_ sequences: [Range<Int>]) -> [Tile] {
    sequences.flatMap { sequence in
      stride(from: sequence.lowerBound, to: sequence.upperBound, by: blockRows).map { start in
        let end = min(start + blockRows, sequence.upperBound)
        return (start..<end, sequence.lowerBound..<end, start - sequence.lowerBound)
      }
    }
  }

  /// Scores become weights in place: rectified, over their sum; row i sees `first + i + 1` columns.
  private static func weigh(_ scores: MatrixView, first: Int, inverse: VectorView) -> VectorView {
    for row in 0..<scores.rows {
      let values = scores.row(row)
      var total: Float = 0
      for column in 0...first + row {
        values[column] = max(0, values[column])
        total += values[column]
      }
      inverse[row] = 1 / (total + ParallelNetwork.least)
      for column in 0..<scores.columns { values[column] = column > first + row ? 0 : values[column] * inverse[row] }
    }
    return inverse
  }

  private func attendBackward(_ z: MatrixView, _ dAttended: MatrixView, dz: MatrixView, dGuide: MatrixView) {
    for tile in Self.tiles(sequences) {
      let mark = scratch.mark
      let (queries, keys) = (guide.rows(tile.queries), z.rows(tile.keys))
      let d = dAttended.rows(tile.queries)
      let weights = scratch.matrix(tile.queries.count, tile.keys.count)
      LinearAlgebra.multiply(queries, keys.transposed, into: weights)
      let inverse = Self.weigh(weights, first: tile.first, inverse: scratch.vector(tile.queries.count))
      LinearAlgebra.multiply(weights.transposed, d, into: dz.rows(tile.keys), beta: 1)
      let slopes = scratch.matrix(tile.queries.count, tile.keys.count)
      LinearAlgebra.multiply(d, keys.transposed, into: slopes)
      for row in 0..<slopes.rows {
        let (slope, weight) = (slopes.row(row), weights.row(row))
        let mean = Float(TrainingKernels.dot(slope, weight))
        for column in 0..<slopes.columns {
          slope[column] = weight[column] > 0 ? inverse[row] * (slope[column] - mean) : 0
        }
      }
      LinearAlgebra.multiply(slopes, keys, into: dGuide.rows(tile.queries), beta: 1)
      LinearAlgebra.multiply(slopes.transposed, queries, into: dz.rows(tile.keys), beta: 1)
      scratch.release(to: mark)
    }
  }

  // MARK: Means

  /// Of the tokens of a sequence up to each.
  private static func means(of z: MatrixView, _ sequences: [Range<Int>], _ arena: Arena) -> MatrixView {
    let means = arena.matrix(z.rows, z.columns)
    for sequence in sequences {
      let total = arena.vector(z.columns)
      total.fill(0)
      for (index, row) in sequence.enumerated() {
        let scale = 1 / Float(index + 1)
        for column in 0..<z.columns {
          total[column] += z[row, column]
          means[row, column] = total[column] * scale
        }
      }
    }
    return means
  }

  private func meansBackward(_ dMeans: MatrixView, dz: MatrixView) {
    for sequence in sequences {
      var total = [Float](repeating: 0, count: width)
      for (index, row) in sequence.enumerated().reversed() {
        let scale = 1 / Float(index + 1)
        for column in 0..<width {
          total[column] += dMeans[row, column] * scale
          dz[row, column] += total[column]
        }
      }
    }
  }
}

import Foundation

/// SHERL's merging of all z (see `ParallelNetwork`), forward and backward: of every token by itself.
struct AntiRedundancyMerging: Merging {
  let out: MatrixView

  private let zs: [MatrixView]
  private let weighing: WeightVector
  private let arena: Arena

  private var guide: MatrixView { zs[zs.count - 1] }
  private var width: Int { guide.columns }
  private var early: Int { zs.count - 1 }

  init(_ zs: [MatrixView], weighing: WeightVector, _ arena: Arena) {
    self.zs = zs
    self.weighing = weighing
    self.arena = arena
    out = arena.matrix(zs[0].rows, zs[0].columns)
    let mark = arena.mark
    let token = Token(early: early, width: width, arena)
    for row in 0..<out.rows {
      token.weigh(zs, row, weighing.values)
      out.row(row).copy(from: guide.row(row))
      for index in 0..<early {
        for column in 0..<width { out[row, column] += token.shares[index] * zs[index][row, column] }
      }
    }
    arena.release(to: mark)
    out.dense.rectify()
  }

  func backward(_ dOut: MatrixView, _ gradients: GradientBuffer) -> [MatrixView] {
    let dzs = zs.map { z in
      let matrix = arena.matrix(z.rows, z.columns)
      matrix.dense.fill(0)
      return matrix
    }
    dOut.dense.rectifyBackward(out.dense)
    let dGuide = dzs[early]
    TrainingKernels.add(dOut, to: dGuide)
    let dWeighing = gradients.vector(weighing)
    let token = Token(early: early, width: width, arena)
    let (slopes, redundancySlopes) = (arena.vector(early), arena.vector(early))
    let dUnit = arena.vector(width)
    for row in 0..<out.rows where early > 0 {
      token.weigh(zs, row, weighing.values)
      // ∂L/∂q, and that of the sum by which all are divided.
      var mean: Float = 0
      for index in 0..<early {
        slopes[index] = Float(TrainingKernels.dot(dOut.row(row), zs[index].row(row)))
        mean += slopes[index] * token.shares[index]
        TrainingKernels.addScaled(dOut.rows(row..<row + 1), by: token.shares[index], to: dzs[index].rows(row..<row + 1))
      }
      for index in 0..<early {
        let slope = (slopes[index] - mean) / token.total
        redundancySlopes[index] = -slope * token.weights[index] / token.redundancies[index]
        guard token.logits[index] > 0 else { continue }
        let dLogit = slope / token.redundancies[index]
        for column in 0..<width {
          let (z, g) = (zs[index][row, column], guide[row, column])
          if let dWeighing { dWeighing[column] += dLogit * z * g }
          dzs[index][row, column] += dLogit * weighing.values[column] * g
          dGuide[row, column] += dLogit * weighing.values[column] * z
        }
      }
      for index in 0..<early {
        dUnit.fill(0)
        for other in 0..<early where token.cosines[index, other] > 0 {
          let slope = redundancySlopes[index] + redundancySlopes[other]
          for column in 0..<width { dUnit[column] += slope * token.units[other, column] }
        }
        // u = z / (‖z‖ + least)
        let length = token.lengths[index]
        let along = Float(TrainingKernels.dot(dUnit, zs[index].row(row)))
        let norm = length - ParallelNetwork.least
        let shrinking = norm > 0 ? along / (length * length * norm) : 0
        for column in 0..<width {
          dzs[index][row, column] += dUnit[column] / length - shrinking * zs[index][row, column]
        }
      }
    }
    return dzs
  }

  /// What weighs the early z of one token.
  private final class Token {
    let units: MatrixView
    let cosines: MatrixView
    let lengths: VectorView
    let redundancies: VectorView
    let logits: VectorView
    /// Before they are divided by `total`.
    let weights: VectorView
    let shares: VectorView
    private(set) var total: Float = 0

    init(early: Int, width: Int, _ arena: Arena) {
      units = arena.matrix(early, width)
      cosines = arena.matrix(early, early)
      func vector() -> VectorView { arena.vector(early) }
      (lengths, redundancies, logits, weights, shares) = (vector(), vector(), vector(), vector(), vector())
    }

    func weigh(_ zs: [MatrixView], _ row: Int, _ weighing: VectorView) {
      let guide = zs[zs.count - 1]
      for index in 0..<units.rows {
        let z = zs[index].row(row)
        lengths[index] = Float(TrainingKernels.sumOfSquares(z).squareRoot()) + ParallelNetwork.least
        logits[index] = 0
        for column in 0..<z.count {
          units[index, column] = z[column] / lengths[index]
          logits[index] += weighing[column] * z[column] * guide[row, column]
        }
      }
      LinearAlgebra.multiply(units, units.transposed, into: cosines)
      total = ParallelNetwork.least
      for index in 0..<units.rows {
        redundancies[index] = ParallelNetwork.least
        for other in 0..<units.rows { redundancies[index] += max(0, cosines[index, other]) }
        weights[index] = max(0, logits[index]) / redundancies[index]
        total += weights[index]
      }
      for index in 0..<units.rows { shares[index] = weights[index] / total }
    }
  }
}

/// A large matrix of a network in training: floats, trained or not, or frozen weights in the type they are stored in.
///
/// Stored weights stay as they are, so that a large frozen base takes no more memory in training than its files have
/// bytes. Those in BF16 are multiplied as such where the processor can, the other factor being rounded to BF16, as in
/// inference; else they are widened a tile at a time where they are used.
public enum TrainingMatrix: Sendable {
  case floats(TrainingTensor)
  case stored(WeightMatrix)

  /// Floats in a tile, 4 MB: large enough for fast products, small enough to stay in a cache.
  private static let tileLength = 1 << 20

  /// Elements up to which a matrix is widened once and kept: small models are not to widen theirs for every few tokens.
  private static let keptLength = 1 << 18

  /// Frozen weights. Those stored as F32 are used where they lie.
  public init(frozen weights: WeightMatrix) {
    if let floats = weights.floatsInPlace {
      self = .floats(TrainingTensor(values: floats))
    } else if weights.elementCount <= Self.keptLength {
      let floats = FloatBuffer(count: weights.elementCount).matrix(rows: weights.rows, columns: weights.columns)
      weights.widen(0..<weights.rows, into: floats.dense)
      self = .floats(TrainingTensor(values: floats))
    } else {
      self = .stored(weights)
    }
  }

  public var rows: Int {
    switch self {
    case .floats(let tensor): tensor.values.rows
    case .stored(let weights): weights.rows
    }
  }

  public var columns: Int {
    switch self {
    case .floats(let tensor): tensor.values.columns
    case .stored(let weights): weights.columns
    }
  }

  /// Which parameter it is; `nil` if frozen.
  public var parameter: Int? {
    switch self {
    case .floats(let tensor): tensor.parameter
    case .stored: nil
    }
  }

  /// All values, written to `floats` [rows × columns].
  func copy(to floats: VectorView) {
    switch self {
    case .floats(let tensor): floats.copy(from: tensor.values.dense)
    case .stored(let weights): weights.widen(0..<weights.rows, into: floats)
    }
  }

  // MARK: Products

  /// out = x Wᵀ; x [N × columns], out [N × rows].
  func multiply(_ x: MatrixView, into out: MatrixView, scratch: Arena) {
    if let weights = multipliedAsStored {
      let kernels = InferenceKernels.best
      return scratch.lend(bytes: kernels.linearScratch(.bf16, columns: columns, tokens: x.rows)) { lent in
        kernels.linear(
          weights, UnsafeRows(x), tokens: x.rows, into: UnsafeRows(out), rows: 0..<rows, scratch: UnsafeScratch(lent))
      }
    }
    forEachTile(scratch) { rows, tile in LinearAlgebra.multiply(x, tile.transposed, into: out.columns(rows)) }
  }

  /// dx = dy W, added to dx where `accumulate`; dy [N × rows], dx [N × columns].
  func multiplyBack(_ dy: MatrixView, into dx: MatrixView, accumulate: Bool, scratch: Arena) {
    if let weights = multipliedAsStored {
      let kernels = InferenceKernels.best
      return scratch.lend(bytes: kernels.linearBackScratch(rows: rows, tokens: dy.rows)) { lent in
        kernels.linearBack(
          weights, UnsafeRows(dy), tokens: dy.rows, into: UnsafeRows(dx), adding: accumulate,
          scratch: UnsafeScratch(lent))
      }
    }
    forEachTile(scratch) { rows, tile in
      LinearAlgebra.multiply(dy.columns(rows), tile, into: dx, beta: accumulate || rows.lowerBound > 0 ? 1 : 0)
    }
  }

  /// out[i] = row indices[i].
  func gatherRows(_ indices: [Int32], into out: MatrixView) {
    switch self {
    case .floats(let tensor): TrainingKernels.gatherRows(of: tensor.values, IndexBuffer(indices), into: out)
    case .stored(let weights):
      for (place, index) in indices.enumerated() {
        weights.widen(Int(index)..<Int(index) + 1, into: out.row(place))
      }
    }
  }

  /// The weights where they are multiplied in the type they are stored in.
  private var multipliedAsStored: UnsafeWeights? {
    guard case .stored(let weights) = self, weights.elementType == .bf16, InferenceKernels.best.multipliesBack else {
      return nil
    }
    return UnsafeWeights(weights)
  }

  /// Visits all rows in order, as floats that are valid during the visit.
  private func forEachTile(_ scratch: Arena, _ visit: (Range<Int>, MatrixView) -> Void) {
    switch self {
    case .floats(let tensor): visit(0..<rows, tensor.values)
    case .stored(let weights):
      let height = min(rows, max(1, Self.tileLength / max(1, columns)))
      let mark = scratch.mark
      let tile = scratch.matrix(height, columns)
      for start in stride(from: 0, to: rows, by: max(1, height)) {
        let rows = start..<min(start + height, rows)
        let part = tile.rows(0..<rows.count)
        weights.widen(rows, into: part.dense)
        visit(rows, part)
      }
      scratch.release(to: mark)
    }
  }
}

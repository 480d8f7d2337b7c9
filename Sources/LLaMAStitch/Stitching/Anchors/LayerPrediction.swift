import COpenBLAS
import Support

/// Predicts the weights of a block between two neighbours (LESA: Yang et al. 2025, arXiv 2502.13794).
///
/// Of each of the seven kinds of weights, those of all blocks side by side are decomposed, (W₁ … W_L) = U Σ (V₁ … V_L). A small
/// network learns to say a row of Vᵢ by those of Vᵢ₋₁ and Vᵢ₊₁; what it says for two neighbours is the V of a block between
/// them, and W = U Σ V.
///
/// Network, loss, optimiser, epochs and batches are those of the authors' code. That keeps the norms of the first block; here
/// norms and biases are the mean of the neighbours'. U and Σ come from the eigenvectors of Σᵢ Wᵢ Wᵢᵀ, in double precision.
struct LayerPrediction: Sendable {
  private let anchor: LlamaModel
  private let seed: UInt64
  private let pool: ComputePool

  init(_ anchor: LlamaModel, seed: UInt64, pool: ComputePool) throws(ComputeError) {
    try LinearAlgebra.load()
    self.anchor = anchor
    self.seed = seed
    self.pool = pool
  }

  /// Blocks to insert, by the block they come after.
  /// - Throws: `AnchorSizeError.notANumber`.
  func blocks(
    after places: Range<Int>, progress: (_ done: Int, _ all: Int) -> Void
  ) throws(AnchorSizeError) -> [Int: Block] {
    let paths = Block.projectionPaths
    var predicted: [[MatrixView]] = []
    // As many kinds at a time as there are threads: each keeps a copy of its weights.
    for start in stride(from: 0, to: paths.count, by: pool.threads) {
      progress(start, paths.count)
      let kinds = start..<min(start + pool.threads, paths.count)
      let results = Results<[MatrixView]>(count: kinds.count)
      pool.run(parts: kinds.count) { [self] part in
        let kind = kinds.lowerBound + part
        results[part] = predict(
          anchor.blocks.map { $0[keyPath: paths[kind]].weight }, after: places, stream: UInt64(100 + kind))
      }
      for part in 0..<kinds.count {
        guard let found = results[part] else { throw .notANumber("the prediction of weights") }
        predicted.append(found)
      }
    }
    progress(paths.count, paths.count)
    var blocks: [Int: Block] = [:]
    for (index, place) in places.enumerated() {
      var block = anchor.blocks[place]
      let next = anchor.blocks[place + 1]
      for (path, kind) in zip(paths, predicted) {
        block[keyPath: path] = Projection(
          weight: WeightMatrix(kind[index]), bias: Self.mean(block[keyPath: path].bias, next[keyPath: path].bias))
      }
      block.attentionNorm = Self.mean(block.attentionNorm, next.attentionNorm)!
      block.mlpNorm = Self.mean(block.mlpNorm, next.mlpNorm)!
      blocks[place] = block
    }
    return blocks
  }

  private static func mean(_ a: WeightVector?, _ b: WeightVector?) -> WeightVector? {
    guard let a, let b else { return nil }
    return WeightVector(FloatBuffer(zip(a.values.array, b.values.array).map { ($0 + $1) / 2 }).vector)
  }

  /// The weights of one kind between neighbours; `nil` where they are no numbers.
  private func predict(_ weights: [WeightMatrix], after places: Range<Int>, stream: UInt64) -> [MatrixView]? {
    let (rows, columns) = (weights[0].rows, weights[0].columns)
    let all = weights.map { FloatBuffer($0.floats()).matrix(rows: rows, columns: columns) }
    guard let basis = Basis(of: all) else { return nil }
    let coded = all.map(basis.coded)
    var network = PredictionNetwork(width: columns, random: SeededGenerator(seed: seed, stream: stream))
    network.learn(coded)
    let predicted = places.map { basis.decoded(network.predict(coded[$0], coded[$0 + 1])) }
    return predicted.allSatisfy { TrainingKernels.sumOfSquares($0.dense).isFinite } ? predicted : nil
  }

  /// U and Σ of matrices side by side.
  struct Basis {
    /// Uᵀ, one left singular vector a row.
    private let vectors: MatrixView
    private let values: [Float]

    /// `nil` where the decomposition does not converge.
    init?(of matrices: [MatrixView]) {
      let rows = matrices[0].rows
      var gram = [Double](repeating: 0, count: rows * rows)
      for matrix in matrices {
        let exact = matrix.dense.array.map(Double.init)
        let columns = Int32(matrix.columns)
        cob_dgemm(0, 1, Int32(rows), Int32(rows), columns, 1, exact, columns, exact, columns, 1, &gram, Int32(rows))
      }
      var eigenvalues = [Double](repeating: 0, count: rows)
      guard gram.allSatisfy(\.isFinite), cob_dsyev(Int32(rows), &gram, &eigenvalues) == 0 else { return nil }
      vectors = FloatBuffer(gram.map(Float.init)).matrix(rows: rows, columns: rows)
      // What is below the rounding of the sum is no direction of the weights.
      let least = (eigenvalues.max() ?? 0) * 1e-12
      values = eigenvalues.map { $0 > least ? Float($0.squareRoot()) : 0 }
    }

    /// V of one of the matrices.
    func coded(_ matrix: MatrixView) -> MatrixView {
      let code = FloatBuffer(count: matrix.rows * matrix.columns).matrix(rows: matrix.rows, columns: matrix.columns)
      LinearAlgebra.multiply(vectors, matrix, into: code)
      for row in 0..<code.rows { TrainingKernels.scale(code.row(row), by: values[row] > 0 ? 1 / values[row] : 0) }
      return code
    }

    /// U Σ V.
    func decoded(_ code: MatrixView) -> MatrixView {
      let scaled = FloatBuffer(code.dense.array).matrix(rows: code.rows, columns: code.columns)
      for row in 0..<code.rows { TrainingKernels.scale(scaled.row(row), by: values[row]) }
      let matrix = FloatBuffer(count: code.rows * code.columns).matrix(rows: code.rows, columns: code.columns)
      LinearAlgebra.multiply(vectors.transposed, scaled, into: matrix)
      return matrix
    }
  }
}

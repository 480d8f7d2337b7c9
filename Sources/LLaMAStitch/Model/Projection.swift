/// A low-rank update: `scale · B (A x)`.
public struct LowRank: Sendable {
  /// `[rank × in]`
  public let a: MatrixView
  /// `[out × rank]`
  public let b: MatrixView
  /// α / rank.
  public let scale: Float
  /// What inference reads, of A's and B's shapes: themselves, or copies in fewer bytes.
  let read: (a: WeightMatrix, b: WeightMatrix)

  /// - Parameter rounded: A and B in BF16, for inference beside quantised weights, whose error is larger.
  package init(a: MatrixView, b: MatrixView, scale: Float, rounded: (a: WeightMatrix, b: WeightMatrix)?) {
    precondition(a.rows == b.columns, "A and B of different ranks")
    precondition(a.stride == a.columns && b.stride == b.columns, "low-rank factors must be dense")
    let read = rounded ?? (WeightMatrix(a), WeightMatrix(b))
    precondition(
      (read.a.rows, read.a.columns, read.b.rows, read.b.columns) == (a.rows, a.columns, b.rows, b.columns),
      "rounded factors of another shape")
    self.a = a
    self.b = b
    self.scale = scale
    self.read = read
  }

  public init(a: MatrixView, b: MatrixView, scale: Float) { self.init(a: a, b: b, scale: scale, rounded: nil) }

  public var rank: Int { a.rows }
}

/// A linear map with everything ESTA adds to it: `y = W x + b + Δb + scale · B (A x)`.
///
/// Used for the seven projections of a block, and as stitching layer from one residual stream to another.
public struct Projection: Sendable {
  /// W, `[out × in]`
  public var weight: WeightMatrix
  /// b, `[out]`
  public var bias: VectorView?
  /// A and B, shared by all stitches that pass through.
  public var lowRank: LowRank?
  /// Δb, `[out]`, a stitch's own.
  public var extraBias: VectorView?

  public init(
    weight: WeightMatrix, bias: VectorView? = nil, lowRank: LowRank? = nil, extraBias: VectorView? = nil
  ) {
    precondition(bias.map { $0.count == weight.rows } ?? true, "a bias of another width than its output")
    precondition(extraBias.map { $0.count == weight.rows } ?? true, "a bias of another width than its output")
    precondition(
      lowRank.map { $0.b.rows == weight.rows && $0.a.columns == weight.columns } ?? true,
      "a low-rank update of another shape than its weights")
    self.weight = weight
    self.bias = bias
    self.lowRank = lowRank
    self.extraBias = extraBias
  }

  public var inputSize: Int { weight.columns }
  public var outputSize: Int { weight.rows }

  /// Multiplications and additions per token, counted apart.
  public var flopsPerToken: Int {
    2 * (weight.elementCount + (lowRank.map { $0.rank * (weight.rows + weight.columns) } ?? 0))
  }

  public var parameterCount: Int {
    weight.elementCount + (bias?.count ?? 0) + (extraBias?.count ?? 0)
      + (lowRank.map { $0.rank * (weight.rows + weight.columns) } ?? 0)
  }

  /// Bytes read per token.
  public var byteCount: Int {
    weight.byteCount + (lowRank.map { $0.read.a.byteCount + $0.read.b.byteCount } ?? 0)
      + 4 * ((bias?.count ?? 0) + (extraBias?.count ?? 0))
  }
}

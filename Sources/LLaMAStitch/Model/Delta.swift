/// One thing that an adapter adds to what a projection computes.
public enum Delta: Sendable {
  /// `scale · B (A x)`
  case lowRank(LowRank)
  /// Δb, `[out]`
  case bias(WeightVector)

  func fits(inputs: Int, outputs: Int) -> Bool {
    switch self {
    case .lowRank(let update): update.a.columns == inputs && update.b.rows == outputs
    case .bias(let bias): bias.count == outputs
    }
  }

  public var flopsPerToken: Int {
    switch self {
    case .lowRank(let update): 2 * update.parameterCount
    case .bias: 0
    }
  }

  public var parameterCount: Int {
    switch self {
    case .lowRank(let update): update.parameterCount
    case .bias(let bias): bias.count
    }
  }

  /// Bytes read per token.
  public var byteCount: Int {
    switch self {
    case .lowRank(let update): update.read.a.byteCount + update.read.b.byteCount
    case .bias(let bias): 4 * bias.count
    }
  }

  /// The parameters of a store that it uses.
  var parameters: [Int] {
    switch self {
    case .lowRank(let update): [update.a.parameter, update.b.parameter].compactMap { $0 }
    case .bias(let bias): [bias.parameter].compactMap { $0 }
    }
  }
}

/// A low-rank update (Hu et al. 2021, arXiv 2106.09685): `scale · B (A x)`.
public struct LowRank: Sendable {
  /// `[rank × in]`, F32
  public let a: WeightMatrix
  /// `[out × rank]`, F32
  public let b: WeightMatrix
  /// α / rank.
  public let scale: Float
  /// What inference reads, of A's and B's shapes: themselves, or copies in fewer bytes.
  let read: (a: WeightMatrix, b: WeightMatrix)

  /// - Parameter rounded: A and B in BF16, for inference beside quantised weights, whose error is larger.
  package init(a: WeightMatrix, b: WeightMatrix, scale: Float, rounded: (a: WeightMatrix, b: WeightMatrix)?) {
    precondition(a.rows == b.columns, "A and B of different ranks")
    precondition(a.floatsInPlace != nil && b.floatsInPlace != nil, "low-rank factors must be floats")
    let read = rounded ?? (a, b)
    precondition(
      (read.a.rows, read.a.columns, read.b.rows, read.b.columns) == (a.rows, a.columns, b.rows, b.columns),
      "rounded factors of another shape")
    self.a = a
    self.b = b
    self.scale = scale
    self.read = read
  }

  public init(a: WeightMatrix, b: WeightMatrix, scale: Float) { self.init(a: a, b: b, scale: scale, rounded: nil) }

  public init(a: MatrixView, b: MatrixView, scale: Float) {
    self.init(a: WeightMatrix(a), b: WeightMatrix(b), scale: scale)
  }

  public var rank: Int { a.rows }
  var parameterCount: Int { a.elementCount + b.elementCount }

  /// Several updates as one: their ranks side by side, each one's scale in its B.
  /// - Parameter updates: at least one; with the same inputs and outputs.
  static func combined(_ updates: [LowRank]) -> LowRank {
    precondition(!updates.isEmpty)
    if updates.count == 1 { return updates[0] }
    let rank = updates.reduce(0) { $0 + $1.rank }
    let (inputs, outputs) = (updates[0].a.columns, updates[0].b.rows)
    let a = FloatBuffer(count: rank * inputs).matrix(rows: rank, columns: inputs)
    let b = FloatBuffer(count: outputs * rank).matrix(rows: outputs, columns: rank)
    var first = 0
    for update in updates {
      let ranks = first..<first + update.rank
      a.rows(ranks).dense.copy(from: update.a.floats())
      let factors = update.b.floats()
      for row in 0..<outputs {
        for index in 0..<update.rank { b[row, first + index] = update.scale * factors[row * update.rank + index] }
      }
      first = ranks.upperBound
    }
    // In fewer bytes where all are.
    guard updates.allSatisfy({ $0.read.a.elementType == .bf16 }) else { return LowRank(a: a, b: b, scale: 1) }
    let rounded = WeightMatrix.bfloat16([a, b])
    return LowRank(a: WeightMatrix(a), b: WeightMatrix(b), scale: 1, rounded: (rounded[0], rounded[1]))
  }
}

/// One thing that an adapter adds to what a projection computes.
public enum Delta: Sendable {
  /// `scale · B (A x)`
  case lowRank(LowRank)
  /// Δb, `[out]`
  case bias(WeightVector)
  /// γ, `[out]`: what is computed so far, number by number times it (DiffFit: Xie et al. 2023, arXiv 2304.06648). The
  /// last one of a projection.
  case scale(WeightVector)
  /// `scale · Σ (S ⊗ U V) x`
  case kronecker(KroneckerSum)

  func fits(inputs: Int, outputs: Int) -> Bool {
    switch self {
    case .lowRank(let update): update.a.columns == inputs && update.b.rows == outputs
    case .bias(let vector), .scale(let vector): vector.count == outputs
    case .kronecker(let sum): sum.inputs == inputs && sum.outputs == outputs
    }
  }

  var isScale: Bool { if case .scale = self { true } else { false } }

  /// The rank of the low-rank update that inference makes of it; 0 where it makes none.
  var rank: Int {
    switch self {
    case .lowRank(let update): update.rank
    case .kronecker(let sum): sum.expandedRank
    case .bias, .scale: 0
    }
  }

  /// Whether its gradient depends on what the projection reads.
  var readsInput: Bool { rank > 0 }

  public var flopsPerToken: Int {
    switch self {
    case .lowRank(let update): 2 * update.parameterCount
    case .kronecker(let sum): 2 * sum.expandedRank * (sum.inputs + sum.outputs)
    case .bias, .scale: 0
    }
  }

  public var parameterCount: Int {
    switch self {
    case .lowRank(let update): update.parameterCount
    case .kronecker(let sum): sum.parameterCount
    case .bias(let vector), .scale(let vector): vector.count
    }
  }

  /// Bytes read per token.
  public var byteCount: Int {
    switch self {
    case .lowRank(let update): update.read.a.byteCount + update.read.b.byteCount
    case .kronecker(let sum): 4 * sum.expandedRank * (sum.inputs + sum.outputs)
    case .bias(let vector), .scale(let vector): 4 * vector.count
    }
  }

  /// The parameters of a store that it uses.
  var parameters: [Int] {
    switch self {
    case .lowRank(let update): [update.a.parameter, update.b.parameter].compactMap { $0 }
    case .bias(let vector), .scale(let vector): [vector.parameter].compactMap { $0 }
    case .kronecker(let sum): [sum.mixing, sum.up, sum.down].compactMap(\.parameter)
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
  /// What inference reads: A and B themselves, or copies in fewer bytes.
  let read: Factors

  /// A and B as they are multiplied. B has the rank's columns, and where it is quantised more, of zeros, to whole blocks.
  package struct Factors: Sendable {
    let a: WeightMatrix
    let b: WeightMatrix
  }

  /// - Parameter read: of the same A and B, where it is not themselves.
  package init(a: WeightMatrix, b: WeightMatrix, scale: Float, read: Factors?) {
    precondition(a.rows == b.columns, "A and B of different ranks")
    precondition(a.floatsInPlace != nil && b.floatsInPlace != nil, "low-rank factors must be floats")
    let read = read ?? Factors(a: a, b: b)
    precondition(
      (read.a.rows, read.a.columns, read.b.rows) == (a.rows, a.columns, b.rows) && read.b.columns >= b.columns,
      "factors of another shape")
    self.a = a
    self.b = b
    self.scale = scale
    self.read = read
  }

  public init(a: WeightMatrix, b: WeightMatrix, scale: Float) { self.init(a: a, b: b, scale: scale, read: nil) }

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
    // In fewer bytes where all are: in those of the finest.
    let types = Set(updates.map(\.read.a.elementType))
    guard types.allSatisfy(\.isQuantized) else { return LowRank(a: a, b: b, scale: 1) }
    let type = types.count == 1 ? types.first! : .q8_0
    return LowRank(a: WeightMatrix(a), b: WeightMatrix(b), scale: 1, read: quantized([(a, b, type)])[0])
  }

  /// The factors of updates beside quantised weights, whose inputs are whole blocks, rounded, in one buffer.
  /// - Returns: for each, `nil` where values are not finite or too large for a scale.
  package static func quantized(_ updates: [(a: MatrixView, b: MatrixView, type: ElementType)]) -> [Factors?] {
    let factors = WeightMatrix.quantized(updates.flatMap { [($0.a, $0.type), ($0.b, $0.type)] })
    return updates.indices.map { index in
      factors[2 * index].flatMap { a in factors[2 * index + 1].map { b in Factors(a: a, b: b) } }
    }
  }
}

/// A linear map with what an adapter adds to it: `y = W x + b + Σ deltas`.
///
/// Used for the seven projections of a block, and as stitching layer from one hidden state to another.
public struct Projection: Sendable {
  /// W, `[out × in]`
  public var weight: WeightMatrix
  /// b, `[out]`
  public var bias: WeightVector?
  /// What adapters add, in order.
  public var deltas: [Delta] {
    didSet { checkDeltas() }
  }

  public init(weight: WeightMatrix, bias: WeightVector? = nil, deltas: [Delta] = []) {
    precondition(bias.map { $0.count == weight.rows } ?? true, "a bias of another width than its output")
    self.weight = weight
    self.bias = bias
    self.deltas = deltas
    checkDeltas()
  }

  private func checkDeltas() {
    precondition(
      deltas.allSatisfy { $0.fits(inputs: weight.columns, outputs: weight.rows) },
      "a delta of another shape than its weights")
    precondition(deltas.dropLast().allSatisfy { !$0.isScale }, "a scale before another delta")
  }

  public var inputSize: Int { weight.columns }
  public var outputSize: Int { weight.rows }

  /// Multiplications and additions per token, counted apart.
  public var flopsPerToken: Int { deltas.reduce(2 * weight.elementCount) { $0 + $1.flopsPerToken } }
  public var parameterCount: Int {
    deltas.reduce(weight.elementCount + (bias?.count ?? 0)) { $0 + $1.parameterCount }
  }
  /// Bytes read per token.
  public var byteCount: Int { deltas.reduce(weight.byteCount + 4 * (bias?.count ?? 0)) { $0 + $1.byteCount } }

  /// γ, by which the output is multiplied in the end.
  var scale: WeightVector? {
    if case .scale(let scale) = deltas.last { scale } else { nil }
  }

  /// The parameters of a store that it uses.
  var parameters: [Int] { [weight.parameter, bias?.parameter].compactMap { $0 } + deltas.flatMap(\.parameters) }
}

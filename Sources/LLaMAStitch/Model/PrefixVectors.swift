/// Trained keys and values that every token of a text attends to before the text's own (prefix tuning: Li & Liang 2021,
/// arXiv 2101.00190, as in He et al. 2022, arXiv 2110.04366): `softmax(q [P_k; k]ᵀ / √d) [P_v; v]`.
///
/// They take the first positions of the context, and the text the ones behind. A key stands as it is met, as if it had been
/// rotated already: so does PEFT with LLaMAs.
public struct PrefixVectors: Sendable {
  /// P_k, `[length × keyValueHeads · headDimension]`, F32
  public let keys: WeightMatrix
  /// P_v, `[length × keyValueHeads · headDimension]`, F32
  public let values: WeightMatrix

  public init(keys: WeightMatrix, values: WeightMatrix) {
    precondition(keys.rows == values.rows && keys.columns == values.columns, "keys and values of different shapes")
    precondition(keys.floatsInPlace != nil && values.floatsInPlace != nil, "a prefix must be floats")
    self.keys = keys
    self.values = values
  }

  /// Positions that it takes.
  public var length: Int { keys.rows }
  var parameterCount: Int { keys.elementCount + values.elementCount }
  /// The parameters of a store that it uses.
  var parameters: [Int] { [keys.parameter, values.parameter].compactMap { $0 } }
}

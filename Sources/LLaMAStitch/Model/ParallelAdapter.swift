import Support

/// A bottleneck beside the MLP of a block, the scaled parallel adapter of He et al. 2022 (arXiv 2110.04366):
/// `mlp(x) + s · (U relu(D x + b) + c)`, x being what the MLP reads.
public struct ParallelAdapter: Sendable {
  /// D, `[width × hidden]`, F32
  public let down: WeightMatrix
  /// b, `[width]`
  public let downBias: WeightVector
  /// U, `[hidden × width]`, F32
  public let up: WeightMatrix
  /// c, `[hidden]`
  public let upBias: WeightVector
  /// s
  public let scale: Float

  public init(down: WeightMatrix, downBias: WeightVector, up: WeightMatrix, upBias: WeightVector, scale: Float) {
    precondition(
      down.rows == up.columns && down.columns == up.rows && downBias.count == down.rows && upBias.count == up.rows,
      "a parallel adapter of parts that do not fit")
    precondition(down.floatsInPlace != nil && up.floatsInPlace != nil, "a parallel adapter must be floats")
    self.down = down
    self.downBias = downBias
    self.up = up
    self.upBias = upBias
    self.scale = scale
  }

  public var width: Int { down.rows }
  var flopsPerToken: Int { 2 * (down.elementCount + up.elementCount) }
  var parameterCount: Int { down.elementCount + up.elementCount + downBias.count + upBias.count }
  /// Bytes read per token.
  var byteCount: Int { 4 * parameterCount }
  /// The parameters of a store that it uses.
  var parameters: [Int] {
    [down.parameter, downBias.parameter, up.parameter, upBias.parameter].compactMap { $0 }
  }
}

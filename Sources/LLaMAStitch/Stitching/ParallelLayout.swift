import Support

/// The shape of parallel adapters (see `ParallelAdapter`).
public struct ParallelOptions: Sendable, Equatable, Codable {
  /// The bottleneck.
  public var width: Int
  /// s.
  public var scale: Float

  public init(width: Int = 64, scale: Float = 4) {
    self.width = width
    self.scale = scale
  }
}

/// The tensors of parallel adapters, which all stitches that pass through a block share: `anchors.NAME.layers.N.parallel.down`
/// `[width × hidden]`, `.down_bias` `[width]`, `.up` `[hidden × width]`, `.up_bias` `[hidden]`.
extension AdapterLayout {
  /// Everything of one block, by name and shape.
  func parallelShapes(_ anchor: Int, _ block: Int) -> [(name: String, shape: [Int])] {
    guard let parallel = options.parallel else { return [] }
    let hidden = configurations[anchor].hiddenSize
    return [
      ("down", [parallel.width, hidden]), ("down_bias", [parallel.width]), ("up", [hidden, parallel.width]),
      ("up_bias", [hidden]),
    ].map { (parallelName(anchor, block, $0), $1) }
  }

  private func parallelName(_ anchor: Int, _ block: Int, _ part: String) -> String {
    "anchors.\(names[anchor]).layers.\(block).parallel.\(part)"
  }

  static func isParallel(_ name: String) -> Bool { name.split(separator: ".").dropLast().last == "parallel" }

  /// What stands beside the MLP of a block; `nil` where nothing does.
  func parallel(_ anchor: Int, _ block: Int, from tensors: some DeltaTensors) -> ParallelAdapter? {
    guard let parallel = options.parallel, let down = tensors.matrix(parallelName(anchor, block, "down")),
      let downBias = tensors.bias(parallelName(anchor, block, "down_bias")),
      let up = tensors.matrix(parallelName(anchor, block, "up")),
      let upBias = tensors.bias(parallelName(anchor, block, "up_bias"))
    else { return nil }
    return ParallelAdapter(down: down, downBias: downBias, up: up, upBias: upBias, scale: parallel.scale)
  }

  /// What a tensor is before training: D random, all else zero, so that nothing is added (as a low-rank update begins; the
  /// paper's code begins so, too).
  static func startParallel(_ parameter: Parameter, _ values: VectorView, _ random: inout SeededGenerator) {
    guard parameter.name.hasSuffix(".down") else { return values.fill(0) }
    values.fillUniformly(within: 1 / Float(parameter.shape[1]).squareRoot(), &random)
  }
}

extension AdapterLayout {
  /// The tensor of several parallel adapters as one, which is as wide as all together: exactly their sum. `nil` if it is
  /// none of a parallel adapter.
  /// - Parameter parts: with what each one's output is multiplied by.
  static func joinedParallel(_ name: String, _ parts: [(tensor: MatrixView, weight: Float)]) -> MatrixView? {
    guard isParallel(name) else { return nil }
    if name.hasSuffix(".up_bias") {
      let sum = FloatBuffer(count: parts[0].tensor.columns).matrix(rows: 1, columns: parts[0].tensor.columns)
      for (tensor, weight) in parts {
        for column in 0..<sum.columns { sum[0, column] += weight * tensor[0, column] }
      }
      return sum
    }
    // D has the widths one below the other, and b and U side by side.
    let stacks = name.hasSuffix(".down")
    let rows = stacks ? parts.reduce(0) { $0 + $1.tensor.rows } : parts[0].tensor.rows
    let columns = stacks ? parts[0].tensor.columns : parts.reduce(0) { $0 + $1.tensor.columns }
    let joined = FloatBuffer(count: rows * columns).matrix(rows: rows, columns: columns)
    var start = 0
    for (tensor, weight) in parts {
      let factor = name.hasSuffix(".up") ? weight : 1
      for row in 0..<tensor.rows {
        for column in 0..<tensor.columns {
          joined[stacks ? start + row : row, stacks ? column : start + column] = factor * tensor[row, column]
        }
      }
      start += stacks ? tensor.rows : tensor.columns
    }
    return joined
  }
}

extension AdapterOptions {
  /// What of it does not add up with another's; `nil` where all does.
  var notAdditive: String? { parallel != nil && side == nil && prefix == nil && prompt == nil ? nil : unmergeable }

  /// What of it cannot be weakened; `nil` where all can.
  public var unscalable: String? { side == nil ? notAdditive : nil }
}

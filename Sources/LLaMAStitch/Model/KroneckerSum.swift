import Support

/// A sum of Kronecker products of a small matrix and a low-rank one (ALoRE: Du et al. 2024, arXiv 2412.08341, whose
/// parameterisation is that of Zhang et al. 2021, arXiv 2102.08597): `scale · Σᵢ (Sᵢ ⊗ Uᵢ Vᵢ) x`.
///
/// With x and y cut into n parts, `y_l += scale · Σᵢ Σ_k Sᵢ[l, k] · Uᵢ (Vᵢ x_k)`: every expert i sees each part alike, and
/// its S says where what it found goes.
public struct KroneckerSum: Sendable {
  /// S, one below the other, `[experts · n × n]`, F32
  public let mixing: WeightMatrix
  /// U, side by side, `[out / n × experts · rank]`, F32
  public let up: WeightMatrix
  /// V, one below the other, `[experts · rank × in / n]`, F32
  public let down: WeightMatrix
  public let scale: Float

  public init(mixing: WeightMatrix, up: WeightMatrix, down: WeightMatrix, scale: Float) {
    precondition(mixing.columns > 0 && mixing.rows % mixing.columns == 0, "mixing matrices that are not square")
    precondition(down.rows == up.columns, "U and V of different ranks")
    precondition(down.rows % (mixing.rows / mixing.columns) == 0, "experts of different ranks")
    precondition(
      [mixing, up, down].allSatisfy { $0.floatsInPlace != nil }, "the factors of a Kronecker sum must be floats")
    self.mixing = mixing
    self.up = up
    self.down = down
    self.scale = scale
  }

  /// n: parts of the input and of the output.
  public var factor: Int { mixing.columns }
  public var experts: Int { mixing.rows / factor }
  /// Of one expert.
  public var rank: Int { down.rows / experts }
  public var inputs: Int { factor * down.columns }
  public var outputs: Int { factor * up.rows }
  var parameterCount: Int { mixing.elementCount + up.elementCount + down.elementCount }

  /// The rank of the same as one low-rank update.
  var expandedRank: Int { experts * factor * rank }

  /// The same as one low-rank update, which it exactly is: `Sᵢ ⊗ Uᵢ Vᵢ = (Sᵢ ⊗ Uᵢ) (1 ⊗ Vᵢ)`.
  package var expanded: LowRank {
    let (factors, up, down) = (mixing.floatsInPlace!, up.floatsInPlace!, down.floatsInPlace!)
    let a = FloatBuffer(count: expandedRank * inputs).matrix(rows: expandedRank, columns: inputs)
    let b = FloatBuffer(count: outputs * expandedRank).matrix(rows: outputs, columns: expandedRank)
    for expert in 0..<experts {
      for part in 0..<factor {
        for place in 0..<rank {
          let row = (expert * factor + part) * rank + place
          a.row(row).slice(part * down.columns..<(part + 1) * down.columns).copy(from: down.row(expert * rank + place))
          for target in 0..<factor {
            let weight = factors[expert * factor + target, part]
            for output in 0..<up.rows {
              b[target * up.rows + output, row] = weight * up[output, expert * rank + place]
            }
          }
        }
      }
    }
    return LowRank(a: WeightMatrix(a), b: WeightMatrix(b), scale: scale)
  }
}

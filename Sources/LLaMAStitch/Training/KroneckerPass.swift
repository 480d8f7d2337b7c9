/// A sum of Kronecker products, forward and backward, without ever making the products: `z = t M`, where t holds V x of
/// each part of x, and M the S of all experts as one matrix.
extension TrainingPass {
  /// Adds scale · Σ (S ⊗ U V) x to `out`; returns t, [N × n · experts · rank].
  func forward(_ sum: KroneckerSum, _ x: MatrixView, addingTo out: MatrixView) -> MatrixView {
    let width = sum.down.rows
    let found = arena.matrix(x.rows, sum.factor * width)
    for part in 0..<sum.factor {
      LinearAlgebra.multiply(
        x.part(part, width: sum.down.columns), sum.down.floatsInPlace!.transposed, into: found.part(part, width: width))
    }
    let mark = scratch.mark
    let mixed = scratch.matrix(x.rows, found.columns)
    LinearAlgebra.multiply(found, mixing(sum), into: mixed)
    for part in 0..<sum.factor {
      LinearAlgebra.multiply(
        mixed.part(part, width: width), sum.up.floatsInPlace!.transposed, into: out.part(part, width: sum.up.rows),
        alpha: sum.scale, beta: 1)
    }
    scratch.release(to: mark)
    return found
  }

  /// Adds the gradients of S, U and V, and ∂L/∂x to `dx`, if it is given.
  /// - Parameter found: t of the forward pass.
  func backward(
    _ sum: KroneckerSum, x: MatrixView, found: MatrixView, dy: MatrixView, dx: MatrixView?, _ gradients: GradientBuffer
  ) {
    let mark = scratch.mark
    let width = sum.down.rows
    let mixing = mixing(sum)
    let dMixed = scratch.matrix(x.rows, found.columns)
    for part in 0..<sum.factor {
      LinearAlgebra.multiply(
        dy.part(part, width: sum.up.rows), sum.up.floatsInPlace!, into: dMixed.part(part, width: width),
        alpha: sum.scale)
    }
    if let gradient = gradients.matrix(sum.up) {
      let mixed = scratch.matrix(x.rows, found.columns)
      LinearAlgebra.multiply(found, mixing, into: mixed)
      for part in 0..<sum.factor {
        LinearAlgebra.multiply(
          dy.part(part, width: sum.up.rows).transposed, mixed.part(part, width: width), into: gradient,
          alpha: sum.scale, beta: 1)
      }
    }
    if let gradient = gradients.matrix(sum.mixing) {
      let dMixing = scratch.matrix(mixing.rows, mixing.columns)
      LinearAlgebra.multiply(found.transposed, dMixed, into: dMixing)
      sum.forEachPlace { expert, target, part, place, row, column in
        gradient[expert * sum.factor + target, part] += dMixing[row, column]
      }
    }
    let dFound = scratch.matrix(x.rows, found.columns)
    LinearAlgebra.multiply(dMixed, mixing.transposed, into: dFound)
    for part in 0..<sum.factor {
      if let gradient = gradients.matrix(sum.down) {
        LinearAlgebra.multiply(
          dFound.part(part, width: width).transposed, x.part(part, width: sum.down.columns), into: gradient, beta: 1)
      }
      if let dx {
        LinearAlgebra.multiply(
          dFound.part(part, width: width), sum.down.floatsInPlace!, into: dx.part(part, width: sum.down.columns),
          beta: 1)
      }
    }
    scratch.release(to: mark)
  }

  /// M: where what an expert finds in a part goes.
  private func mixing(_ sum: KroneckerSum) -> MatrixView {
    let matrix = scratch.matrix(sum.expandedRank, sum.expandedRank)
    matrix.dense.fill(0)
    let factors = sum.mixing.floatsInPlace!
    sum.forEachPlace { expert, target, part, place, row, column in
      matrix[row, column] = factors[expert * sum.factor + target, part]
    }
    return matrix
  }
}

extension KroneckerSum {
  /// Visits the elements of M that are not zero by nature: each S[target, part] as often as an expert has ranks.
  fileprivate func forEachPlace(
    _ visit: (_ expert: Int, _ target: Int, _ part: Int, _ place: Int, _ row: Int, _ column: Int) -> Void
  ) {
    for expert in 0..<experts {
      for target in 0..<factor {
        for part in 0..<factor {
          for place in 0..<rank {
            let within = expert * rank + place
            visit(expert, target, part, place, part * down.rows + within, target * down.rows + within)
          }
        }
      }
    }
  }
}

extension MatrixView {
  /// One of the parts of equal width that the columns are cut into.
  fileprivate func part(_ index: Int, width: Int) -> MatrixView { columns(index * width..<(index + 1) * width) }
}

/// The head of a network and its loss, forward and backward.
extension TrainingPass {
  /// Rows of logits held at a time, and floats that they may take where that leaves enough rows for a fast product.
  private static let headRows = 256
  private static let headLength = 4 << 20
  private static let leastHeadRows = 64

  /// The final norm of a network, [N × d].
  private func normed(_ stream: MatrixView, _ network: Network, inverseRMS: VectorView) -> MatrixView {
    let normed = scratch.matrix(stream.rows, stream.columns)
    TrainingKernels.rmsNorm(
      stream, weight: network.finalNorm.values, epsilon: network.finalNormEpsilon, into: normed,
      inverseRMS: inverseRMS)
    return normed
  }

  /// Some rows of a matrix.
  private func gathered(_ rows: IndexBuffer, of matrix: MatrixView) -> MatrixView {
    let gathered = scratch.matrix(rows.count, matrix.columns)
    TrainingKernels.gatherRows(of: matrix, rows, into: gathered)
    return gathered
  }

  /// Final norm, logits and cross-entropy of the rows that have targets, a chunk of rows at a time so that the
  /// logits of a large vocabulary never exist all at once. `streamGradient` becomes ∂L/∂stream.
  func head(
    _ network: Network, _ stream: MatrixView, _ rows: RowPlan, lesson: Lesson?, lossScale: Float,
    gradients: GradientBuffer?, streamGradient: MatrixView, losses: ((Float) -> Void)?
  ) -> Double {
    let mark = scratch.mark
    let width = stream.columns
    let inverse = scratch.vector(stream.rows)
    let normed = self.normed(stream, network, inverseRMS: inverse)
    let taught = lesson.map { self.normed($0.stream, $0.teacher.network, inverseRMS: scratch.vector($0.stream.rows)) }
    let dNormed = scratch.matrix(stream.rows, width)
    if gradients != nil { dNormed.dense.fill(0) }

    let most = max(Self.leastHeadRows, min(Self.headRows, Self.headLength / max(1, network.head.outputSize)))
    var total = 0.0
    var start = 0
    while start < rows.targetRows.count {
      let range = start..<min(start + most, rows.targetRows.count)
      let chunk = rows.targetRows[range]
      start = chunk.endIndex
      let chunkMark = scratch.mark
      let indices = IndexBuffer(chunk)
      let targets = IndexBuffer(chunk.map { rows.targets[Int($0)] })
      let x = gathered(indices, of: normed)
      let logits = scratch.matrix(chunk.count, network.head.outputSize)
      network.head.weight.multiply(x, into: logits, scratch: scratch)
      let each = losses == nil ? nil : scratch.vector(chunk.count)
      if let lesson, let taught {
        let head = lesson.teacher.network.head.weight
        let teacher = scratch.matrix(chunk.count, head.rows)
        // Its rows are others where it reads something else before a text; the targets are the same, in order.
        head.multiply(
          gathered(IndexBuffer(lesson.rows.targetRows[range]), of: taught), into: teacher, scratch: scratch)
        switch lesson.teacher.loss {
        case .divergence(let share):
          total += TrainingKernels.distill(
            logits: logits, teacher: teacher, targets: targets, scale: lossScale, share: share, losses: each)
        case .logits(let weight):
          total += TrainingKernels.matchLogits(
            logits: logits, teacher: teacher, targets: targets, scale: lossScale, weight: weight, losses: each)
        }
      } else {
        total += TrainingKernels.crossEntropy(logits: logits, targets: targets, scale: lossScale, losses: each)
      }
      if let each, let losses { for index in 0..<each.count { losses(each[index]) } }
      if let gradients {
        if let gradient = gradients.matrix(network.head.weight) {
          LinearAlgebra.multiply(logits.transposed, x, into: gradient, beta: 1)
        }
        let dx = scratch.matrix(chunk.count, width)
        network.head.weight.multiplyBackward(logits, into: dx, accumulate: false, scratch: scratch)
        TrainingKernels.scatterAddRows(of: dx, to: dNormed, indices)
      }
      scratch.release(to: chunkMark)
    }
    if let gradients {
      streamGradient.dense.fill(0)
      TrainingKernels.rmsNormBackward(
        dNormed, x: stream, weight: network.finalNorm.values, inverseRMS: inverse,
        addingTo: streamGradient, weightGradient: gradients.vector(network.finalNorm))
    }
    scratch.release(to: mark)
    return total
  }
}

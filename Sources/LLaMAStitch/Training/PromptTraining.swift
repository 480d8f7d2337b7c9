/// What a network reads besides tokens, in training: the vectors of a soft prompt are rows of a batch before those of each
/// sequence, without targets.
extension TrainingPass {
  /// What enters the first block, [N × d].
  func embed(_ network: Network, _ rows: RowPlan) -> MatrixView {
    let stream = arena.matrix(rows.tokens.count, network.embedding.columns)
    network.embedding.gatherRows(rows.tokenIDs, into: stream)
    guard let prompt = network.prompt else { return stream }
    let embeddings = prompt.embeddings.floatsInPlace!
    for sequence in rows.sequences {
      stream.rows(sequence.lowerBound..<sequence.lowerBound + prompt.length).dense.copy(from: embeddings.dense)
      let (text, updated) = Self.updated(sequence, prompt)
      LinearAlgebra.multiply(
        prompt.positions.floatsInPlace!.rows(0..<updated), prompt.update.floatsInPlace!.transposed,
        into: stream.rows(text..<text + updated), beta: 1)
    }
    return stream
  }

  /// Adds the gradients of what a prompt has.
  /// - Parameter gradient: ∂L/∂ what entered the first block.
  func backward(_ prompt: SoftPrompt, _ gradient: MatrixView, _ rows: RowPlan, _ gradients: GradientBuffer) {
    for sequence in rows.sequences {
      if let embeddings = gradients.matrix(prompt.embeddings) {
        TrainingKernels.add(
          gradient.rows(sequence.lowerBound..<sequence.lowerBound + prompt.length), to: embeddings)
      }
      let (text, updated) = Self.updated(sequence, prompt)
      let dText = gradient.rows(text..<text + updated)
      if let positions = gradients.matrix(prompt.positions) {
        LinearAlgebra.multiply(dText, prompt.update.floatsInPlace!, into: positions.rows(0..<updated), beta: 1)
      }
      if let update = gradients.matrix(prompt.update) {
        LinearAlgebra.multiply(
          dText.transposed, prompt.positions.floatsInPlace!.rows(0..<updated), into: update, beta: 1)
      }
    }
  }

  /// Where a sequence's text begins, and how many of its tokens have an update.
  private static func updated(_ sequence: Range<Int>, _ prompt: SoftPrompt) -> (text: Int, count: Int) {
    (sequence.lowerBound + prompt.length, min(sequence.count - prompt.length, prompt.positions.rows))
  }
}

extension PackedBatch {
  /// The same with so many rows before each sequence that are no tokens.
  func preceded(by count: Int) -> PackedBatch {
    var longer = PackedBatch()
    for index in 0..<sequenceCount {
      let range = range(ofSequence: index)
      longer.append(
        tokens: Array(repeating: 0, count: count) + tokens[range],
        targets: Array(repeating: Self.ignored, count: count) + targets[range])
    }
    return longer
  }
}

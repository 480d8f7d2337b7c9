import Support

/// A block between two of an anchor, every tensor of which is *α* times that of the one before and *β* times that of the one
/// behind it, so that two numbers are all that is learned of it (Replacement Learning: Zhang et al. 2024, arXiv 2410.01239).
///
/// In the paper a network is trained with some of its layers replaced so, by its task's loss. Here the other layers are those
/// of an anchor that is trained already. *α* and *β* begin at ½. What comes out are weights like any other: healing trains
/// them apart from the neighbours.
struct CombinedBlock: LearnedBlock {
  static let learningRate: Float = 0.02

  private struct Part {
    let name: String
    let shape: [Int]
    let before, after: FloatBuffer
  }

  /// The block before, whose shapes and settings it has.
  private let like: Block
  private let name: String
  private let parts: [Part]

  init(of before: Block, and after: Block, name: String) {
    like = before
    self.name = name
    var parts: [Part] = []
    for (index, path) in Block.projectionPaths.enumerated() {
      let (one, other) = (before[keyPath: path], after[keyPath: path])
      parts.append(
        Part(
          name: "\(name).\(index).weight", shape: [one.outputSize, one.inputSize],
          before: FloatBuffer(one.weight.floats()), after: FloatBuffer(other.weight.floats())))
      if let bias = one.bias, let otherBias = other.bias {
        parts.append(
          Part(
            name: "\(name).\(index).bias", shape: [one.outputSize], before: FloatBuffer(bias.values.array),
            after: FloatBuffer(otherBias.values.array)))
      }
    }
    for (norm, path) in Block.normPaths {
      parts.append(
        Part(
          name: "\(name).\(norm).norm", shape: [before[keyPath: path].count],
          before: FloatBuffer(before[keyPath: path].values.array), after: FloatBuffer(after[keyPath: path].values.array)
        ))
    }
    self.parts = parts
  }

  var start: [Float] { [0.5, 0.5] }

  var declarations: [ParameterStore.Declaration] { parts.map { .init($0.name, shape: $0.shape, decays: false) } }

  func block(in store: ParameterStore) -> Block {
    block(matrix: { store.matrix($0)! }, vector: { store.vector($0) })
  }

  func copy(from store: ParameterStore) -> Block {
    func values(_ name: String) -> FloatBuffer? { store.index(of: name).map { FloatBuffer(store.value($0).array) } }
    return block(
      matrix: { name in
        let shape = parts.first { $0.name == name }!.shape
        return WeightMatrix(values(name)!.matrix(rows: shape[0], columns: shape[1]))
      }, vector: { values($0).map { WeightVector($0.vector) } })
  }

  private func block(matrix: (String) -> WeightMatrix, vector: (String) -> WeightVector?) -> Block {
    var block = like
    for (index, path) in Block.projectionPaths.enumerated() {
      block[keyPath: path] = Projection(
        weight: matrix("\(name).\(index).weight"), bias: vector("\(name).\(index).bias"))
    }
    for (norm, path) in Block.normPaths { block[keyPath: path] = vector("\(name).\(norm).norm")! }
    return block
  }

  func write(_ numbers: VectorView, to store: ParameterStore) {
    let (before, after) = (numbers[0], numbers[1])
    for part in parts {
      let values = store.value(store.index(of: part.name)!)
      for index in 0..<values.count {
        values.base[index] = before * part.before.base[index] + after * part.after.base[index]
      }
    }
  }

  func numberGradients(_ gradients: [String: [Float]]) -> [Float] {
    var (before, after) = (0.0, 0.0)
    for part in parts {
      guard let found = gradients[part.name] else { continue }
      let gradient = FloatBuffer(found).vector
      before += TrainingKernels.dot(gradient, part.before.vector)
      after += TrainingKernels.dot(gradient, part.after.vector)
    }
    return [Float(before), Float(after)]
  }
}

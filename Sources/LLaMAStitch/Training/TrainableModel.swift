/// What training needs of a model beyond what inference does: weights that lie in a store, and frozen ones in a form that
/// products of many rows like.
extension LlamaModel {
  /// A model whose every tensor is in a store, under `prefix`.
  public init(configuration: LlamaConfiguration, store: ParameterStore, prefix: String = "") {
    func declared<Tensor>(_ tensor: Tensor?, _ name: LlamaTensor) -> Tensor {
      guard let tensor else { preconditionFailure("\(prefix)\(name.huggingFaceName) was not declared") }
      return tensor
    }
    self.init(
      configuration: configuration,
      matrix: { declared(store.matrix(prefix + $0.huggingFaceName), $0) },
      vector: { declared(store.vector(prefix + $0.huggingFaceName), $0) })
  }

  /// The same with small matrices as floats: they are not to be dequantized for every few tokens. Quantised ones become
  /// BF16 where the processor multiplies that as it is and all of them take little enough memory.
  public var preparedForTraining: LlamaModel {
    let weights = [head.weight] + blocks.flatMap { block in Block.projectionPaths.map { block[keyPath: $0].weight } }
    let quantised = weights.reduce(0) { $0 + ($1.elementType.isQuantized ? $1.elementCount : 0) }
    let rounds = InferenceKernels.best.multipliesBackward && quantised <= Self.mostRounded
    return LlamaModel(
      configuration: configuration, embedding: embedding.preparedForTraining(rounding: false),
      blocks: blocks.map { block in
        var block = block
        for path in Block.projectionPaths {
          block[keyPath: path] = block[keyPath: path].preparedForTraining(rounding: rounds)
        }
        return block
      },
      finalNorm: finalNorm, head: head.preparedForTraining(rounding: rounds))
  }

  /// Elements of a model's quantised matrices up to which they are rounded to BF16 once: 1 GB.
  private static let mostRounded = 1 << 29

  /// The values of a tensor of a model whose weights are floats, as a trained one's are.
  func floats(_ tensor: LlamaTensor) -> VectorView {
    switch self.tensor(tensor) {
    case .vector(let vector): return vector.values
    case .matrix(let weights):
      guard let floats = weights.floatsInPlace else { preconditionFailure("weights that are not floats") }
      return floats.dense
    }
  }
}

extension LlamaConfiguration {
  /// Declarations for training every weight; names get `prefix`.
  public func declarations(prefix: String = "") -> [ParameterStore.Declaration] {
    tensorShapes.map { .init(prefix + $0.name, shape: $0.shape, decays: $0.shape.count > 1) }
  }
}

extension Assembler {
  /// The same with small matrices as floats.
  var preparedForTraining: Assembler {
    Assembler(
      anchors: anchors.map(\.preparedForTraining),
      layers: layers.mapValues { $0.map { $0.preparedForTraining(rounding: false) } },
      healing: healing)
  }
}

extension Projection {
  /// The same with weights in a form that products of many rows like.
  fileprivate func preparedForTraining(rounding: Bool) -> Projection {
    Projection(weight: weight.preparedForTraining(rounding: rounding), bias: bias, deltas: deltas)
  }

  /// Whether a gradient of one of its parts depends on x.
  var hasUseForInput: Bool {
    weight.parameter != nil || deltas.contains(where: \.readsInput)
  }
}

// MARK: - Products

/// Large frozen matrices stay in the type they are stored in, so that they take no more memory in training than their
/// files have bytes. Those in BF16 are multiplied as such where the processor can, the other factor being rounded to
/// BF16, as in inference; else they are dequantized a tile at a time where they are used.
extension WeightMatrix {
  /// Floats in a tile, 4 MB: large enough for fast products, small enough to stay in a cache.
  private static let tileLength = 1 << 20

  /// Elements up to which a matrix is dequantized once and kept.
  private static let keptLength = 1 << 18

  /// - Parameter rounding: whether a large quantised matrix becomes BF16.
  fileprivate func preparedForTraining(rounding: Bool) -> WeightMatrix {
    let rounds = rounding && elementType.isQuantized
    if floatsInPlace != nil || (elementCount > Self.keptLength && !rounds) { return self }
    let floats = FloatBuffer(count: elementCount).matrix(rows: rows, columns: columns)
    dequantize(0..<rows, into: floats.dense)
    return elementCount > Self.keptLength ? WeightMatrix.bfloat16([floats])[0] : WeightMatrix(floats)
  }

  /// out = x Wᵀ; x [N × columns], out [N × rows].
  func multiply(_ x: MatrixView, into out: MatrixView, scratch: Arena) {
    if multipliesAsStored {
      return InferenceKernels.best.multiply(self, x, into: out, scratch: scratch)
    }
    forEachTile(scratch) { rows, tile in LinearAlgebra.multiply(x, tile.transposed, into: out.columns(rows)) }
  }

  /// dx = dy W, added to dx where `accumulate`; dy [N × rows], dx [N × columns].
  func multiplyBackward(_ dy: MatrixView, into dx: MatrixView, accumulate: Bool, scratch: Arena) {
    if multipliesAsStored {
      return InferenceKernels.best.multiplyBackward(self, dy, into: dx, adding: accumulate, scratch: scratch)
    }
    forEachTile(scratch) { rows, tile in
      LinearAlgebra.multiply(dy.columns(rows), tile, into: dx, beta: accumulate || rows.lowerBound > 0 ? 1 : 0)
    }
  }

  /// out[i] = row indices[i].
  func gatherRows(_ indices: [Int32], into out: MatrixView) {
    if let floats = floatsInPlace {
      return TrainingKernels.gatherRows(of: floats, IndexBuffer(indices), into: out)
    }
    for (place, index) in indices.enumerated() { dequantize(Int(index)..<Int(index) + 1, into: out.row(place)) }
  }

  /// Whether products are made in the type the weights are stored in.
  private var multipliesAsStored: Bool { elementType == .bf16 && InferenceKernels.best.multipliesBackward }

  /// Visits all rows in order, as floats that are valid during the visit.
  private func forEachTile(_ scratch: Arena, _ visit: (Range<Int>, MatrixView) -> Void) {
    if let floats = floatsInPlace { return visit(0..<rows, floats) }
    let height = min(rows, max(1, Self.tileLength / max(1, columns)))
    let mark = scratch.mark
    let tile = scratch.matrix(height, columns)
    for start in stride(from: 0, to: rows, by: max(1, height)) {
      let rows = start..<min(start + height, rows)
      let part = tile.rows(0..<rows.count)
      dequantize(rows, into: part.dense)
      visit(rows, part)
    }
    scratch.release(to: mark)
  }
}

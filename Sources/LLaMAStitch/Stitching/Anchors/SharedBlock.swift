import Support

/// A block that shares the attention and the MLP of the block before it and has norms of its own (WideNet's sharing across
/// depth: Xue et al. 2021, arXiv 2107.11817).
///
/// In the paper all blocks of a network share them and it is trained from nothing, with experts in place of the MLP. Here two
/// neighbours share those of an anchor that is trained already; the gains of the new one's norms begin as its neighbour's.
struct SharedBlock: LearnedBlock {
  /// Of 0.01, 0.02, 0.05, 0.1 and 0.2 the one that brings SmolLM2-135M, with two blocks more, nearest to itself.
  static let learningRate: Float = 0.1

  private let shared: Block
  /// The same in the form that is trained through.
  private let prepared: Block
  private let name: String

  init(of block: Block, prepared: Block, name: String) {
    shared = block
    self.prepared = prepared
    self.name = name
  }

  var start: [Float] { Block.normPaths.flatMap { shared[keyPath: $0.path].values.array } }

  var declarations: [ParameterStore.Declaration] {
    Block.normPaths.map { .init("\(name).\($0.name).norm", shape: [shared[keyPath: $0.path].count], decays: false) }
  }

  func block(in store: ParameterStore) -> Block { Self.block(prepared, name) { store.vector($0)! } }

  func write(_ numbers: VectorView, to store: ParameterStore) {
    var offset = 0
    for declaration in declarations {
      let values = store.value(store.index(of: declaration.name)!)
      values.copy(from: numbers.slice(offset..<offset + values.count))
      offset += values.count
    }
  }

  func numberGradients(_ gradients: [String: [Float]]) -> [Float] {
    declarations.flatMap { gradients[$0.name]! }
  }

  func copy(from store: ParameterStore) -> Block {
    Self.block(shared, name) { WeightVector(FloatBuffer(store.value(store.index(of: $0)!).array).vector) }
  }

  private static func block(_ block: Block, _ name: String, norm: (String) -> WeightVector) -> Block {
    var block = block
    for kind in Block.normPaths { block[keyPath: kind.path] = norm("\(name).\(kind.name).norm") }
    return block
  }
}

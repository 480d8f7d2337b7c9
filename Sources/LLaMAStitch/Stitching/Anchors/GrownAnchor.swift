import Support

/// A deeper anchor out of one: more blocks, the same width.
public struct GrownAnchor {
  public enum Method: String, Sendable, CaseIterable {
    /// Blocks between neighbours, predicted from the pattern of all (LESA: Yang et al. 2025, arXiv 2502.13794).
    case lesa
    /// The first blocks, then the last ones, those in the middle twice (depth up-scaling: Kim et al. 2023, arXiv
    /// 2312.15166).
    case copy
    /// Copies that add nothing at first, evenly spread: the model answers as before (LLaMA Pro: Wu et al. 2024, arXiv
    /// 2401.02415).
    case zero
    /// Blocks between neighbours, evenly spread, whose weights are a learned combination of the neighbours' (Replacement
    /// Learning: Zhang et al. 2024, arXiv 2410.01239).
    case replace
    /// Blocks that share the attention and the MLP of the one before, evenly spread, with norms of their own, which are learned
    /// (WideNet's sharing across depth: Xue et al. 2021, arXiv 2107.11817).
    case share

    /// Whether it learns on a text.
    public var needsText: Bool { self == .replace || self == .share }
  }

  public let model: LlamaModel
  /// Of each block, the one of the original it is a copy of or shares weights with; `nil` for one that was predicted or
  /// combined.
  public let origins: [Int?]
  /// Of each block that is a combination of its neighbours, what it has of the one before and of the one behind; empty
  /// where there is none.
  public let factors: [[Float]]
  /// How far what it says was from what the anchor says while factors or norms were learned, nats per token.
  public let losses: [Double]

  /// - Parameters:
  ///   - blocks: how many the deeper one has.
  ///   - batches: text to learn on, where the method does.
  ///   - progress: hears how much of how much is learned.
  /// - Throws: `AnchorSizeError`, `ComputeError`.
  public init(
    _ anchor: LlamaModel, blocks count: Int, method: Method, batches: [PackedBatch] = [], seed: UInt64 = 1,
    pool: ComputePool, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws {
    let depth = anchor.blocks.count
    try Self.check(blocks: count, of: depth, method)
    let more = count - depth
    // After the last block of each of as many groups as there are new ones.
    let ends = (1...more).map { $0 * depth / more - 1 }
    var learned: LearnedBlocks?
    switch method {
    case .copy:
      origins = Array(0..<count - count / 2) + Array(depth - count / 2..<depth)
      model = anchor.with(blocks: origins.map { anchor.blocks[$0!] })
    case .zero:
      (origins, model) = Self.inserted(
        ends.map { anchor.blocks[$0].addingNothing }, in: anchor, after: ends, origins: ends)
    case .share:
      let prepared = anchor.preparedForTraining
      let shared = ends.map { SharedBlock(of: anchor.blocks[$0], prepared: prepared.blocks[$0], name: "\($0)") }
      learned = try LearnedBlocks(shared, in: prepared, after: ends, batches: batches, pool: pool, progress: progress)
      (origins, model) = Self.inserted(learned!.blocks, in: anchor, after: ends, origins: ends)
    case .replace:
      // Behind the last block of each of as many groups of gaps as there are new ones.
      let places = (1...more).map { $0 * (depth - 1) / more - 1 }
      let combined = places.map { CombinedBlock(of: anchor.blocks[$0], and: anchor.blocks[$0 + 1], name: "\($0)") }
      learned = try LearnedBlocks(
        combined, in: anchor.preparedForTraining, after: places, batches: batches, pool: pool, progress: progress)
      (origins, model) = Self.inserted(learned!.blocks, in: anchor, after: places)
    case .lesa:
      // As in the paper between the last ones, which change least.
      let gaps = depth - 1 - more..<depth - 1
      let predicted = try LayerPrediction(anchor, seed: seed, pool: pool).blocks(after: gaps, progress: progress)
      (origins, model) = Self.inserted(gaps.map { predicted[$0]! }, in: anchor, after: Array(gaps))
    }
    factors = method == .replace ? learned!.numbers : []
    losses = learned?.losses ?? []
  }

  /// An anchor with new blocks after some of its own.
  /// - Parameter origins: of the new ones, whose copies they are; absent where they are nobody's.
  private static func inserted(
    _ new: [Block], in anchor: LlamaModel, after places: [Int], origins copied: [Int]? = nil
  ) -> (origins: [Int?], model: LlamaModel) {
    var (origins, blocks) = ([Int?](), [Block]())
    for (index, block) in anchor.blocks.enumerated() {
      origins.append(index)
      blocks.append(block)
      if let place = places.firstIndex(of: index) {
        origins.append(copied?[place])
        blocks.append(new[place])
      }
    }
    return (origins, anchor.with(blocks: blocks))
  }

  /// Whether a method makes so many blocks of an anchor's.
  /// - Throws: `AnchorSizeError`.
  public static func check(blocks count: Int, of depth: Int, _ method: Method) throws(AnchorSizeError) {
    let isBetween = method == .lesa || method == .replace
    let (least, most) = (method == .lesa ? 3 : method == .replace ? 2 : 1, isBetween ? 2 * depth - 1 : 2 * depth)
    if depth < least { throw .tooShallow(depth, needed: least) }
    guard count > depth, count <= most else {
      throw .blocks(count, of: depth, possible: depth + 1...max(depth + 1, most))
    }
  }
}

extension Block {
  /// The same, whose attention and MLP add zero to the hidden state.
  fileprivate var addingNothing: Block {
    var block = self
    for path in [\Block.attention.output, \Block.mlp.down] {
      let projection = block[keyPath: path]
      block[keyPath: path] = Projection(
        weight: WeightMatrix(
          FloatBuffer(count: projection.weight.elementCount)
            .matrix(rows: projection.outputSize, columns: projection.inputSize)),
        bias: projection.bias.map { WeightVector(FloatBuffer(count: $0.count).vector) })
    }
    return block
  }
}

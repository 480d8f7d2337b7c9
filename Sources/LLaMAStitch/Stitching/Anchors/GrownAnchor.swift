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
  }

  public let model: LlamaModel
  /// Of each block, the one of the original it is a copy of; `nil` for one that was predicted.
  public let origins: [Int?]

  /// - Parameters:
  ///   - blocks: how many the deeper one has.
  ///   - progress: hears how many kinds of weights of how many are predicted.
  /// - Throws: `AnchorSizeError`, `ComputeError`.
  public init(
    _ anchor: LlamaModel, blocks count: Int, method: Method, seed: UInt64 = 1, pool: ComputePool,
    progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws {
    let depth = anchor.blocks.count
    let most = Self.most(method, depth: depth)
    if method == .lesa && depth < 3 { throw AnchorSizeError.tooShallow(depth, needed: 3) }
    guard count > depth, count <= most else {
      throw AnchorSizeError.blocks(count, of: depth, possible: depth + 1...max(depth + 1, most))
    }
    let more = count - depth
    switch method {
    case .copy:
      origins = Array(0..<count - count / 2) + Array(depth - count / 2..<depth)
      model = anchor.with(blocks: origins.map { anchor.blocks[$0!] })
    case .zero:
      // After the last block of each of as many groups as there are new ones.
      let ends = Set((1...more).map { $0 * depth / more - 1 })
      var (origins, blocks) = ([Int?](), [Block]())
      for (index, block) in anchor.blocks.enumerated() {
        origins += [index] + (ends.contains(index) ? [index] : [])
        blocks += [block] + (ends.contains(index) ? [block.addingNothing] : [])
      }
      self.origins = origins
      model = anchor.with(blocks: blocks)
    case .lesa:
      // As in the paper between the last ones, which change least.
      let gaps = depth - 1 - more..<depth - 1
      let predicted = try LayerPrediction(anchor, seed: seed, pool: pool).blocks(after: gaps, progress: progress)
      var (origins, blocks) = ([Int?](), [Block]())
      for (index, block) in anchor.blocks.enumerated() {
        origins.append(index)
        blocks.append(block)
        if let new = predicted[index] {
          origins.append(nil)
          blocks.append(new)
        }
      }
      self.origins = origins
      model = anchor.with(blocks: blocks)
    }
  }

  private static func most(_ method: Method, depth: Int) -> Int { method == .lesa ? 2 * depth - 1 : 2 * depth }
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

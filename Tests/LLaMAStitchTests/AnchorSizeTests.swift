import Foundation
import LLaMAStitch
import Support
import Testing

/// Anchors with more blocks or fewer.
@Suite struct AnchorSizeTests {
  private static func model(blocks: Int, seed: UInt64 = 5, scale: Double = 0.5) -> LlamaModel {
    let configuration = RandomModel.configuration(blocks: blocks, vocabulary: 40)
    let weights = RandomModel.weights(configuration, seed: seed, scale: scale)
    return LlamaModel(configuration: configuration) { tensor in
      let shape = configuration.shape(of: tensor)
      return WeightMatrix(weights(tensor).matrix(rows: shape[0], columns: shape[1]))
    } vector: {
      WeightVector(weights($0))
    }
  }

  private static func logits(_ model: LlamaModel) throws -> [Float] {
    try InferenceSession(network: model.network()).evaluate((0..<24).map { ($0 * 7 + 3) % 40 }, logits: .all)
      .dense.array
  }

  private static let batches = PackedBatch.batches(
    of: RandomModel.tokens(60, length: 30, vocabulary: 40), contextLength: 64)
  private static let pool = ComputePool(threads: 2)

  // MARK: Shrinking

  /// A map that the blocks left out are is found and folded exactly: what comes out says the same.
  @Test func aLinearMapIsFoldedExactly() throws {
    let model = Self.model(blocks: 5)
    // Blocks that add nothing can be left out for nothing.
    let grown = try GrownAnchor(model, blocks: 10, method: .zero, pool: Self.pool).model
    let expected = try Self.logits(model)
    #expect(try Self.logits(grown) == expected)
    let copies = [1..<2, 3..<4, 5..<6, 7..<8]
    for method in ShrunkAnchor.Method.allCases {
      let shrunk = try ShrunkAnchor(grown, without: copies, method: method, batches: Self.batches, pool: Self.pool)
      #expect(shrunk.model.blocks.count == 6)
      #expect(relativeDifference(try Self.logits(shrunk.model), expected) < 1e-3, "\(method)")
      #expect(shrunk.model.configuration.mlpBias == (method == .fold))
    }
  }

  /// With a fitted map the hidden state, and what is said, are nearer to the whole than with nothing.
  @Test func foldedIsNearerThanDropped() throws {
    let model = Self.model(blocks: 6, scale: 0.7)
    let whole = try Self.logits(model)
    func difference(_ method: ShrunkAnchor.Method) throws -> Double {
      let shrunk = try ShrunkAnchor(model, without: [2..<4], method: method, batches: Self.batches, pool: Self.pool)
      if method == .fold {
        #expect(shrunk.residuals.count == 1 && shrunk.residuals[0] < 1)
      }
      return relativeDifference(try Self.logits(shrunk.model), whole)
    }
    let (folded, dropped) = (try difference(.fold), try difference(.drop))
    #expect(folded < dropped, "\(folded) \(dropped)")
  }

  @Test func blocksThatChangeLeastAreFound() throws {
    let model = Self.model(blocks: 4)
    let grown = try GrownAnchor(model, blocks: 6, method: .zero, pool: Self.pool)
    // The copies after blocks 1 and 3 add nothing; one is the last, which stays.
    #expect(grown.origins == [0, 1, 1, 2, 3, 3])
    for method in ShrunkAnchor.Method.allCases {
      #expect(
        try ShrunkAnchor.spans(
          grown.model, leavingOut: 1, method: method, batches: Self.batches, pool: Self.pool) == [2..<3], "\(method)")
    }
  }

  @Test func spansThatCannotBe() throws {
    let model = Self.model(blocks: 5)
    for spans in [[0..<1], [4..<5], [2..<2], [1..<3, 2..<4], [3..<9]] as [[Range<Int>]] {
      #expect(throws: AnchorSizeError.self, "\(spans)") {
        try ShrunkAnchor(model, without: spans, method: .drop, batches: [], pool: Self.pool)
      }
    }
    for count in [0, 4, 5] {
      #expect(throws: AnchorSizeError.self) {
        try ShrunkAnchor.spans(model, leavingOut: count, method: .fold, batches: Self.batches, pool: Self.pool)
      }
    }
    // No text, no map.
    #expect(throws: AnchorSizeError.self) {
      try ShrunkAnchor(model, without: [1..<2], method: .fold, batches: [], pool: Self.pool)
    }
  }

  // MARK: Growing

  @Test func copiesInTheMiddle() throws {
    let model = Self.model(blocks: 4)
    for (blocks, origins) in [(5, [0, 1, 2, 2, 3]), (6, [0, 1, 2, 1, 2, 3]), (8, [0, 1, 2, 3, 0, 1, 2, 3])] {
      let grown = try GrownAnchor(model, blocks: blocks, method: .copy, pool: Self.pool)
      #expect(grown.origins == origins && grown.model.configuration.blockCount == blocks)
      for (block, origin) in zip(grown.model.blocks, origins) {
        #expect(block.mlp.up.weight.floats() == model.blocks[origin].mlp.up.weight.floats())
      }
    }
    for (method, blocks) in [(GrownAnchor.Method.copy, 9), (.copy, 4), (.zero, 9), (.lesa, 8), (.lesa, 3)] {
      #expect(throws: AnchorSizeError.self, "\(method) \(blocks)") {
        try GrownAnchor(model, blocks: blocks, method: method, pool: Self.pool)
      }
    }
  }

  /// Where weights follow a line over the blocks, one that was predicted lies near the line; a copy of a neighbour does not.
  @Test func predictedBlocksFollowThePattern() throws {
    let (first, last) = (Self.model(blocks: 1, seed: 1), Self.model(blocks: 1, seed: 2))
    let depth = 12
    func between(_ part: Float, _ path: KeyPath<Block, Projection>) -> [Float] {
      zip(first.blocks[0][keyPath: path].weight.floats(), last.blocks[0][keyPath: path].weight.floats())
        .map { (1 - part) * $0 + part * $1 }
    }
    let paths: [WritableKeyPath<Block, Projection>] = [
      \.attention.query, \.attention.key, \.attention.value, \.attention.output, \.mlp.gate, \.mlp.up, \.mlp.down,
    ]
    let blocks = (0..<depth).map { index in
      var block = first.blocks[0]
      for path in paths {
        let weight = block[keyPath: path].weight
        block[keyPath: path] = Projection(
          weight: WeightMatrix(
            FloatBuffer(between(Float(index) / Float(depth - 1), path)).matrix(
              rows: weight.rows, columns: weight.columns)))
      }
      return block
    }
    var configuration = first.configuration
    configuration.blockCount = depth
    let model = LlamaModel(
      configuration: configuration, embedding: first.embedding, blocks: blocks, finalNorm: first.finalNorm,
      head: first.head)
    let grown = try GrownAnchor(model, blocks: depth + 3, method: .lesa, pool: Self.pool)
    #expect(grown.origins.suffix(7) == [8, nil, 9, nil, 10, nil, 11])
    #expect(grown.origins.dropLast(7).map { $0 ?? -1 } == Array(0..<8))
    // The same seed, the same bytes, however many threads.
    let again = try GrownAnchor(model, blocks: depth + 3, method: .lesa, pool: ComputePool(threads: 1))
    for path in paths {
      let predicted = grown.model.blocks[9][keyPath: path].weight.floats()
      #expect(predicted == again.model.blocks[9][keyPath: path].weight.floats())
      let middle = between(8.5 / Float(depth - 1), path)
      let far = first.blocks[0][keyPath: path].weight.floats()
      #expect(relativeDifference(predicted, middle) < 0.7, "\(path)")
      #expect(relativeDifference(predicted, middle) < relativeDifference(far, middle), "\(path)")
    }
    #expect(try Self.logits(grown.model).allSatisfy(\.isFinite))
  }

  /// What a block has of its neighbours is learned from what the anchor says, and is all that is learned of it.
  @Test func combinedBlocks() throws {
    let model = Self.model(blocks: 4, scale: 0.9)
    let grown = try GrownAnchor(model, blocks: 6, method: .replace, batches: Self.batches, pool: Self.pool)
    #expect(grown.origins == [0, nil, 1, 2, nil, 3])
    #expect(grown.factors.count == 2 && grown.factors.allSatisfy { $0 != [0.5, 0.5] })
    #expect(grown.losses.last! < 0.7 * grown.losses[0], "\(grown.losses)")
    for (place, (before, after)) in [(1, (0, 1)), (4, (2, 3))] {
      let factors = grown.factors[place == 1 ? 0 : 1]
      for path in [\Block.attention.query, \Block.mlp.down] as [KeyPath<Block, Projection>] {
        let (one, other) = (model.blocks[before], model.blocks[after])
        let expected = zip(one[keyPath: path].weight.floats(), other[keyPath: path].weight.floats())
          .map { factors[0] * $0 + factors[1] * $1 }
        #expect(relativeDifference(grown.model.blocks[place][keyPath: path].weight.floats(), expected) < 1e-6)
      }
    }
    // The same bytes, however many threads.
    let again = try GrownAnchor(
      model, blocks: 6, method: .replace, batches: Self.batches, pool: ComputePool(threads: 1))
    #expect(again.factors == grown.factors && again.losses == grown.losses)
    for (blocks, batches) in [(8, Self.batches), (4, Self.batches), (6, [])] {
      #expect(throws: AnchorSizeError.self) {
        try GrownAnchor(model, blocks: blocks, method: .replace, batches: batches, pool: Self.pool)
      }
    }
  }

  /// Attention and MLP are those of the block before; the gains of the norms are learned from what the anchor says, and are all
  /// that is learned.
  @Test func sharedBlocks() throws {
    let model = Self.model(blocks: 4, scale: 0.9)
    let grown = try GrownAnchor(model, blocks: 6, method: .share, batches: Self.batches, pool: Self.pool)
    #expect(grown.origins == [0, 1, 1, 2, 3, 3] && grown.factors.isEmpty)
    #expect(grown.losses.last! < 0.7 * grown.losses[0], "\(grown.losses)")
    for (block, origin) in zip(grown.model.blocks, grown.origins) {
      for path in [\Block.attention.query, \Block.attention.output, \Block.mlp.gate, \Block.mlp.down] {
        #expect(block[keyPath: path].weight.floats() == model.blocks[origin!][keyPath: path].weight.floats())
      }
    }
    for (place, isNew) in [false, false, true, false, false, true].enumerated() {
      let (block, origin) = (grown.model.blocks[place], model.blocks[grown.origins[place]!])
      for path in [\Block.attentionNorm, \Block.mlpNorm] {
        #expect((block[keyPath: path].values.array != origin[keyPath: path].values.array) == isNew, "\(place)")
      }
    }
    // The same bytes, however many threads.
    let again = try GrownAnchor(
      model, blocks: 6, method: .share, batches: Self.batches, pool: ComputePool(threads: 1))
    #expect(again.losses == grown.losses)
    #expect(try Self.logits(again.model) == Self.logits(grown.model))
    for (blocks, batches) in [(9, Self.batches), (4, Self.batches), (6, [])] {
      #expect(throws: AnchorSizeError.self) {
        try GrownAnchor(model, blocks: blocks, method: .share, batches: batches, pool: Self.pool)
      }
    }
  }

  /// What is written is read again as the same model.
  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder()
    let model = Self.model(blocks: 4)
    let shrunk = try ShrunkAnchor(model, without: [2..<3], method: .fold, batches: Self.batches, pool: Self.pool).model
    let place = folder.url.appendingPathComponent("shrunk")
    try shrunk.write(to: place, elementType: .f32, files: ["note": Data("x".utf8)])
    #expect(try Self.logits(LlamaModel.load(directory: place)) == Self.logits(shrunk))
    let grown = try GrownAnchor(shrunk, blocks: 4, method: .zero, pool: Self.pool).model
    let deeper = folder.url.appendingPathComponent("grown")
    try grown.write(to: deeper, elementType: .f32, files: [:])
    #expect(try Self.logits(LlamaModel.load(directory: deeper)) == Self.logits(shrunk))
  }
}

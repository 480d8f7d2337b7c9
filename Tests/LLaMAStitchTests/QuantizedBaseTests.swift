import Foundation
import LLaMAStitch
import Support
import Testing

/// Families whose base weights are stored in Q8_0 or Q4_0: built, adapted and trained.
@Suite struct QuantizedBaseTests {
  /// A family of two random anchors; its vocabulary is large enough that training meets the head in more than one tile.
  private func family(_ type: ElementType?, in folder: URL) throws -> Family {
    let anchors = try [("small", 2, 32), ("large", 3, 64)].map { name, blocks, hidden in
      let configuration = RandomModel.configuration(
        hidden: hidden, blocks: blocks, heads: 4, keyValueHeads: 2, intermediate: 2 * hidden, vocabulary: 33_000)
      let place = folder.appending(path: name)
      if !FileManager.default.fileExists(atPath: place.path) {
        try ModelDirectory.write(
          to: place, configuration: configuration, weights: RandomModel.weights(configuration, seed: UInt64(blocks)))
      }
      return FamilyBuilder.Anchor(name: name, directory: try ModelDirectory(place))
    }
    var options = FamilyBuilder.Options(name: "random", chatTemplate: "tiny")
    options.elementType = type
    return try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
      calibration: RandomModel.tokens(20, length: 20, vocabulary: 33_000), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.appending(path: "family-\(type?.rawValue ?? "plain")"))!
  }

  /// The same family with every quantised weight replaced by the float it stands for.
  private func widened(_ family: Family, in folder: URL) throws -> Family {
    let copy = folder.appending(path: "widened-\(family.description.quantization)")
    try FileManager.default.copyItem(at: family.directory, to: copy)
    for anchor in family.description.anchors {
      let place = copy.appending(path: anchor.directory)
      try FileManager.default.removeItem(at: place)
      try ModelDirectory(family.directory.appending(path: anchor.directory)).writeCopy(to: place, elementType: .f32)
    }
    return try Family(copy)
  }

  /// However a base came to be quantised, its stitching layers are Q8_0; beside floats they are F32.
  @Test func layersBesideAQuantisedBase() throws {
    try withScratchDirectory { folder in
      func layerTypes(_ family: Family) throws -> Set<ElementType> {
        let file = try SafetensorsFile(family.directory.appending(path: "stitches.safetensors"))
        return Set(file.tensors.values.filter { $0.name.hasSuffix(".weight") }.map(\.type))
      }
      #expect(try layerTypes(family(nil, in: folder)) == [.f32])
      let quantised = try family(.q8_0, in: folder)
      #expect(try layerTypes(quantised) == [.q8_0])
      // From anchors that were quantised before.
      let anchors = try quantised.description.anchors.map {
        FamilyBuilder.Anchor(
          name: $0.name, directory: try ModelDirectory(quantised.directory.appending(path: $0.directory)))
      }
      let again = try FamilyBuilder(
        anchors, options: .init(name: "again", chatTemplate: "tiny"), pool: ComputePool(threads: 2)
      ).build(
        calibration: RandomModel.tokens(20, length: 20, vocabulary: 33_000),
        tokenizer: ["tokenizer": Data("x".utf8)], output: folder.appending(path: "again"))!
      #expect(try layerTypes(again) == [.q8_0] && again.anchors[0].blocks[0].mlp.up.weight.elementType == .q8_0)
    }
  }

  @Test(arguments: [ElementType.q8_0, .q4_0, .q4_1])
  func aQuantisedFamilyIsNearlyTheFamily(type: ElementType) throws {
    try withScratchDirectory { folder in
      let plain = try family(nil, in: folder)
      let quantised = try family(type, in: folder)
      #expect(
        quantised.description.quantization == type.rawValue.lowercased() && plain.description.quantization == "f32")
      #expect(quantised.identity != plain.identity)
      #expect(quantised.stitches.map(\.id) == plain.stitches.map(\.id))
      let same = try widened(quantised, in: folder)
      // Kernels that do not round activations as well.
      let exact = InferenceKernels.available.last { !$0.rounds(.q8_0) }!
      let tokens = RandomModel.tokens(1, length: 17, vocabulary: 33_000, seed: 5)[0].map(Int.init)
      for stitch in quantised.stitches {
        func logits(_ family: Family) throws -> [Float] {
          try InferenceSession(
            network: family.network(stitch.route, adapter: nil), contextLength: nil, chunkSize: 64, pool: .shared,
            kernels: exact
          ).evaluate(tokens, logits: .all).dense.array
        }
        let found = try logits(quantised)
        // Sums in another order.
        #expect(
          relativeDifference(found, try logits(same)) < 1e-5,
          "\(stitch.id): a quantised weight is not the float it stands for")
        // Stitching layers of so few tokens follow every change of what they are fitted to: anchors only. Each matrix
        // on the way adds the error of its weights, independent of the others'.
        if stitch.route.isAnchor {
          func weights(_ family: Family) -> [Float] {
            family.anchors[stitch.route.start].blocks[0].attention.query.weight.floats()
          }
          let each = relativeDifference(weights(quantised), weights(plain))
          let matrices = Double(7 * plain.anchors[stitch.route.start].blocks.count + 2)
          #expect(each > 0 && each < (type == .q8_0 ? 0.007 : 0.12), "\(stitch.id)")
          #expect(relativeDifference(found, try logits(plain)) < 1.5 * each * matrices.squareRoot(), "\(stitch.id)")
        }
        let share = Double(stitch.weightBytes) / Double(plain.stitches.first { $0.id == stitch.id }!.weightBytes)
        #expect(share < 0.3, "\(stitch.id)")
      }
    }
  }

  /// Something to train, with random values: B of zero would hide A's gradient.
  private func trainer(_ family: Family, _ batch: PackedBatch) throws -> ESTATrainer {
    let trainer = try ESTATrainer(
      family: family, adapter: nil, settings: AdaptationSettings(steps: 1),
      examples: [TrainingExample(tokens: batch.tokens, lossMask: batch.tokens.map { _ in true })],
      pool: ComputePool(threads: 1))
    for index in trainer.store.parameters.indices {
      let value = trainer.store.value(index)
      var random = SeededGenerator(seed: UInt64(index))
      value.copy(from: (0..<value.count).map { _ in Float(random.normal() * 0.05) })
    }
    return trainer
  }

  /// Inference reads low-rank updates of quantised weights in Q8_0, B filled up to whole blocks; others in F32.
  @Test(arguments: [ElementType.q8_0, .q4_0, .q4_1])
  func anAdapterIsRoundedWhereItsWeightsAre(type: ElementType) throws {
    try withScratchDirectory { folder in
      let quantised = try family(type, in: folder)
      let same = try widened(quantised, in: folder)
      let exact = InferenceKernels.available.last { !$0.rounds(.q8_0) && !$0.rounds(.bf16) }!
      var batch = PackedBatch()
      batch.append(RandomModel.tokens(1, length: 17, vocabulary: 33_000, seed: 5)[0])
      for stitch in quantised.stitches {
        let networks = try [quantised, same].map { family in
          family.network(stitch.route, adapter: try trainer(family, batch).snapshot())
        }
        func factorBytes(_ projection: Projection) -> Int {
          projection.byteCount - projection.weight.byteCount
            - 4 * ((projection.bias?.count ?? 0) + (projection.addedBias?.count ?? 0))
        }
        func expectedBytes(_ projection: Projection) -> Int {
          guard let rank = projection.lowRank?.rank else { return 0 }
          guard projection.weight.elementType.isQuantized else {
            return 4 * rank * (projection.inputSize + projection.outputSize)
          }
          return ElementType.q8_0.byteCount(rank * projection.inputSize + (rank + 31) / 32 * 32 * projection.outputSize)
        }
        for network in networks {
          for stage in network.stages {
            switch stage {
            case .block(let block):
              #expect(block.attention.query.lowRank != nil && block.attention.output.lowRank != nil)
              #expect(block.projections.map(factorBytes) == block.projections.map(expectedBytes))
            case .stitch(let layer):
              #expect(layer.lowRank != nil && factorBytes(layer) == expectedBytes(layer))
            }
          }
        }
        let logits = try networks.map {
          try InferenceSession(network: $0, contextLength: nil, chunkSize: 64, pool: .shared, kernels: exact)
            .evaluate(batch.tokens.map(Int.init), logits: .all).dense.array
        }
        let without = try InferenceSession(
          network: quantised.network(stitch.route, adapter: nil), contextLength: nil, chunkSize: 64, pool: .shared,
          kernels: exact
        ).evaluate(batch.tokens.map(Int.init), logits: .all).dense.array
        let lost = relativeDifference(logits[0], logits[1])
        #expect(lost > 1e-5 && lost < 0x1p-8, "\(stitch.id): \(lost)")
        #expect(lost < relativeDifference(logits[1], without) / 20, "\(stitch.id): \(lost)")
      }
    }
  }

  @Test func gradientsOverAQuantisedBaseAreThoseOverItsFloats() throws {
    try withScratchDirectory { folder in
      let quantised = try family(.q8_0, in: folder)
      let families = [quantised, try widened(quantised, in: folder)]
      var batch = PackedBatch()
      for tokens in RandomModel.tokens(3, length: 15, vocabulary: 33_000, seed: 8) { batch.append(tokens) }
      for stitch in quantised.stitches {
        let found = try families.map { family in
          let trainer = try trainer(family, batch)
          return try Backpropagation(store: trainer.store, pool: ComputePool(threads: 2))
            .gradients(trainer.trainingNetwork(stitch.route), batch)
        }
        // Where the processor multiplies BF16, quantised weights become that, and what they meet is rounded.
        let rounds = InferenceKernels.best.multipliesBackward
        #expect(abs(found[0].loss - found[1].loss) < (rounds ? 1e-2 : 1e-5))
        #expect(Set(found[0].gradients.keys) == Set(found[1].gradients.keys) && found[0].gradients.count > 8)
        for (name, gradient) in found[0].gradients {
          let expected = try #require(found[1].gradients[name])
          #expect(expected.contains { $0 != 0 }, "\(name) has no gradient to compare")
          #expect(relativeDifference(gradient, expected) < (rounds ? 5e-2 : 1e-4), "\(stitch.id) \(name)")
        }
      }
    }
  }

  /// Normal equations in many small groups give the layers that one large group gives.
  @Test func leastSquaresInGroupsIsTheSame() throws {
    try withScratchDirectory { folder in
      let anchors = try [("small", 4, 96), ("large", 6, 128)].map { name, blocks, hidden in
        let configuration = RandomModel.configuration(
          hidden: hidden, blocks: blocks, heads: 4, intermediate: 2 * hidden)
        let place = folder.appending(path: name)
        return FamilyBuilder.Anchor(
          name: name,
          directory: try RandomModel.write(
            configuration, weights: RandomModel.weights(configuration, seed: UInt64(blocks)), to: place))
      }
      // Room for all; for six of nine routes and the streams between groups (1.08 MB); for one route and no streams.
      let layers = try [2 << 30, 1_100_000, 1000].map { memory in
        var options = FamilyBuilder.Options(name: "groups", chatTemplate: "tiny")
        options.memory = memory
        options.window = 2
        let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
          calibration: RandomModel.tokens(40, length: 30), tokenizer: ["tokenizer": Data("x".utf8)],
          output: folder.appending(path: "family-\(memory)"))!
        return try Data(contentsOf: family.directory.appending(path: "stitches.safetensors"))
      }
      #expect(layers[1] == layers[0] && layers[2] == layers[0])
    }
  }
}

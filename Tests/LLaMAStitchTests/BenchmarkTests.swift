import EngineBenchmarks
import Foundation
import LLaMAStitch
import Testing

/// What benchmarks measure on: never how long it took.
@Suite struct BenchmarkTests {
  @Test(arguments: [ElementType.f32, .bf16, .q8_0, .q4_0, .q4_1]) func randomModelsComputeNumbers(
    _ type: ElementType
  ) throws {
    let folder = try TemporaryFolder()
    let configuration = RandomModel.configuration(
      hidden: 64, blocks: 6, heads: 4, keyValueHeads: 2, headDimension: 16, intermediate: 96)
    let place = folder.url.appendingPathComponent("model")
    let model = try configuration.randomModel(type, at: place)
    let session = InferenceSession(network: model.network())
    let logits = try session.evaluate([1, 2, 3, 4, 5]).row(0).array
    #expect(logits.allSatisfy(\.isFinite) && Set(logits).count > 1)
    // A second time it is there already.
    let again = try configuration.randomModel(type, at: place)
    #expect(try InferenceSession(network: again.network()).evaluate([1, 2, 3, 4, 5]).row(0).array == logits)
    #expect(throws: CheckpointError.self) { try RandomModel.configuration().randomModel(type, at: place) }
  }

  @Test func aRandomGGUFHasTheModelsTensors() throws {
    let folder = try TemporaryFolder()
    let configuration = RandomModel.configuration(hidden: 64, intermediate: 96)
    let url = folder.url.appendingPathComponent("random.gguf")
    try configuration.writeRandomGGUF(.q4_0, to: url)
    let file = try GGUFFile(url)
    #expect(file.tensors.count == configuration.tensorShapes.count)
    #expect(file.metadata["tokenizer.ggml.model"]?.text == "no_vocab")
  }

  /// Every instruction set of this processor, every type, one token and several.
  @Test func kernelsAreMeasured() {
    let rows = KernelBenchmark.run(rows: 64, columns: 96, seconds: 0)
    let sets = InferenceKernels.available.map(\.name)
    #expect(rows.map(\.instructions) == sets.flatMap { [String](repeating: $0, count: 18) })
    #expect(rows.allSatisfy { $0.gflops > 0 && $0.gigabytes > 0 && $0.share_of_peak > 0 })
  }

  @Test func anAdapterIsTimedInTurns() throws {
    let folder = try TemporaryFolder()
    let network = try RandomModel.configuration(hidden: 64, intermediate: 96).randomModel(
      .bf16, at: folder.url.appendingPathComponent("model")
    )
    .network()
    let ratio = try InferenceBenchmark.timeRatio(
      of: network.withRandomAdapter(rank: 4), by: network, prompt: 8, reply: 6, pool: ComputePool(threads: 1))
    #expect(ratio > 0 && ratio.isFinite)
  }

  /// Of every stop that is costly enough, at every share of accepted tokens, none of them and all.
  @Test func whatDraftsAreWorth() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [1, 6], widths: [16, 48])
    let cheapest = try #require(family.stitches.first { $0.route.isAnchor })
    func cost(_ stitch: Stitch) -> Int { family.network(stitch.route, adapter: nil).flopsPerToken }
    let costly = family.stitches.filter { cost($0) >= 2 * cost(cheapest) }.map(\.id)
    let rows = try SpeculationBenchmark.assumed(
      MeasuredFamily(family, allStitches: true), accepted: [0, 1], prompt: 5, reply: 9, rounds: 1,
      pool: ComputePool(threads: 1)
    ) { _ in }
    #expect(!costly.isEmpty && rows.map(\.stitch) == costly.flatMap { [$0, $0] })
    #expect(rows.map(\.accepted) == costly.flatMap { _ in [0, 1] })
    #expect(rows.allSatisfy { $0.ratio > 0 && $0.ratio.isFinite && $0.draftingSpeed > 0 })
  }

  /// Neighbours that start in the same anchor, both ways; what is left to do is what they do not share.
  @Test func movesOfTheSlider() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    var noted = 0
    let moves = try SliderBenchmark.moves(
      MeasuredFamily(family, allStitches: true), tokens: 20, rounds: 1, pool: ComputePool(threads: 1)
    ) { _ in noted += 1 }
    let neighbours = zip(family.stitches, family.stitches.dropFirst()).filter { $0.route.start == $1.route.start }
    #expect(moves.count == 2 * neighbours.count && noted == moves.count && !moves.isEmpty)
    for move in moves {
      #expect(move.tokens == 20 && move.tail_share > 0 && move.tail_share < 1)
      // From the whole anchor more is known than from a stitch that leaves it early.
      let to = try family.stitch(move.to)
      let shared = min(try family.stitch(move.from).route.leadingBlockCount, to.route.leadingBlockCount)
      let stages = family.network(to.route, adapter: nil).stages
      let weights = stages.map(\.flopsPerToken)
      let byWeights = Double(weights.dropFirst(shared).reduce(0, +)) / Double(weights.reduce(0, +))
      #expect(abs(move.tail_share - byWeights) < 0.25, "\(move)")
    }
  }

  @Test func whatAFamilyTakes() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let report = try FamilyMemoryBenchmark.run(tokens: 1000, pool: ComputePool(threads: 1)) {
      try MeasuredFamily(family, allStitches: true)
    }
    #expect(report.stitches == family.stitches.count && report.tokens == family.contextLength - 1)
    #expect(report.anchor_bytes == family.anchors.reduce(0) { $0 + $1.network().byteCount })
    // One of each anchor, and of the tails.
    let anchors = family.anchors.reduce(0) { $0 + $1.network().cacheBytes(positions: report.tokens) }
    let tails = family.stitches.reduce(0) { total, stitch in
      if stitch.route.isAnchor { return total }
      return total
        + family.network(stitch.route, adapter: nil).cacheBytes(
          positions: report.tokens, from: stitch.route.leadingBlockCount)
    }
    #expect(report.cache_bytes == anchors + tails)
  }
}

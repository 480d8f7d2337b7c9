import Foundation
import LLaMAStitch
import Support
import Testing

/// What learned sizes of a model are compared with: blocks dropped by influence, sizes trained by themselves, full training
/// with a teacher.
@Suite struct BaselineTests {
  /// Influence is 1 − the mean cosine of a block's input and output, each computed by itself.
  @Test func influenceIsOneLessTheCosine() throws {
    try withScratchDirectory { folder in
      let configuration = RandomModel.configuration(hidden: 32, blocks: 5)
      let directory = try RandomModel.write(
        configuration, weights: RandomModel.weights(configuration, seed: 1), to: folder.appending(path: "one"))
      var options = FamilyBuilder.Options(name: "one", chatTemplate: "tiny")
      options.droppedBlocks = [1, 2, 3]
      let family = try #require(
        try FamilyBuilder(
          [.init(name: "one", directory: directory)], options: options, pool: ComputePool(threads: 2)
        ).build(
          calibration: RandomModel.tokens(4, length: 12), tokenizer: ["tokenizer": Data("x".utf8)],
          output: folder.appending(path: "family")))
      #expect(family.stitches.count == 4 && family.stitches.allSatisfy { $0.route.segments[0].blocks.contains(0) })

      var batch = PackedBatch()
      for tokens in RandomModel.tokens(4, length: 12) { batch.append(tokens) }
      let influence = BlockInfluence(family.anchors[0], [batch], pool: ComputePool(threads: 2))
      #expect(influence.values.count == 5 && influence.values.allSatisfy { (0...2).contains($0) })
      // The middle block of least influence is the one that the first route leaves out, and the route without it says what
      // the network without it says.
      let least = (1...3).min { influence.values[$0] < influence.values[$1] }!
      let route = try #require(family.stitches.last { !$0.route.isAnchor }).route
      #expect(route.leftOut == [least..<least + 1])
      let network = family.network(route, adapter: nil)
      let whole = family.network(Route(anchor: 0, depth: 5), adapter: nil)
      var stages = whole.stages
      stages.remove(at: least)
      let expected = Network(
        embedding: whole.embedding, stages: stages, finalNorm: whole.finalNorm,
        finalNormEpsilon: whole.finalNormEpsilon, head: whole.head)
      func logits(_ network: Network) throws -> [Float] {
        try InferenceSession(network: network).evaluate([3, 1, 4, 1, 5], logits: .last).row(0).array
      }
      #expect(relativeDifference(try logits(network), try logits(expected)) < 1e-5)
    }
  }

  @Test func neighboursThatAreDroppedAreOneSpan() {
    let influence = BlockInfluence(values: [9, 3, 1, 2, 8, 0.5, 7])
    #expect(influence.route(dropping: 1, anchor: 0).leftOut == [5..<6])
    #expect(influence.route(dropping: 3, anchor: 0).leftOut == [2..<4, 5..<6])
    #expect(influence.route(dropping: 5, anchor: 0).leftOut == [1..<6])
    #expect(BlockInfluence.usualCounts(depth: 2).isEmpty && BlockInfluence.usualCounts(depth: 5) == [1, 2, 3])
    #expect(BlockInfluence.usualCounts(depth: 30) == [2, 3, 5, 6, 8, 9, 11, 12, 14, 15])
  }

  @Test func onlyNamedStitchesAreTrained() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let wanted = try #require(family.stitches.first { !$0.route.isAnchor }).id
    let trainer = try ESTATrainerTests.trainer(family, steps: 8, stitches: .named([wanted]))
    _ = try trainer.run { _ in .goOn }
    #expect(trainer.drawn.filter { $0.value > 0 } == [wanted: 8])
    #expect(throws: FamilyError.self) {
      try ESTATrainerTests.trainer(family, steps: 1, stitches: .named(["nothing"]))
    }
    for stitches in [TrainedStitches.all, .stops, .named(["a", "b"])] {
      #expect(try JSONDecoder().decode(TrainedStitches.self, from: JSONEncoder().encode(stitches)) == stitches)
    }
  }

  /// Its teacher is the anchor that training begins with, so that at first there is nothing to learn for that one.
  @Test func snNetCanHaveATeacher() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    var settings = MethodTests.settings(.snNet(anchorSteps: 0, keepsLayers: true), steps: 40)
    (settings.distillationShare, settings.optimizer.learningRate) = (1, 2e-3)
    let trainer = try SNNetTrainer(
      family: family, settings: settings, examples: ESTATrainerTests.examples(), pool: ComputePool(threads: 2))
    let before = trainer.heldOutLosses(all: true)
    let largest = try #require(family.stitches.last { $0.route.isAnchor }).id
    #expect(abs(try #require(before[largest])) < 1e-5)
    _ = try trainer.run { _ in .goOn }
    let after = trainer.heldOutLosses(all: true)
    #expect(after.values.reduce(0, +) < before.values.reduce(0, +))
  }
}

import Foundation
import LLaMAStitch
import Support
import Testing

/// What blocks keep for the backward pass: as it is, computed again, or at four bits.
@Suite struct SavedActivationsTests {
  /// Every gradient of a batch, one tensor after another, and the loss.
  private static func gradients(
    _ store: ParameterStore, _ network: Network, _ activations: SavedActivations, batch: PackedBatch,
    teacher: Teacher? = nil
  ) throws -> (loss: Double, all: [Float]) {
    let rule = try Backpropagation(store: store, pool: ComputePool(threads: 2), activations: activations)
    let (loss, gradients) = rule.gradients(network, batch, teacher: teacher)
    return (loss, gradients.sorted { $0.key < $1.key }.flatMap(\.value))
  }

  /// Of what ESTA trains and of every weight, through a stitching layer: computed again, they are the same bits; at four
  /// bits they point the same way, and the loss is the same.
  @Test func ofAStitch() throws {
    let fixture = try GradientFixture()
    let (adapted, route) = try fixture.adapted()
    let directory = try #require(fixture.models["large"])
    let whole = ParameterStore(directory.configuration.declarations(prefix: "large."))
    fixture.fill(whole, from: "large", prefix: "large.")
    let anchor = LlamaModel(configuration: directory.configuration, store: whole, prefix: "large.").network()
    for (store, network, masked) in [(adapted, route, true), (whole, anchor, false)] {
      let batch = fixture.batch(masked: masked)
      let exact = try Self.gradients(store, network, .exact, batch: batch)
      let again = try Self.gradients(store, network, .recomputed, batch: batch)
      #expect(again.loss == exact.loss && again.all == exact.all)
      let rounded = try Self.gradients(store, network, .fourBit, batch: batch)
      #expect(rounded.loss == exact.loss)
      #expect(rounded.all != exact.all)
      #expect(relativeDifference(rounded.all, exact.all) < 0.15)
    }
  }

  /// Of side networks with blocks of their own, or late ones of the anchor.
  @Test(arguments: [SideKind.lst, .sherl]) func ofSideNetworks(kind: SideKind) throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [3, 4])
    let trainer = try SideNetworkTests.trainer(kind, family, steps: 1, interval: 1)
    FiniteDifferences.randomise(trainer.store)
    for stitch in family.stitches {
      let network = trainer.trainingNetwork(stitch.route)
      func found(_ activations: SavedActivations) throws -> (loss: Double, all: [Float]) {
        try Self.gradients(trainer.store, network, activations, batch: FiniteDifferences.batch)
      }
      let (exact, again, rounded) = (try found(.exact), try found(.recomputed), try found(.fourBit))
      #expect(again.loss == exact.loss && again.all == exact.all, "\(stitch.id)")
      #expect(rounded.loss == exact.loss && relativeDifference(rounded.all, exact.all) < 0.2, "\(stitch.id)")
    }
  }

  @Test func theyTakeLessMemory() throws {
    let configuration = RandomModel.configuration(
      hidden: 192, blocks: 14, heads: 6, keyValueHeads: 2, headDimension: 32, intermediate: 576, vocabulary: 64)
    let weights = RandomModel.weights(configuration, seed: 2)
    let store = ParameterStore(configuration.declarations())
    for tensor in configuration.tensors {
      store.value(store.index(of: tensor.huggingFaceName)!).copy(from: weights(tensor))
    }
    let network = LlamaModel(configuration: configuration, store: store).network()
    var batch = PackedBatch()
    for tokens in RandomModel.tokens(8, length: 60, vocabulary: 64) { batch.append(tokens) }
    func bytes(_ activations: SavedActivations) throws -> Double {
      let rule = try Backpropagation(store: store, pool: ComputePool(threads: 1), activations: activations)
      _ = rule.gradients(network, batch)
      return Double(rule.passBytes)
    }
    let exact = try bytes(.exact)
    #expect(try bytes(.recomputed) < 0.4 * exact)
    #expect(try bytes(.fourBit) < 0.6 * exact)
  }

  /// Losses on the way: the same where something is computed again, near where it is rounded. What is computed again changes
  /// no result, so that a run may go on so.
  @Test func trainingGoesTheSameWay() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    func trainer(_ activations: SavedActivations?) throws -> ESTATrainer {
      var settings = ESTATrainerTests.settings(steps: 40)
      settings.activations = activations
      return try ESTATrainer(
        family: family, adapter: nil, settings: settings, examples: ESTATrainerTests.examples(),
        pool: ComputePool(threads: 2))
    }
    func curve(_ activations: SavedActivations?) throws -> (losses: [Double], end: Adapter) {
      let trainer = try trainer(activations)
      var losses: [Double] = []
      _ = try trainer.run(measuring: HeldOutMeasuring(interval: 10)) { progress in
        if let loss = progress.heldOutLoss { losses.append(loss) }
        return .goOn
      }
      return (losses, trainer.snapshot())
    }
    let exact = try curve(nil)
    #expect(exact.losses.count == 4 && exact.losses[3] < exact.losses[0])
    let again = try curve(.recomputed)
    #expect(try ESTATrainerTests.bytes(again.end, folder) == ESTATrainerTests.bytes(exact.end, folder))
    let rounded = try curve(.fourBit)
    let gain = exact.losses[0] - exact.losses[3]
    for (found, expected) in zip(rounded.losses, exact.losses) {
      #expect(abs(found - expected) < 0.15 * gain, "\(rounded.losses) \(exact.losses)")
    }

    let checkpoint = folder.url.appendingPathComponent("checkpoint")
    _ = try trainer(nil).run(checkpoint: checkpoint) { $0.step == 12 ? .end : .goOn }
    #expect(throws: TrainingError.self) {
      try trainer(.fourBit).run(checkpoint: checkpoint) { _ in .goOn }
    }
    let rest = try trainer(.recomputed)
    #expect(try rest.run(checkpoint: checkpoint) { _ in .goOn })
    #expect(try ESTATrainerTests.bytes(rest.snapshot(), folder) == ESTATrainerTests.bytes(exact.end, folder))
  }

  /// Each number is within half a step of 16 between the smallest and the largest of its 32, whatever the length of a row.
  @Test func roundedToFourBits() {
    var random = SeededGenerator(seed: 8)
    for columns in [1, 7, 32, 40, 96] {
      let matrix = FloatBuffer((0..<5 * columns).map { _ in Float(3 * random.normal() + 1) })
        .matrix(rows: 5, columns: columns)
      let found = FloatBuffer(count: 5 * columns).matrix(rows: 5, columns: columns)
      FourBitMatrix(matrix, in: Arena()).unpack(into: found)
      for row in 0..<5 {
        for start in stride(from: 0, to: columns, by: 32) {
          let block = start..<min(start + 32, columns)
          let values = block.map { matrix[row, $0] }
          let (low, high) = (values.min()!, values.max()!)
          // The ends are in BF16.
          let most = (high - low) / 30 + 0.004 * max(abs(low), high - low)
          for column in block { #expect(abs(found[row, column] - matrix[row, column]) <= most) }
        }
      }
    }
    let same = FloatBuffer([Float](repeating: -2, count: 33)).matrix(rows: 1, columns: 33)
    let found = FloatBuffer(count: 33).matrix(rows: 1, columns: 33)
    FourBitMatrix(same, in: Arena()).unpack(into: found)
    #expect(found.dense.array == same.dense.array)
  }
}

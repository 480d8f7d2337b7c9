import Foundation
import LLaMAStitch
import Support
import Testing

/// DiffFit: biases, scales and norms.
@Suite struct DiffFitTests {
  private static func trainer(_ family: Family, steps: Int, adapter: Adapter? = nil) throws -> ESTATrainer {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.update = .diffFit
    settings.options = .diffFit()
    return try ESTATrainer(
      family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 2))
  }

  @Test func finiteDifferences() throws {
    let folder = try TemporaryFolder()
    try FiniteDifferences.expect(of: RandomModel.family(in: folder)) { try Self.trainer($0, steps: 1) }
  }

  @Test func trainingLowersTheLossOfEveryStitch() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 200)
    #expect(trainer.store.parameters.allSatisfy { $0.shape.count == 1 })
    try FiniteDifferences.expectTraining(trainer, of: family, lowersLossBy: 0.1)
  }

  /// Replies compute what training does, before training what the family did; an exported anchor the same.
  @Test func repliesAndExports() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 1)
    let adapter = try FiniteDifferences.expectRepliesAsTrained(trainer, of: family, in: folder)
    for anchor in family.stitches where anchor.route.isAnchor {
      try FiniteDifferences.expectMerged(anchor, of: family, adapter, in: folder)
      #expect(throws: FamilyError.notLowRank(stitch: anchor.id)) {
        try PEFTAdapter(family, stitch: anchor.id, adapter: adapter, base: "base")
      }
    }
  }

  /// On top of low-rank updates, which stay as they are; half of it is half as far from where it began.
  @Test func onTopOfAnAdapterAndWeakened() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let first = try ESTATrainerTests.trainer(family, steps: 20)
    _ = try first.run { _ in .goOn }
    let below = first.snapshot()
    let trainer = try Self.trainer(family, steps: 12, adapter: below)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    var moved = 0
    let half = adapter.scaled(by: AdapterScale(first: 0.5, last: 0.5), in: family)
    for name in family.layout(adapter.options).declarations.map(\.name) {
      let values = try #require(adapter.values(name))
      if name.contains(".lora_") { #expect(values == below.values(name)) }
      if name.hasSuffix("o_proj.scale") {
        moved += values.contains { $0 != 1 } ? 1 : 0
        for (value, weak) in zip(values, try #require(half.values(name))) {
          #expect(abs(weak - (1 + value) / 2) < 1e-6)
        }
      }
    }
    #expect(moved > 0)
  }
}

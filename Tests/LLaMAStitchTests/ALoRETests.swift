import Foundation
import LLaMAStitch
import Support
import Testing

/// ALoRE: sums of Kronecker products with low-rank experts.
@Suite struct ALoRETests {
  static func trainer(
    _ family: Family, steps: Int, adapter: Adapter? = nil, factor: Int = 4,
    targets: [AdapterTarget] = AdapterTarget.allCases
  ) throws -> ESTATrainer {
    var settings = ESTATrainerTests.settings(steps: steps)
    settings.update = .alore
    settings.options = AdapterOptions(targets: targets, hasLowRank: false)
    settings.options.kronecker = KroneckerOptions(factor: factor, rank: 2, scale: 0.7)
    return try ESTATrainer(
      family: family, adapter: adapter, settings: settings, examples: ESTATrainerTests.examples(),
      pool: ComputePool(threads: 2))
  }

  /// Σ S ⊗ (U V), written out.
  @Test func oneLowRankUpdateIsTheSumOfProducts() throws {
    var random = SeededGenerator(seed: 8)
    func values(_ rows: Int, _ columns: Int) -> MatrixView {
      FloatBuffer((0..<rows * columns).map { _ in Float(random.normal()) }).matrix(rows: rows, columns: columns)
    }
    let (n, experts, rank, inputs, outputs) = (3, 2, 4, 5, 7)
    let (s, u, v) = (values(experts * n, n), values(outputs, experts * rank), values(experts * rank, inputs))
    let sum = KroneckerSum(mixing: WeightMatrix(s), up: WeightMatrix(u), down: WeightMatrix(v), scale: 0.5)
    #expect(sum.inputs == 15 && sum.outputs == 21 && sum.rank == 4)
    let update = sum.expanded
    let (a, b) = (update.a.floats(), update.b.floats())
    for row in 0..<sum.outputs {
      for column in 0..<sum.inputs {
        let found = (0..<update.rank).reduce(0.0) {
          $0 + Double(b[row * update.rank + $1]) * Double(a[$1 * sum.inputs + column])
        }
        var expected = 0.0
        for expert in 0..<experts {
          let product = (0..<rank).reduce(0.0) {
            $0 + Double(u[row % outputs, expert * rank + $1]) * Double(v[expert * rank + $1, column % inputs])
          }
          expected += Double(s[expert * n + row / outputs, column / inputs]) * product
        }
        #expect(abs(found - expected) < 1e-5)
      }
    }
  }

  @Test func finiteDifferences() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    try FiniteDifferences.expect(of: family) { try Self.trainer($0, steps: 1) }
  }

  @Test func trainingLowersTheLossOfEveryStitch() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 200)
    try FiniteDifferences.expectTraining(trainer, of: family, lowersLossBy: 0.1)
  }

  /// Replies compute what training does, before training what the family did; exported anchors the same, and as a LoRA.
  @Test func repliesAndExports() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 1)
    let adapter = try FiniteDifferences.expectRepliesAsTrained(trainer, of: family, in: folder)
    for anchor in family.stitches where anchor.route.isAnchor {
      try FiniteDifferences.expectMerged(anchor, of: family, adapter, in: folder)
      let low = folder.url.appendingPathComponent("peft-\(anchor.id)")
      try PEFTAdapter(family, stitch: anchor.id, adapter: adapter, base: "base").write(to: low)
      let written = try SafetensorsFile(low.appendingPathComponent("adapter_model.safetensors"))
      let a = try written.tensor("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
      #expect(a.shape[0] == 4 * 4 * 2)
    }
  }

  /// Half of it and twice that half, and a sum of two, are what they say.
  @Test func weakenedAndMerged() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let trainer = try Self.trainer(family, steps: 1)
    FiniteDifferences.randomise(trainer.store)
    let adapter = trainer.snapshot()
    let half = adapter.scaled(by: AdapterScale(first: 0.5, last: 0.5), in: family)
    let both = try Adapter.merged([(half, 1), (half, 1)], in: family)
    #expect(both.options.kronecker?.experts == 8)
    let tokens = RandomModel.tokens(1, length: 30)[0].map(Int.init)
    func logits(_ adapter: Adapter) throws -> [Float] {
      try InferenceSession(
        network: family.network(family.stitches[1].route, adapter: adapter), pool: ComputePool(threads: 1)
      ).evaluate(tokens, logits: .all).dense.array
    }
    #expect(relativeDifference(try logits(both), try logits(adapter)) < 1e-4)
    for (one, other) in zip(half.updateNorms(in: family), adapter.updateNorms(in: family)) {
      for (half, whole) in zip(one, other) { #expect(whole > 0 && abs(half - whole / 2) < 1e-4 * whole) }
    }
    let other = try Self.trainer(family, steps: 1, factor: 2).snapshot()
    #expect(throws: AdapterMergeError.unlike(index: 1, what: "Kronecker factors")) {
      try Adapter.merged([(adapter, 1), (other, 1)], in: family)
    }
  }

  /// On top of low-rank updates, which stay as they are; a factor that divides no width is refused.
  @Test func onTopOfAnAdapter() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder)
    let first = try ESTATrainerTests.trainer(family, steps: 20)
    _ = try first.run { _ in .goOn }
    let below = first.snapshot()
    let trainer = try Self.trainer(family, steps: 30, adapter: below)
    _ = try trainer.run { _ in .goOn }
    let adapter = trainer.snapshot()
    var moved = 0
    for name in family.layout(adapter.options).declarations.map(\.name) {
      let values = try #require(adapter.values(name))
      if name.contains(".lora_") { #expect(values == below.values(name)) }
      if name.hasSuffix(".kron_U") && values.contains(where: { $0 != 0 }) { moved += 1 }
    }
    #expect(moved > 0)
    #expect(throws: TrainingError.self) { try Self.trainer(family, steps: 1, factor: 5) }
  }
}

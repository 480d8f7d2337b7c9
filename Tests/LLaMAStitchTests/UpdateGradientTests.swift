import Foundation
import LLaMAStitch
import Support
import Testing

/// Losses and gradients of what is trained besides low-rank updates, against PyTorch with transformers' own layers, in double
/// precision (make_updates.py).
@Suite struct UpdateGradientTests {
  private struct Case: Decodable {
    var tokens: [[Int32]]
    var masks: [[Int]]
    var losses: [String: Double]
    var kronecker_scale: Float
    var parallel_scale: Float
  }

  @Test(arguments: ["alore", "parallel", "prefix", "dept"]) func likePyTorch(kind: String) throws {
    let folder = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures")
    func file(_ name: String) throws -> SafetensorsFile {
      try SafetensorsFile(folder.appendingPathComponent("updates/\(name).safetensors"))
    }
    let given = try JSONDecoder().decode(
      Case.self, from: Data(contentsOf: folder.appendingPathComponent("updates/case.json")))
    let values = try file("values").tensors.values.filter { $0.name.hasPrefix(kind + ".") }.sorted { $0.name < $1.name }
    let store = ParameterStore(values.map { .init($0.name, shape: $0.shape, decays: true) })
    for (index, tensor) in values.enumerated() { store.value(index).copy(from: tensor.floats()) }
    func matrix(_ name: String) -> WeightMatrix? { store.matrix("\(kind).\(name)") }
    func vector(_ name: String) -> WeightVector? { store.vector("\(kind).\(name)") }

    let model = try GradientFixture.floats(of: ModelDirectory(folder.appendingPathComponent("gradients/large")))
    let blocks = model.blocks.enumerated().map { index, block in
      var block = block
      for target in AdapterTarget.allCases {
        let name = "\(index).\(target.rawValue)"
        guard let s = matrix(name + ".S"), let u = matrix(name + ".U"), let v = matrix(name + ".V") else { continue }
        block[keyPath: target.path].deltas = [
          .kronecker(KroneckerSum(mixing: s, up: u, down: v, scale: given.kronecker_scale))
        ]
      }
      if let down = matrix("\(index).down"), let up = matrix("\(index).up") {
        block.mlp.parallel = ParallelAdapter(
          down: down, downBias: vector("\(index).down_bias")!, up: up, upBias: vector("\(index).up_bias")!,
          scale: given.parallel_scale)
      }
      if let keys = matrix("\(index).keys"), let values = matrix("\(index).values") {
        block.attention.prefix = PrefixVectors(keys: keys, values: values)
      }
      return block
    }
    let prompt = matrix("embeddings").map {
      SoftPrompt(embeddings: $0, positions: matrix("positions")!, update: matrix("update")!)
    }
    let network = Network(
      embedding: model.embedding, stages: blocks.map(Stage.block), finalNorm: model.finalNorm,
      finalNormEpsilon: model.configuration.normEpsilon, head: model.head, prompt: prompt)
    var batch = PackedBatch()
    for (sequence, mask) in zip(given.tokens, given.masks) { batch.append(sequence, lossMask: mask.map { $0 != 0 }) }

    let rule = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = rule.gradients(network, batch)
    let expected = try #require(given.losses[kind])
    #expect(abs(loss - expected) < 1e-5)
    #expect(gradients.count == values.count)
    for (name, found) in gradients {
      #expect(relativeDifference(found, try file("gradients").tensor(name).floats()) < 1e-3, "\(name)")
    }
    // Replies compute the same.
    let forward = MeZO(store: store, settings: .init(), seed: 1, pool: ComputePool(threads: 2)).loss(
      network, batch, teacher: nil)
    #expect(abs(forward - expected) < 1e-5)
  }
}

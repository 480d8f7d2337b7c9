import Foundation
import Testing

import LLaMAStitch

/// Where the fixtures of this target lie.
enum Fixtures {
  static let models = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/models")

  static func model(_ name: String) -> URL { models.appendingPathComponent(name) }

  /// One of those that scripts/gguf_fixture.py writes.
  static func gguf(_ name: String) -> URL { models.appendingPathComponent("../gguf/\(name)").standardized }
}

/// Tiny random models against what transformers computes for them (Fixtures/make_models.py).
@Suite struct ReferenceModelTests {
  struct Expected: Decodable {
    let tokens: [Int]
    let nll: [Double]
    /// Computed in BF16 instead of F32.
    let nll_bfloat16: [Double]?
  }

  static let names = [
    "mha", "gqa", "mqa-head-dim", "tied", "attention-bias", "mlp-bias", "rope-linear", "rope-linear-old",
    "rope-llama3", "rope-llama3-old", "theta-old", "float16", "bfloat16", "sharded",
  ]

  @Test(arguments: names)
  func likelihoodsAgreeWithTransformers(_ name: String) throws {
    let directory = Fixtures.model(name)
    let expected = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: directory.appendingPathComponent("expected.json")))
    let network = try LlamaModel.load(directory: directory).network()
    for kernels in InferenceKernels.available {
      let session = InferenceSession(
        network: network, contextLength: 128, chunkSize: 16, pool: .shared, kernels: kernels)
      let found = try Scorer.negativeLogLikelihoods(of: expected.tokens, session: session)
      #expect(found.count == expected.nll.count)
      func difference(_ other: [Double]) -> Double {
        zip(other, expected.nll).map { abs($0 - $1) }.reduce(0, +) / Double(other.count)
      }
      // Where activations are rounded to BF16 as the weights are, nearer to F32 than what rounds everything.
      let bound =
        kernels.rounds(.bf16) ? expected.nll_bfloat16.map { 0.75 * difference($0) } ?? 1e-4 : 1e-4
      #expect(difference(found) < bound, "\(name), \(kernels.name): mean difference \(difference(found))")
    }
  }

  @Test func everyListOfEndTokensIsRead() throws {
    #expect(try LlamaModel.load(directory: Fixtures.model("sharded")).configuration.eosTokens == [2, 3])
  }
}

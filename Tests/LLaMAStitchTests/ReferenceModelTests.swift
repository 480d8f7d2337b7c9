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
    "rope-llama3", "rope-llama3-old", "theta-old", "float16", "bfloat16", "sharded", "rope-dynamic",
    "rope-yarn", "rope-yarn-old", "rope-longrope", "mistral", "qwen2", "smollm3",
  ]

  @Test(arguments: names)
  func likelihoodsAgreeWithTransformers(_ name: String) throws {
    try expectAgreement(LlamaModel.load(directory: Fixtures.model(name)), with: name)
  }

  private func expected(_ name: String) throws -> Expected {
    try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: Fixtures.model(name).appendingPathComponent("expected.json")))
  }

  private func expectAgreement(_ model: LlamaModel, with name: String) throws {
    let expected = try expected(name)
    let network = model.network()
    for kernels in InferenceKernels.available {
      let session = InferenceSession(
        network: network, contextLength: min(128, network.contextLength), chunkSize: 16, pool: .shared, kernels: kernels
      )
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

  /// Copies of directories, and of what GGUF files make of them, say the same: another spelling of the same rotation, rows
  /// in another order, biases and blocks that do not rotate.
  @Test(arguments: [
    "gqa", "attention-bias", "mlp-bias", "rope-linear", "rope-llama3", "rope-yarn", "mistral", "qwen2",
  ])
  func aModelComesBackFromGGUF(_ name: String) throws {
    try withScratchDirectory { scratch in
      let directory = try ModelDirectory(Fixtures.model(name))
      let (file, copy) = (scratch.appending(path: "m.gguf"), scratch.appending(path: "copy"))
      try directory.writeGGUF(to: file)
      try GGUFModel(file).write(to: copy, elementType: nil, files: [:])
      let read = try ModelDirectory(copy)
      #expect(read.configuration.eosTokens == directory.configuration.eosTokens)
      #expect(read.configuration.contextLength == directory.configuration.contextLength)
      #expect(read.configuration.attentionBias == directory.configuration.attentionBias)
      try expectAgreement(LlamaModel(read), with: name)
    }
  }

  @Test(arguments: ["rope-yarn-old", "rope-longrope", "smollm3"]) func whatGGUFCannotSay(_ name: String) throws {
    try withScratchDirectory { scratch in
      let directory = try ModelDirectory(Fixtures.model(name))
      let file = scratch.appending(path: "m.gguf")
      expectOneLine([file.path, "written to GGUF", "Hugging Face"]) {
        try directory.writeGGUF(to: file)
      }
      #expect(!FileManager.default.fileExists(atPath: file.path))
      // A directory can say it.
      let copy = scratch.appending(path: "copy")
      try directory.writeCopy(to: copy, elementType: nil)
      try expectAgreement(LlamaModel.load(directory: copy), with: name)
    }
  }

  @Test(arguments: ["qwen2", "smollm3", "rope-yarn"]) func gradientsAgreeWithTransformers(_ name: String) throws {
    let directory = try ModelDirectory(Fixtures.model(name))
    let expected = try expected(name)
    let store = ParameterStore(directory.configuration.declarations(prefix: ""))
    for tensor in directory.configuration.tensors {
      let index = try #require(store.index(of: tensor.huggingFaceName))
      store.value(index).copy(from: try directory.tensor(tensor).floats())
    }
    let network = LlamaModel(configuration: directory.configuration, store: store, prefix: "").network()
    var batch = PackedBatch()
    batch.append(expected.tokens.map(Int32.init), lossMask: nil)
    let (loss, gradients) = try Backpropagation(store: store, pool: ComputePool(threads: 2)).gradients(network, batch)
    #expect(abs(loss - expected.nll.reduce(0, +) / Double(expected.nll.count)) < 1e-5)
    let file = try SafetensorsFile(Fixtures.model(name).appending(path: "gradients.safetensors"))
    #expect(gradients.count == file.tensors.count && gradients.count == directory.configuration.tensors.count)
    for (tensor, found) in gradients {
      #expect(relativeDifference(found, try file.tensor(tensor).floats()) < 1e-4, "\(name) \(tensor)")
    }
  }

  @Test func everyListOfEndTokensIsRead() throws {
    #expect(try LlamaModel.load(directory: Fixtures.model("sharded")).configuration.eosTokens == [2, 3])
  }
}

extension ModelDirectory {
  /// The same as a GGUF file, without a vocabulary.
  fileprivate func writeGGUF(to file: URL) throws {
    // No vocabulary is written with it that would say how a text begins and ends.
    let eos = configuration.eosTokens.first.map { [("tokenizer.ggml.eos_token_id", GGUFWriter.Value.count($0))] } ?? []
    let tensors = self
    try configuration.writeGGUF(to: file, name: "test", elementType: .f32, vocabulary: eos) { expected, start, piece in
      guard let floats = tensors.tensors[expected.name]?.floats() else { return }
      for index in 0..<piece.count { piece[index] = floats[start + index] }
    }
  }
}

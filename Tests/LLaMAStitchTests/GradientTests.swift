import Foundation
import LLaMAStitch
import Support
import Testing

/// Losses and gradients against PyTorch with transformers' own layers, in double precision (make_gradients.py).
@Suite struct GradientTests {
  let fixture: GradientFixture

  init() throws { fixture = try GradientFixture() }

  @Test(arguments: ["small", "large"]) func everyWeightOfAnAnchor(name: String) throws {
    let directory = try #require(fixture.models[name])
    let store = ParameterStore(
      directory.configuration.declarations(prefix: name + "."))
    fixture.fill(store, from: name, prefix: name + ".")
    let network = LlamaModel(configuration: directory.configuration, store: store, prefix: name + ".").network()
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = trainer.gradients(network, fixture.batch(masked: false))
    #expect(abs(loss - fixture.losses[name]!) < 1e-5)
    try fixture.expect(gradients, in: "gradients_all")
  }

  @Test func everyWeightOfAStitch() throws {
    var declarations: [ParameterStore.Declaration] = []
    for name in ["small", "large"] {
      declarations += fixture.models[name]!.configuration.declarations(prefix: "stitched.\(name).")
    }
    declarations += [
      .init("stitched.weight", shape: [24, 16], decays: true), .init("stitched.bias", shape: [24], decays: false),
    ]
    let store = ParameterStore(declarations)
    for name in ["small", "large"] { fixture.fill(store, from: name, prefix: "stitched.\(name).") }
    let stitches = try fixture.file("stitches")
    store.value(store.index(of: "stitched.weight")!).copy(
      from: try stitches.tensor("stitches.small-large@1.weight").floats())
    store.value(store.index(of: "stitched.bias")!).copy(
      from: try stitches.tensor("stitches.small-large@1.bias").floats())
    let layer = Projection(weight: store.matrix("stitched.weight")!, bias: store.vector("stitched.bias")!)
    let network = fixture.stitched(
      small: LlamaModel(
        configuration: fixture.models["small"]!.configuration, store: store, prefix: "stitched.small."),
      large: LlamaModel(
        configuration: fixture.models["large"]!.configuration, store: store, prefix: "stitched.large."),
      layer: layer)
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = trainer.gradients(network, fixture.batch(masked: false))
    #expect(abs(loss - fixture.losses["stitched"]!) < 1e-5)
    try fixture.expect(gradients, in: "gradients_all")
  }

  @Test func everyAdaptedPartOfAStitch() throws {
    let (store, network) = try fixture.adapted()
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = trainer.gradients(network, fixture.batch(masked: true))
    #expect(abs(loss - fixture.losses["adapted"]!) < 1e-5)
    #expect(gradients.count == store.parameters.count)
    try fixture.expect(gradients, in: "gradients")
  }

  /// Frozen weights in BF16, which are multiplied as such where the processor can, lead to the gradients that the same
  /// weights as floats lead to, but for the rounding of what they meet; quantised ones become BF16 there.
  @Test(arguments: [ElementType.bf16, .q8_0, .q4_1]) func throughFrozenWeightsInBFloat16(type: ElementType) throws {
    // Matrices large enough not to be widened once and kept.
    let configuration = RandomModel.configuration(
      hidden: 576, blocks: 2, heads: 9, keyValueHeads: 9, headDimension: 64, intermediate: 640, vocabulary: 600)
    let folder = try TemporaryFolder()
    let place = folder.url.appendingPathComponent("model")
    try ModelDirectory.write(
      to: place, configuration: configuration, elementType: type, weights: RandomModel.weights(configuration, seed: 3))
    let directory = try ModelDirectory(place)
    let stored = try LlamaModel(directory).preparedForTraining
    let dequantized = try GradientFixture.floats(of: directory)
    let multiplies = InferenceKernels.best.multipliesBackward
    #expect(
      stored.blocks[0].attention.query.weight.elementType == (multiplies ? .bf16 : type), "the weights were dequantized"
    )

    let rank = 4
    let places: [(String, WritableKeyPath<Block, Projection>)] = [
      ("query", \.attention.query), ("down", \.mlp.down),
    ]
    let store = ParameterStore(
      places.flatMap { name, part -> [ParameterStore.Declaration] in
        let weight = stored.blocks[0][keyPath: part].weight
        return [
          .init(name + ".A", shape: [rank, weight.columns], decays: true),
          .init(name + ".B", shape: [weight.rows, rank], decays: true),
        ]
      })
    var random = SeededGenerator(seed: 5)
    for index in store.parameters.indices {
      let values = store.value(index)
      values.copy(from: FloatBuffer((0..<values.count).map { _ in Float(0.05 * random.normal()) }).vector)
    }
    func adapted(_ model: LlamaModel) -> Network {
      var block = model.blocks[0]
      for (name, part) in places {
        let (a, b) = (store.matrix(name + ".A")!, store.matrix(name + ".B")!)
        block[keyPath: part].deltas = [.lowRank(LowRank(a: a, b: b, scale: 1))]
      }
      return LlamaModel(
        configuration: configuration, embedding: model.embedding, blocks: [block] + model.blocks.dropFirst(),
        finalNorm: model.finalNorm, head: model.head
      ).network()
    }
    var batch = PackedBatch()
    for tokens in RandomModel.tokens(3, length: 21, vocabulary: 600) { batch.append(tokens) }
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let (loss, gradients) = trainer.gradients(adapted(stored), batch)
    let (exactLoss, exact) = trainer.gradients(adapted(dequantized), batch)
    #expect(abs(loss - exactLoss) < 1e-2 * exactLoss)
    for (name, expected) in exact {
      let found = try #require(gradients[name])
      let difference = zip(found, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      let norm = expected.reduce(0.0) { $0 + Double($1 * $1) }
      #expect(norm > 0 && (difference / norm).squareRoot() < 0.03, "\(name)")
    }
  }

  /// The second witness: the loss changes along a random direction as the gradient says.
  @Test func finiteDifferences() throws {
    let (store, network) = try fixture.adapted()
    let trainer = try Backpropagation(store: store, pool: ComputePool(threads: 2))
    let batch = fixture.batch(masked: true)
    let (_, gradients) = trainer.gradients(network, batch)
    for (index, parameter) in store.parameters.enumerated() {
      let values = store.value(index)
      let before = values.array
      var state = UInt64(index + 1)
      let direction = before.map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 63 == 0 ? 1 : -1
      }
      let step: Float = 2e-3
      values.copy(from: zip(before, direction).map { $0 + step * $1 })
      let above = trainer.loss(network, batch)
      values.copy(from: zip(before, direction).map { $0 - step * $1 })
      let below = trainer.loss(network, batch)
      values.copy(from: before)
      let measured = (above - below) / Double(2 * step)
      let expected = zip(gradients[parameter.name]!, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
      #expect(abs(measured - expected) < 2e-3 + 0.02 * abs(expected), "\(parameter.name)")
    }
  }
}

struct GradientFixture {
  let models: [String: ModelDirectory]
  let losses: [String: Double]
  private let tokens: [[Int32]]
  private let masks: [[Int]]
  private let rank: Int
  private let alpha: Float
  let folder: URL

  init() throws {
    folder = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/gradients")
    struct Case: Decodable {
      var tokens: [[Int32]]
      var masks: [[Int]]
      var losses: [String: Double]
      var rank: Int
      var alpha: Float
    }
    let given = try JSONDecoder().decode(
      Case.self, from: Data(contentsOf: folder.appendingPathComponent("case.json")))
    (tokens, masks, losses, rank, alpha) = (given.tokens, given.masks, given.losses, given.rank, given.alpha)
    models = [
      "small": try ModelDirectory(folder.appendingPathComponent("small")),
      "large": try ModelDirectory(folder.appendingPathComponent("large")),
    ]
  }

  func file(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(folder.appendingPathComponent(name + ".safetensors"))
  }

  func batch(masked: Bool) -> PackedBatch {
    var batch = PackedBatch()
    for (sequence, mask) in zip(tokens, masks) {
      batch.append(sequence, lossMask: masked ? mask.map { $0 != 0 } : nil)
    }
    return batch
  }

  func fill(_ store: ParameterStore, from model: String, prefix: String) {
    for (name, tensor) in models[model]!.tensors {
      if let index = store.index(of: prefix + name) { store.value(index).copy(from: tensor.floats()) }
    }
  }

  func stitched(small: LlamaModel, large: LlamaModel, layer: Projection) -> Network {
    Network(
      embedding: small.embedding,
      stages: [.block(small.blocks[0]), .stitch(layer), .block(large.blocks[1]), .block(large.blocks[2])],
      finalNorm: large.finalNorm, finalNormEpsilon: large.configuration.normEpsilon, head: large.head)
  }

  /// A model with every tensor as floats.
  static func floats(of directory: ModelDirectory) throws -> LlamaModel {
    func floats(_ name: LlamaTensor) throws -> (FloatBuffer, [Int]) {
      let tensor = try #require(directory.tensors[name.huggingFaceName])
      return (FloatBuffer(tensor.floats()), tensor.shape)
    }
    return try LlamaModel(configuration: directory.configuration) { name throws in
      let (buffer, shape) = try floats(name)
      return WeightMatrix(buffer.matrix(rows: shape[0], columns: shape[1]))
    } vector: { name throws in
      WeightVector(try floats(name).0.vector)
    }
  }

  /// The route of the fixture with frozen base weights and everything PST trains.
  func adapted() throws -> (ParameterStore, Network) {
    let adapter = try file("adapter")
    let stitches = try file("stitches")
    let store = ParameterStore(
      adapter.tensors.values.sorted { $0.name < $1.name }
        .map { .init($0.name, shape: $0.shape, decays: $0.shape.count > 1) })
    for tensor in adapter.tensors.values {
      store.value(store.index(of: tensor.name)!).copy(from: tensor.floats())
    }
    func deltas(_ lora: String, bias: String) -> [Delta] {
      let (a, b) = (store.matrix(lora + ".lora_A")!, store.matrix(lora + ".lora_B")!)
      return [.bias(store.vector(bias)!), .lowRank(LowRank(a: a, b: b, scale: alpha / Float(rank)))]
    }
    func adapted(_ block: Block, lora: String, bias: String) -> Block {
      var block = block
      func adapt(_ projection: inout Projection, _ name: String) {
        projection.deltas = deltas("\(lora).\(name)", bias: "\(bias).\(name).bias")
      }
      adapt(&block.attention.query, "self_attn.q_proj")
      adapt(&block.attention.key, "self_attn.k_proj")
      adapt(&block.attention.value, "self_attn.v_proj")
      adapt(&block.attention.output, "self_attn.o_proj")
      return block
    }
    let id = "stitches.small-large@1"
    let weight = FloatBuffer(try stitches.tensor(id + ".weight").floats()).matrix(rows: 24, columns: 16)
    let layer = Projection(
      weight: WeightMatrix(weight),
      bias: WeightVector(FloatBuffer(try stitches.tensor(id + ".bias").floats()).vector),
      deltas: deltas(id, bias: id + ".delta_bias"))
    let plain = stitched(
      small: try Self.floats(of: models["small"]!), large: try Self.floats(of: models["large"]!), layer: layer)
    let stages = plain.stages.enumerated().map { index, stage in
      guard case .block(let block) = stage else { return stage }
      let place = index == 0 ? "anchors.small.layers.0" : "anchors.large.layers.\(index - 1)"
      return .block(adapted(block, lora: place, bias: index == 0 ? place : "\(id).\(place)"))
    }
    return (
      store,
      Network(
        embedding: plain.embedding, stages: stages, finalNorm: plain.finalNorm,
        finalNormEpsilon: plain.finalNormEpsilon, head: plain.head)
    )
  }

  /// Each tensor within 1e-3 of the reference, relative to its norm.
  func expect(_ gradients: [String: [Float]], in name: String) throws {
    let reference = try file(name)
    for (name, found) in gradients {
      let expected = try reference.tensor(name).floats()
      #expect(found.count == expected.count, "\(name)")
      let difference = zip(found, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      let norm = expected.reduce(0.0) { $0 + Double($1 * $1) }
      #expect(norm > 0, "\(name) has no gradient to compare")
      #expect((difference / norm).squareRoot() <= 1e-3, "\(name)")
    }
  }
}

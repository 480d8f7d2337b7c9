import Foundation
import LLaMAStitch
import Support
import Testing

@Suite struct RouteTests {
  @Test func fiveToEight() {
    let joins = Route.joins(smaller: 5, larger: 8).map { [$0.exit, $0.entry] }
    #expect(joins == [[1, 1], [1, 2], [2, 3], [3, 4], [3, 5], [4, 6], [4, 7]])
  }

  @Test func sixToEight() {
    let joins = Route.joins(smaller: 6, larger: 8).map { [$0.exit, $0.entry] }
    #expect(joins == [[1, 1], [2, 2], [2, 3], [3, 4], [4, 5], [5, 6], [5, 7]])
  }

  @Test func eightToTwelve() {
    let joins = Route.joins(smaller: 8, larger: 12).map { [$0.exit, $0.entry] }
    #expect(
      joins == [[1, 1], [1, 2], [2, 3], [3, 4], [3, 5], [4, 6], [5, 7], [5, 8], [6, 9], [7, 10], [7, 11]])
  }

  @Test func thirtyTwoToForty() {
    let joins = Route.joins(smaller: 32, larger: 40)
    #expect(joins.map(\.entry) == Array(1...39))
    // ⌊m·32/40 + ½⌋ = ⌊(8m + 5)/10⌋, at least 1.
    let expected: [Int] = (1...39).map { (entry: Int) -> Int in max(1, (8 * entry + 5) / 10) }
    #expect(joins.map(\.exit) == expected)
  }

  @Test func equalDepthsGoStraightAcross() {
    #expect(Route.joins(smaller: 4, larger: 4).map { [$0.exit, $0.entry] } == [[1, 1], [2, 2], [3, 3]])
  }

  @Test func aWindowAddsTheNextBlock() {
    let joins = Route.joins(smaller: 2, larger: 3, window: 2).map { [$0.exit, $0.entry] }
    #expect(joins == [[1, 1], [2, 1], [1, 2], [2, 2]])
  }

  @Test func idsAreStableAndDifferent() {
    let depths = [2, 3]
    let routes = Route.all(depths: depths, window: 2)
    let ids = routes.map { $0.id(names: ["small", "large"], depths: depths) }
    #expect(ids == ["small", "large", "small-large@1", "small-large@1~2", "small-large@2", "small-large@2~2"])
    #expect(routes[2].text(names: ["small", "large"]) == "small[0..<1] → large[1..<3]")
  }

  @Test func depthAlignment() {
    let depths = [4, 8]
    let aligned = Route.all(depths: depths).filter { !$0.isAnchor && $0.isDepthAligned(depths: depths) }
    #expect(aligned.map { $0.junctions[0].entry } == [2, 4, 6])
  }
}

@Suite struct StitchingTests {
  /// A family of a model and a wider one that computes the same function: every depth-aligned stitch is the model.
  @Test(arguments: [1, 2]) func stitchesOfAFunctionPreservingWidening(blocksEach: Int) throws {
    let folder = try TemporaryFolder()
    let narrow = RandomModel.configuration()
    let weights = RandomModel.weights(narrow, seed: 4, scale: 1.5)
    let widened = Widening(narrow, width: 24, blocksEach: blocksEach, seed: 5)
      .weights(of: Dictionary(uniqueKeysWithValues: narrow.tensors.map { ($0.huggingFaceName, weights($0)) }))
    let wide = Widening(narrow, width: 24, blocksEach: blocksEach, seed: 5)
    let anchors = [
      FamilyBuilder.Anchor(
        name: "narrow",
        directory: try RandomModel.write(narrow, weights: weights, to: folder.url.appendingPathComponent("narrow"))),
      FamilyBuilder.Anchor(
        name: "wide",
        directory: try RandomModel.write(
          wide.configuration, weights: { widened[$0.huggingFaceName]! }, to: folder.url.appendingPathComponent("wide"))),
    ]
    var options = FamilyBuilder.Options(name: "widened", chatTemplate: "tiny")
    options.ridge = 1e-6
    let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
      calibration: RandomModel.tokens(60, length: 40), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.url.appendingPathComponent("family"))!
    let text = RandomModel.tokens(1, length: 50, seed: 77)[0].map(Int.init)
    func score(_ route: Route) throws -> [Double] {
      try Scorer.negativeLogLikelihoods(
        of: text, session: InferenceSession(network: family.network(route, adapter: nil)))
    }
    let expected = try score(family.route(ofAnchor: 0))
    let depths = [narrow.blockCount, wide.configuration.blockCount]
    var aligned = 0
    for stitch in family.stitches where stitch.route.isDepthAligned(depths: depths) {
      let found = try score(stitch.route)
      let difference = zip(found, expected).map { abs($0 - $1) }.reduce(0, +) / Double(expected.count)
      #expect(difference <= 1e-2, "\(stitch.id)")
      aligned += 1
    }
    #expect(aligned == 2 + (narrow.blockCount - 1))
  }

  /// Models that claim a billion positions are built, adapted and run in the memory of what is used of them.
  @Test func aBillionPositions() throws {
    let folder = try TemporaryFolder()
    let anchors = try [("small", 2, 16), ("large", 3, 24)].map { name, blocks, hidden in
      var configuration = RandomModel.configuration(hidden: hidden, blocks: blocks)
      configuration.contextLength = 1 << 30
      let directory = try RandomModel.write(
        configuration, weights: RandomModel.weights(configuration, seed: UInt64(blocks)),
        to: folder.url.appendingPathComponent(name))
      return FamilyBuilder.Anchor(name: name, directory: directory)
    }
    var options = FamilyBuilder.Options(name: "long", chatTemplate: "tiny")
    options.fitSteps = 2
    let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
      calibration: RandomModel.tokens(40, length: 20), tokenizer: ["tokenizer": Data("x".utf8)],
      output: folder.url.appendingPathComponent("family"))!
    #expect(family.contextLength == 1 << 30)
    let trainer = try ESTATrainerTests.trainer(family, steps: 2)
    #expect(try trainer.run { _ in .goOn })
    let session = InferenceSession(network: family.network(family.stitches[1].route, adapter: trainer.snapshot()))
    #expect(session.contextLength == 4096)
    #expect(try session.evaluate([1, 2, 3]).row(0).array.allSatisfy(\.isFinite))
  }

  /// Angles are computed as far as they are asked for, and are those of a table that was made for no more.
  @Test func anglesAsFarAsTheyAreUsed() {
    let configuration = RandomModel.configuration()
    let long = RotaryTable(configuration, positions: 1 << 24)
    let short = RotaryTable(configuration, positions: 300)
    for count in [1, 70, 300] { long.cover(count) }
    short.cover(300)
    for position in [0, 69, 70, 299] {
      #expect(long.cosines.row(position).array == short.cosines.row(position).array)
      #expect(long.sines.row(position).array == short.sines.row(position).array)
      let frequencies = RotaryEmbedding.inverseFrequencies(configuration)
      for (pair, frequency) in frequencies.enumerated() {
        #expect(abs(Double(long.sines[position, pair]) - sin(Double(Float(position) * frequency))) < 1e-6)
      }
    }
    // What nobody asked for is not there.
    #expect(long.cosines.row(1 << 20).array.allSatisfy { $0 == 0 })
  }

  @Test func aFamilyReadsBackAsItWasBuilt() throws {
    let folder = try TemporaryFolder()
    let family = try RandomModel.family(in: folder, depths: [2, 3, 4], widths: [16, 24, 32])
    let again = try Family(family.directory)
    #expect(again.stitches == family.stitches)
    #expect(again.identity == family.identity)
    #expect(
      Set(again.stitches.map(\.id)) == [
        "small", "medium", "large", "small-medium@1", "small-medium@2", "medium-large@1", "medium-large@2",
        "medium-large@3",
      ])
    #expect(again.stitches.map(\.flopsPerToken) == again.stitches.map(\.flopsPerToken).sorted())
  }

  @Test func theFitByLossLowersTheLoss() throws {
    let folder = try TemporaryFolder()
    let small = RandomModel.configuration(blocks: 2)
    let large = RandomModel.configuration(hidden: 24, blocks: 3)
    let anchors = try [("small", small), ("large", large)].map { name, configuration in
      FamilyBuilder.Anchor(
        name: name,
        directory: try RandomModel.write(
          configuration, weights: RandomModel.weights(configuration, seed: 6),
          to: folder.url.appendingPathComponent(name)))
    }
    // Text with a pattern that can be learned: each token is followed by the next number.
    let text = (0..<40).map { start in (0..<20).map { Int32((start + $0) % 32) } }
    var losses: [Double] = []
    for steps in [0, 60] {
      var options = FamilyBuilder.Options(name: "fit", chatTemplate: "tiny")
      options.fitSteps = steps
      options.fitLearningRate = 1e-2
      let family = try FamilyBuilder(anchors, options: options, pool: ComputePool(threads: 2)).build(
        calibration: text, tokenizer: ["tokenizer": Data("x".utf8)],
        output: folder.url.appendingPathComponent("f\(steps)"))!
      let session = InferenceSession(network: family.network(try family.stitch("small-large@2").route, adapter: nil))
      let nll = try Scorer.negativeLogLikelihoods(of: text[3].map(Int.init), session: session)
      losses.append(nll.reduce(0, +) / Double(nll.count))
    }
    #expect(losses[1] < losses[0] - 0.2)
  }
}

/// A wider model with the same function: the residual stream padded with zeros and rotated, norms folded into the
/// projections after them. With `blocksEach` > 1, blocks that do nothing follow each block.
struct Widening {
  let configuration: LlamaConfiguration
  private let narrow: LlamaConfiguration
  private let blocksEach: Int
  /// [wide × narrow]: the first columns of a rotation.
  private let rotation: [[Double]]

  init(_ narrow: LlamaConfiguration, width: Int, blocksEach: Int, seed: UInt64) {
    self.narrow = narrow
    self.blocksEach = blocksEach
    var wide = narrow
    wide.hiddenSize = width
    wide.blockCount = narrow.blockCount * blocksEach
    // rms over more dimensions of the same vector is smaller by √(narrow/wide), and so must ε be.
    wide.normEpsilon = narrow.normEpsilon * Float(narrow.hiddenSize) / Float(width)
    configuration = wide
    // Gram–Schmidt on random vectors.
    var random = SeededGenerator(seed: seed)
    var columns: [[Double]] = []
    while columns.count < narrow.hiddenSize {
      var vector = (0..<width).map { _ in random.normal() }
      for other in columns {
        let dot = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
        vector = zip(vector, other).map { $0 - dot * $1 }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      columns.append(vector.map { $0 / norm })
    }
    rotation = (0..<width).map { row in columns.map { $0[row] } }
  }

  func weights(of weights: [String: VectorView]) -> [String: VectorView] {
    let d = narrow.hiddenSize
    let width = configuration.hiddenSize
    let shrink = (Double(d) / Double(width)).squareRoot()
    /// A projection that reads the normalised stream: W diag(g) Rᵀ √(d/D).
    func reading(_ name: String, norm: String) -> VectorView {
      let w = weights[name]!
      let g = weights[norm]!
      let rows = w.count / d
      return FloatBuffer(
        (0..<rows).flatMap { row in
          (0..<width).map { column in
            Float((0..<d).reduce(0.0) { $0 + Double(w[row * d + $1] * g[$1]) * rotation[column][$1] } * shrink)
          }
        }
      ).vector
    }
    /// A projection that writes to the stream: R W.
    func writing(_ name: String) -> VectorView {
      let w = weights[name]!
      let columns = w.count / d
      return FloatBuffer(
        (0..<width).flatMap { row in
          (0..<columns).map { column in
            Float((0..<d).reduce(0.0) { $0 + rotation[row][$1] * Double(w[$1 * columns + column]) })
          }
        }
      ).vector
    }
    let ones = FloatBuffer(Array(repeating: 1, count: width)).vector
    var wide: [String: VectorView] = [:]
    let embedding = weights["model.embed_tokens.weight"]!
    wide["model.embed_tokens.weight"] =
      FloatBuffer(
        (0..<narrow.vocabularySize).flatMap { token in
          (0..<width).map { row in
            Float((0..<d).reduce(0.0) { $0 + rotation[row][$1] * Double(embedding[token * d + $1]) })
          }
        }
      ).vector
    wide["lm_head.weight"] = reading("lm_head.weight", norm: "model.norm.weight")
    wide["model.norm.weight"] = ones
    for block in 0..<narrow.blockCount {
      for copy in 0..<blocksEach {
        let from = "model.layers.\(block)."
        let to = "model.layers.\(block * blocksEach + copy)."
        for part in ["q_proj", "k_proj", "v_proj"] {
          wide[to + "self_attn.\(part).weight"] = reading(
            from + "self_attn.\(part).weight", norm: from + "input_layernorm.weight")
        }
        for part in ["gate_proj", "up_proj"] {
          wide[to + "mlp.\(part).weight"] = reading(
            from + "mlp.\(part).weight", norm: from + "post_attention_layernorm.weight")
        }
        for part in ["self_attn.o_proj", "mlp.down_proj"] {
          let written = writing(from + part + ".weight")
          wide[to + part + ".weight"] = copy == 0 ? written : FloatBuffer(count: written.count).vector
        }
        wide[to + "input_layernorm.weight"] = ones
        wide[to + "post_attention_layernorm.weight"] = ones
      }
    }
    return wide
  }
}
